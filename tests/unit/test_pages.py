"""Every block of code of the documents runs, or is checked as far as it can be."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import configurations
import pages
from langneurons import methods, tasks
from langneurons.config import terms
from langneurons.nn.models import families
from langneurons.report import glossary, studies
from langneurons.study import references
from langneurons.study.configuration import load
from pages import ROOT, Block
from test_readme import make_targets
from test_recipes import made, plugin

TOUR = "docs/tour.md"
RUN_ELSEWHERE = {"docs/library.md", "docs/recipes.md"}
"""Pages whose Python and YAML test_library.py and test_recipes.py run."""


def test_every_block_is_of_a_language_that_is_run() -> None:
    found = pages.blocks()
    assert len(found) > 60
    for block in found:
        assert block.language in ("bash", "yaml", "python", "mermaid", ""), block
        if block.language == "":  # names of files: test_readme.py
            assert block.page == "README.md" or block.reason, block
        if block.language == "python" and not block.reason:
            assert block.page in RUN_ELSEWHERE | {TOUR}, block
    fences = Counter(str(b.page) for b in found)
    for path in pages.DOCUMENTS:
        lines = pages.read(path).splitlines()
        count = sum(line.strip().startswith("```") for line in lines)
        assert count == 2 * fences[pages.name_of(path)], path


# --- configurations


def written(block: Block) -> dict[str, Any]:
    return yaml.safe_load(block.text)


CONFIGURATIONS = [b for b in pages.blocks("yaml") if b.page not in RUN_ELSEWHERE]


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_editors_find_nothing_wrong_with_a_configuration(
    block: Block, tour: dict[str, dict[str, Any]]
) -> None:
    assert tour  # the tour's plug-ins are there
    editor = jsonschema.Draft202012Validator(references.editor_schema())
    assert [error.message for error in editor.iter_errors(written(block))] == []


def named_files(page: str) -> dict[str, dict[str, Any]]:
    """Read the configurations that a page gives a name, `mine.yaml`, before them."""
    text = pages.read(ROOT / page)
    found = re.findall(r"`(\w+\.yaml)`[^`]*\n\n```yaml\n(.*?)^```", text, re.S | re.M)
    return {name: yaml.safe_load(block) for name, block in found}


@pytest.fixture
def tour(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The tour's files by name, where its reader has written its plug-ins."""
    sources = {methods: "loudest", tasks: "follows"}
    for room, kind in sources.items():
        folder = room.__name__.rpartition(".")[2]
        page = "docs/recipes.md" if room is methods else TOUR
        found, module = plugin(folder, pages.read(ROOT / page))
        assert found == kind
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(room, "kinds", partial(list, [*room.kinds(), kind]))
    return named_files(TOUR)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put there the text that config/small.yaml asks its reader to have."""
    monkeypatch.chdir(tmp_path)
    small = configurations.read("small.yaml")
    languages = {x for names in small["language_sets"].values() for x in names}
    for corpus in small["corpora"].values():
        for lang, code in corpus.get("codes", dict.fromkeys(languages)).items():
            for name in corpus.get("recorded", {"files": ["{lang}.txt"]})["files"]:
                path = Path(corpus["folder"], name.format(lang=lang, code=code))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("index_id\ttext\n1\ta\n")


BELOW = {TOUR: ["demo.yaml"], "docs/results.md": ["small.yaml"]}
"""On top of what the configurations of a page are read, besides config.yaml."""


def on_top(page: str, above: dict[str, Any]) -> dict[str, Any]:
    merged = configurations.shipped()
    for below in map(configurations.read, BELOW.get(page, [])):
        merged = configurations.merge(merged, below)
    return configurations.merge(merged, above)


def test_the_files_of_the_tour_make_what_it_says(
    tour: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained = Path("results/demo/adapters/xnli/demo/attention/seed42")
    assert tour["theirs.yaml"]["tunings"]["theirs"]["path"] == str(trained)
    others = {"theirs.yaml", "gpus.yaml"}
    assert set(tour) == {"boost.yaml", "mine.yaml", "own.yaml"} | others
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/follows").mkdir(parents=True)
    for name in ("train-en", "test-hi", "test-zh"):
        (tmp_path / f"data/follows/{name}.tsv").write_text("premise\n")
    planned = {n: made(on_top(TOUR, f)) for n, f in tour.items() if n not in others}
    text = pages.read(ROOT / TOUR)
    for name, study in (("boost.yaml", "demo"), ("mine.yaml", "mine")):
        said = {w for w in re.findall(r"results/[\w./-]+", text) if f"/{study}/" in w}
        files = {w for w in said if w.endswith((".tsv", ".json")) and "_world" not in w}
        files -= {"results/neurons/demo/lape.world.json"}
        assert files and {w for w in files if study in w.split("/")[1]} <= planned[name]
    lost = "results/mine/evaluations/xnli/demo/attention/seed42/hi/"
    assert f"cd {lost.rstrip('/')}" in text
    assert {f"{lost}lape.three.zero.parquet", f"{lost}part-1-of-1.json"} <= planned[
        "mine.yaml"
    ]
    (said,) = re.findall(r"`results/own/tables/` then has (.*?), each as", text, re.S)
    tables = re.findall(r"`(\w+)`", said)
    assert {f"results/own/tables/{t}.tsv" for t in tables} <= planned["own.yaml"]


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_is_valid_on_top_of_the_shipped_one(
    block: Block, tour: dict[str, dict[str, Any]]
) -> None:
    if written(block) in (tour["own.yaml"], tour["theirs.yaml"]):
        return  # their files are not here: see above, and test_foreign_adapters.py
    load(on_top(block.page, written(block)))


# --- commands


def commands(block: Block) -> Iterator[list[str]]:
    """Go through the lines that begin with make or snakemake: the command's words."""
    for line in block.text.replace("\\\n", " ").splitlines():
        line = re.sub(r"^ *[A-Z_]+=\S+ ", "", line)
        if re.match(r" *(make|snakemake)\b", line):
            # Operators are words of their own, but not in quotes.
            read = shlex.shlex(line, posix=True, punctuation_chars="&|;")
            read.whitespace_split = True
            words = list(read)
            ends = [i for i, w in enumerate(words) if set(w) <= set("&|;")]
            yield words[: min(ends, default=None)]


