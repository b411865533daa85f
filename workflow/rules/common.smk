# Needs: config/config.yaml (or --configfile). Makes: the names that every rule uses.
# CONFIG is the checked configuration, PARTS which treatments share a job, SPECS and TABLES
# its slices, RESOURCES the requests, RECORDS what is known of results that are there.

import os
import shlex
from pathlib import Path

from snakemake.io import strip_wildcard_constraints
from snakemake.logging import logger
from snakemake.scheduling.job_scheduler import JobScheduler

from langneurons import methods, tables, tasks
from langneurons.config.errors import LangneuronsError
from langneurons.config.names import BASE, LANGUAGE, Pair, Selection, TuningName
from langneurons.costs import fitting
from langneurons.costs.requests import Requests
from langneurons.grid import result_paths, steering, subjects
from langneurons.jobs import devices, failures, forced, planned, provenance
from langneurons.jobs.fingerprint import code_hash, remember
from langneurons.nn.models import fetching
from langneurons.study import alignment_specs, card_specs, local_files, probing, targets
from langneurons.study.configuration import start
from langneurons.study.rule_functions import (
    Signed,
    keep_what_is_planned,
    one_timer,
    signed,
)

keep_what_is_planned()
one_timer(JobScheduler)
remember(Path(".snakemake/code_hashes.json"), writes=workflow.is_main_process)
try:  # not again by each cluster job
    CONFIG, PARTS, SPECS, TABLES, RECORDS = start(config, workflow.is_main_process)
except LangneuronsError as error:
    raise WorkflowError(str(error)) from None
SPECS = Signed(SPECS)
RESOURCES = Signed(Requests(CONFIG, PARTS, lambda: devices.smallest(workflow)))
fitting.before_start(JobScheduler, RESOURCES, WorkflowError)
# Of whom a result is stands in its provenance; jobs take it from here.
os.environ[provenance.STUDY] = CONFIG.study or ""
if workflow.is_main_process:
    local_files.let_replaced_files_be_seen(CONFIG)
    if remarks := RECORDS.remarks():
        logger.warning("\n".join(remarks))
DEMO = result_paths.DEMO
PUBLISHED = os.path.normpath(f"{CHECKOUT}/config/published_results.json")


def run(script, piped=""):
    """Begin the shell command of a rule: Python and the script, its path quoted.

    What grows with the grid is piped, the spec with it: Linux takes no argument over
    128 KiB.
    """
    path = shlex.quote(f"{SCRIPTS}/{script}.py").replace("{", "{{").replace("}", "}}")
    if not piped:
        return f"python {path}"
    return f"printf '%s\\n' --spec {{params.spec:q}} {piped} | python {path} @-"


# Functions, not lists: most targets need no list of all figures.
def all_tables(wildcards=None):
    """Every table of the grid."""
    return [targets.table(CONFIG, name) for name in tables.wanted(CONFIG)]


def all_figures(wildcards=None):
    """Every figure of the grid, as its SVG file."""
    return targets.figures(CONFIG)


def of_experiment(name):
    """The tables and figures that an experiment has a part in."""
    return lambda wildcards: targets.of_experiment(CONFIG, name)


def either(names):
    """Make a wildcard constraint out of a catalogue; an empty one matches nothing."""
    return "|".join(sorted(names)) or "(?!)"


def built_models():
    """Models that the workflow trains itself."""
    return [name for name, entry in CONFIG.models.items() if entry.builder]


def drawn(stem, kinds, extensions):
    """The files of some figures; each figure has an SVG, a PNG and its data."""
    return targets.figure_files("<study>/figures", stem, kinds, extensions.split())


TUNING = (
    rf"({either(CONFIG.tunings)})|([a-z0-9_-]+\.)?[a-z0-9_-]+\.[a-z0-9_-]+\.[a-zA-Z_+]+"
)


pathvars:
    study=CONFIG.results,


wildcard_constraints:
    model=either(CONFIG.models),
    corpus=either(CONFIG.corpora),
    task=either(CONFIG.tasks),
    tuning=TUNING,
    table=either(TABLES.kinds),
    statistic=either(CONFIG.statistics),
    metric="[a-z0-9_]+",
    other=r"[a-z0-9_-]+\.[a-z0-9_-]+",
    published="|".join(targets.published_sets(CONFIG)).replace(".", r"\.") or "(?!)",
    langset=either(CONFIG.language_sets),
    method=f"({either(CONFIG.methods)})(-[0-9]+)?",
    lang=f"{LANGUAGE}(-{LANGUAGE})?",  # or a pair, source-target
    pair=f"{LANGUAGE}-{LANGUAGE}",
    dictionary=either(CONFIG.dictionaries),
    similarity=either(CONFIG.similarities),
    sweep=either(CONFIG.sweeps),
    seed="[0-9]+",
    shard="[0-9]+",
    shards="[0-9]+",
    part="[0-9]+",
    parts="[0-9]+",
    split="train|test",


devices.limit(workflow)
failures.report(workflow)
planned.record()
