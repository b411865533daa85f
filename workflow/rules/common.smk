# Needs: config/config.yaml (or --configfile). Makes: the names that every rule uses.
# CONFIG is the checked configuration, SPECS its slices, RESOURCES the requests.

import sys

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from langneurons import grid
from langneurons.config import load
from langneurons.errors import LangneuronsError
from langneurons.fingerprint import code_hash
from langneurons.resources import Requests
from langneurons.specs import Specs

try:
    CONFIG = load(config)
except LangneuronsError as error:
    raise WorkflowError(str(error)) from None
SPECS = Specs(CONFIG)
RESOURCES = Requests(CONFIG)
SCRIPTS = f"{sys.executable} {workflow.basedir}/workflow/scripts"
DEMO = "results/demo_world"


def either(names):
    """Make a wildcard constraint out of a catalogue; an empty one matches nothing."""
    return "|".join(sorted(names)) or "(?!)"


wildcard_constraints:
    model=either(CONFIG.models),
    corpus=either(CONFIG.corpora),
    task=either(CONFIG.tasks),
    tuning=either(CONFIG.tunings),
    langset=either(CONFIG.language_sets),
    method=f"({either(CONFIG.methods)})(-[0-9]+)?",
    lang="[a-z][a-zA-Z_]*",
    seed="[0-9]+",
    shard="[0-9]+",
    shards="[0-9]+",
    split="train|test",