SHELL = pages.blocks("bash")


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_the_shell_reads_a_block(block: Block) -> None:
    text = block.text.replace("<this repository>", "X")
    text = text.replace("<run id>", "X")
    read = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.fixture(scope="module")
def parser() -> Any:
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_are_understood_as_they_are_meant(block: Block, parser: Any) -> None:
    for words in commands(block):
        if words[0] == "make":
            asked = [w for w in words[1:] if "=" not in w]
            assert set(asked) <= make_targets(), words
        if words[0] != "snakemake":
            continue
        given = parser.parse_args(words[1:])
        files = [Path(file).name for file in given.configfile or []]
        # All that follows --configfile is taken for a configuration.
        assert all(file.endswith(".yaml") for file in files), words
        own = {"mine.yaml", *named_files(TOUR)}
        assert {f for f in files if not (ROOT / "config" / f).is_file()} <= own, words
        where = given.profile or given.cores or given.unlock or given.dryrun
        assert where or given.conda_create_envs_only, f"it says not where: {words}"


# --- the tour's other blocks


def the_block(language: str, words: str) -> str:
    (found,) = (
        b.text for b in pages.blocks(language) if b.page == TOUR and words in b.text
    )
    return found


def test_the_tour_makes_items_of_two_classes(tmp_path: Path) -> None:
    folder = tmp_path / "results/demo_world/nli"
    folder.mkdir(parents=True)
    rows = ["premise\thypothesis\tlabel", "A.\tB.\tneutral", "C.\tD.\tentailment"]
    for name in ("train-en", "test-hi", "test-zh"):
        (folder / f"{name}.tsv").write_text("\n".join(rows) + "\n")
    script = the_block("bash", "awk")
    subprocess.run(["bash", "-eu"], input=script, text=True, cwd=tmp_path, check=True)
    _, module = plugin("tasks", pages.read(ROOT / TOUR))
    for name in ("train-en", "test-hi", "test-zh"):
        items = module.TASK.read_file(tmp_path / f"data/follows/{name}.tsv")
        assert [(i["premise"], i["label"]) for i in items] == [("A.", 0), ("C.", 1)]


