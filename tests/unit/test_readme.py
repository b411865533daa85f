"""What the documents claim is there: targets, paths, links, tables, columns, files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import configurations
import dry_runs
from langneurons import tables
from langneurons.config import schema
from langneurons.study import card_specs
from langneurons.study.configuration import load
from langneurons.tables.common import columns, task_columns
from test_layout import all_rules

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("config/*.md")]
)
MADE = {"results", "logs", "data", ".venv", ".snakemake"}  # by runs and users
# Files that a document tells its reader to make.
YOURS = {
    "workflow/scripts/langneurons/methods/loudest.py",
    "workflow/scripts/langneurons/tables/sizes.py",
    "workflow/scripts/langneurons/tasks/follows.py",
    "workflow/scripts/langneurons/tasks/sentiment.py",
    "envs/langneurons.sif",
}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return a section of the README, without its heading."""
    parts = re.split(r"^## (.*)\n", read(README), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert title in found, f"README.md has no section {title!r}"
    return found[title]


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    code = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", code.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def commands(text: str) -> str:
    """Return what is set as code: blocks for the shell, and words in backticks."""
    pieces = re.split(r"^```(\w*)\n", text, flags=re.MULTILINE)
    plain, languages, blocks = pieces[::4], pieces[1::4], pieces[2::4]
    assert len(pieces) % 4 == 1, "a block of code does not end"
    shell = [b for b, x in zip(blocks, languages, strict=True) if x in ("", "bash")]
    return "\n".join(shell + re.findall(r"`([^`\n]+)`", "\n".join(plain)))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    text = read(path)
    for link in re.findall(r"\]\((?!http)([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        there = (path.parent / file) if file else path
        assert there.exists(), link
        if anchor:
            assert anchor in anchors(read(there)), link


def make_targets() -> set[str]:
    """Return the targets that `make` shows."""
    found = set(re.findall(r"^([a-z-]+):.*## ", read(ROOT / "Makefile"), re.MULTILINE))
    assert {"demo", "test"} < found
    return found


def made(path: Path) -> set[str]:
    """Return the targets that a document tells to make."""
    calls = re.findall(r"\bmake((?: +[\w=./-]+)+)", commands(read(path)))
    words = [word for call in calls for word in call.split()]
    return {w for w in words if "=" not in w and not w.startswith("-")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_targets_of_make_exist(path: Path) -> None:
    assert made(path) <= make_targets()


def test_every_target_of_make_is_in_a_document() -> None:
    assert make_targets() - set().union(*map(made, DOCUMENTS)) == {"help", "clean"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_paths_of_the_project_exist(path: Path) -> None:
    tops = {p.name for p in ROOT.iterdir()} - MADE
    for word in re.findall(r"[\w./*-]+/[\w./*-]*", commands(read(path))):
        if word.strip("./").partition("/")[0] in tops and word not in YOURS:
            assert word.startswith(("/", "benchmarks/results")) or any(
                ROOT.glob(word.strip("/"))
            ), word


# What the README says of reruns, and for it cases of tests/workflow/test_reruns.py or,
# of other experiments than those of the tiny grid, tests by their names.
RERUNS = {
    "the statistics of an experiment: add one": ["a statistic is added"],
    "a statistic's meaning": ["a statistic changes its meaning"],
    "one method's parameters or file": [
        "one method's module",
        "a parameter of one method",
    ],
    "what activations record": ["which batches have their quantiles taken"],
    "an instruction's wording; a layer or strength to steer with: add one": [
        "test_amplification.test_a_factor_computes_itself_alone",
        "test_amplification.test_a_layer_and_a_strength_add_treatments_and_change_none",
    ],
    "a pair, a candidate or a similarity of `bridges`: add one": [
        "test_bridges.test_a_further_pair_touches_no_other",
        "test_bridges.test_a_further_candidate_is_tested_and_compared",
        "test_bridges.test_a_further_similarity_is_compared_and_nothing_else",
    ],
    "a language of `alignment`: add one": [
        "test_alignment.test_a_language_more_changes_nothing_of_the_others",
    ],
    "a language set": ["a language set"],
    "training settings of a task": ["the learning rate"],
    "a task's file": ["a task's file"],
    "how answers are generated": ["how answers are generated"],
    "held-out tokens": ["more text is held out"],
    "a file or folder of yours: its content": ["the training file"],
    "an evaluation language: add one": ["an evaluation language is added"],
    "a model, model family, corpus or seed: add one": [
        "a seed is added",
        "a model family is added",
    ],
    "memory, time, partitions, micro-batch, length of a measuring job": [
        "resources",
        "the number of measuring jobs (speed only)",
    ],
    "comments, key order, docstrings, file times, a fresh clone": [
        "a comment in the configuration",
        "a comment in a method",
        "the order of keys",
        "a docstring",
        "file times",
    ],
}


def test_what_the_readme_says_of_reruns_is_tested() -> None:
    rows = re.findall(r"^\| (.+?) \| .+ \|$", section("What will rerun"), re.MULTILINE)
    assert rows == ["you edit", *RERUNS]
    tree = ast.parse(read(ROOT / "tests/workflow/test_reruns.py"))
    (cases,) = (
        {ast.literal_eval(key) for key in node.value.keys if key}
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.value, ast.Dict)
        and ast.unparse(node.target) == "CASES"
    )
    for path in (ROOT / "tests").glob("*/test_*.py"):
        cases |= {
            f"{path.stem}.{name}"
            for name in re.findall(r"^def (test_\w+)", read(path), re.MULTILINE)
        }
    assert {case for tested in RERUNS.values() for case in tested} <= cases


@pytest.fixture(scope="module")
def paper() -> schema.Config:
    """All studies, also the one that is asked for by name."""
    raw = configurations.shipped()
    return load(raw | {"run": [*raw["run"], "bridges"]})


def test_the_table_of_tables_names_each_table_once(paper: schema.Config) -> None:
    text = section("Tables and figures").partition("\n\nEach is")[0]
    first = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    named = [name for cell in first for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(tables.by_name(paper))


def test_each_column_of_a_task_table_is_told_once() -> None:
    text = section("How to read a table")
    rows = re.findall(r"^\| `([\w ]+)` \| \S", text, re.MULTILINE)
    named = [column for row in rows for column in row.split()]
    assert set(named) == set(columns.names(task_columns.COLUMNS))
    assert len(named) == len(set(named))


def file_names() -> dict[str, re.Pattern[str]]:
    """Read the block "Names of files": what it says -> what such paths look like."""
    (block,) = re.findall(r"```\n(.*?)```", section("Names of files"), re.DOTALL)
    found = {}
    for words in re.findall(r"results/\S+", block):
        # {tsv,md} is a choice, {lang} any name; a folder holds anything.
        pattern = ""
        for part in re.split(r"(\{[^}]*\})", words.rstrip(",")):
            if "," in part:
                pattern += f"({'|'.join(part[1:-1].split(','))})"
            elif part.startswith("{"):
                pattern += r"[^/]+?"
            else:
                pattern += re.escape(part)
        found[words] = re.compile(pattern + (".*" if words.endswith("/") else ""))
    return found


def test_the_names_of_files_are_those_that_jobs_write() -> None:
    studies = configurations.shipped()
    amplified = studies["experiments"]["amplification"]
    amplified["models"] = amplified["models"][:1]  # its names are those of the others
    written = {*dry_runs.outputs(dry_runs.jobs(studies))}
    assert len(written) > 700
    written |= {*card_specs.all_cards(load(studies))}
    bridged = configurations.bridged()
    bridged |= {"run": [*bridged["run"], "alignment"]}
    demo = dry_runs.outputs(dry_runs.jobs(bridged))
    written |= {path for path in demo if not path.startswith("results/demo_world/")}
    said = file_names()
    unsaid = {
        path
        for path in written
        if not any(pattern.fullmatch(path) for pattern in said.values())
    }
    assert unsaid == set()
    for words, pattern in said.items():
        assert any(pattern.fullmatch(path) for path in written), words


def test_rules_and_profiles_in_commands_exist() -> None:
    # An experiment is a target of its name where it is run.
    rules = {rule.name for rule in all_rules()} | set(
        configurations.shipped()["experiments"]
    )
    seen = 0
    for path in DOCUMENTS:
        for line in commands(read(path)).replace("\\\n", " ").splitlines():
            if not line.strip().startswith("snakemake"):
                continue
            line = line.partition("#")[0]
            for profile in re.findall(r"--profile (\S+)", line):
                assert (ROOT / profile).is_dir(), line
                seen += 1
            for file in re.findall(r"--configfile (\S+)", line):
                assert "/" not in file or (ROOT / file).is_file(), line  # or yours
            line = re.sub(r"--configfile( [^-\s]\S*)+", "", line)
            options = r"--(?:profile|config|sdm|cores|jobs)[ =]\S+|-\S+"
            for word in re.sub(options, "", line).split()[1:]:
                assert word in rules or "/" in word, line
    assert seen > 3