def test_the_tour_deletes_one_treatment_and_its_index(tmp_path: Path) -> None:
    folder = tmp_path / "results/mine/evaluations/xnli/demo/attention/seed42/hi"
    folder.mkdir(parents=True)
    kept = ["none.parquet", "lape.three.mean.parquet"]
    for name in [*kept, "lape.three.zero.parquet", "part-1-of-1.json"]:
        (folder / name).touch()
    program = tmp_path / "bin/snakemake"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nls "$(dirname "$3")"; echo "$PWD"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu"], input=the_block("bash", "rm lape"), text=True, cwd=tmp_path,
        check=True, capture_output=True, env=os.environ | {"PATH": path},
    )  # fmt: skip
    assert done.stdout.split()[-3:] == [*sorted(kept), str(tmp_path)]


def test_neurons_are_off_in_the_notebook_of_the_tour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tiny_models
    from langneurons.neurons.neuron_sets import NeuronSets
    from test_library import build, byte_tokenizer

    monkeypatch.chdir(tmp_path)
    build("causal").save_pretrained("results/models/demo/pinned")
    byte_tokenizer().save_pretrained("results/models/demo/pinned")
    shape = tiny_models.LAYERS, tiny_models.WIDTH
    neurons = {"hi": {0: [1, 2], 1: [3]}, "en": {}}
    path = Path("results/neurons/demo/lape.world.json")
    path.parent.mkdir(parents=True)
    NeuronSets("lape", "world", "lape", "demo", "", *shape, "act_post", neurons).write(
        path
    )
    text = Path("results/demo_world/corpus/hi.txt")
    text.parent.mkdir(parents=True)
    text.write_text("अब स।\nदूसरी।\n", encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(the_block("python", "ln.applied"), TOUR, "exec"), names)
    before, off = re.findall(r"\d\.\d{3}", capsys.readouterr().out)
    assert before != off and f"{names['nats']():.3f}" == before


# --- words


def test_the_reports_terms_are_those_of_the_page() -> None:
    page = pages.read(ROOT / references.TERMS)
    everything = glossary.terms(studies.running({}))
    assert len(everything) == len(list(terms.terms())) > 30
    for term, meaning in everything:
        assert f"| **{term}** | {meaning} |" in page
    assert {t.term for t in terms.terms() if t.kinds} >= {"LSS, LSS+", "HSIC"}


def test_the_readme_names_the_families() -> None:
    text = pages.read(ROOT / "README.md")
    (said,) = re.findall(r"^\*\*Models\*\*: (.*?)\n\n", text, re.DOTALL | re.MULTILINE)
    assert set(families.FAMILIES) == set(re.findall(r"`(\w+)`", said))


def test_pictures_are_there_and_small() -> None:
    shown = set()
    for path in pages.DOCUMENTS:
        for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", pages.read(path)):
            shown.add((path.parent / link).resolve())
    pictures = {*(ROOT / "docs/pictures").glob("*.png")}
    assert shown == pictures and len(pictures) > 2
    assert all(picture.stat().st_size < 150_000 for picture in pictures)


@pytest.mark.usefixtures("folders")
def test_pictures_are_made_of_figures_that_runs_make(tmp_path: Path) -> None:
    from PIL import Image

    spec = importlib.util.spec_from_file_location(
        "take", ROOT / "docs/pictures/take.py"
    )
    assert spec and spec.loader
    take = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(take)
    results = "docs/results.md"
    written_there = [written(b) for b in pages.blocks("yaml") if b.page == results]
    (smollm2,) = (block for block in written_there if "study" in block)
    for study, page, above in (
        ("demo", TOUR, {}),
        ("small", results, {}),
        ("smollm2", results, smollm2),
    ):
        planned = made(on_top(page, above))
        for name, figure in take.FIGURES[study].items():
            drawn = Path(f"results/{study}/figures/{figure}").with_suffix(".svg")
            assert str(drawn) in planned
            assert (ROOT / f"docs/pictures/{name}.png").is_file()
    Image.new("RGB", (2000, 100), "red").save(tmp_path / "large.png")
    take.shrink(tmp_path / "large.png", tmp_path / "small.png")
    assert Image.open(tmp_path / "small.png").size == (take.WIDTH, 50)
