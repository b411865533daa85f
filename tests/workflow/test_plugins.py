"""A task, a method, a similarity, a model family, a table: one file or row, one entry.

They are written into a copy of the project and taken through everything: plan, tuning,
evaluation, table, figures, cost plan and report. Nothing else of the copy is touched.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import tiny_models
from langneurons.demo import world
from langneurons.jobs import files
from langneurons.neurons.neuron_sets import NeuronSets
from snakemake_runs import copy_project, planned, snakemake

LIBRARY = Path("workflow/scripts/langneurons")
TASK = '''"""Mood: is a sentence sad or glad? One text, two classes."""

from .common.classifier import Classifier, Parameters


class Mood(Classifier[Parameters]):
    """One text, two classes; a file has the columns sentence and label."""

    PARAMETERS = Parameters
    TITLE = "Mood"
    COLUMNS = ("sentence",)
    LABELS = ("sad", "glad")


TASK = Mood()
'''
METHOD = '''"""The neurons of another selection that are in the first layers."""

from pydantic import Field

from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Selected


class Parameters(Frozen):
    """Parameters of ``early``."""

    layers: int = Field(1, ge=1, description="so many layers count as early")


class Early(Method[Parameters]):
    """Neurons of the first layers."""

    PARAMETERS = Parameters
    READS = (1, 1)

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        masks = {lang: inputs.reads[0].mask(lang) for lang in inputs.languages}
        for mask in masks.values():
            mask[parameters.layers :] = False
        return Selected(masks)


METHOD = Early()
'''
TABLE = '''"""How many items are right without an intervention, language by language."""

from langneurons import tasks
from langneurons.config.names import UNTREATED
from langneurons.grid.rows import task_rows
from langneurons.grid.rows import tasks as tasks_of

from . import Table
from .common import planned
from .common.columns import Column, frame
from .common.document import Bullets, Cell, Document, Heading, Paragraph, grid
from .common.inputs import Reads, read_evaluations


class Rights(Table):
    """Right answers of a model as it was tuned."""

    NAME = "rights_{task}"
    SHOWS = "right answers without an intervention"
    COLUMNS = (
        Column("model", "name in the configuration", key=True),
        Column("lang", "language of the items", key=True),
        Column("right", "items", "count"),
        Column("share", "of all items", "number", form=".3f"),
    )
    MEMORY = 1234

    def names(self, config):
        return [f"rights_{task}" for task in tasks_of(config)]

    def reads(self, config, name):
        task = name.removeprefix("rights_")
        rows = [r for r in task_rows(config, task) if r.treatment == UNTREATED]
        return Reads(evaluations=[(task, row) for row in rows])

    def spec(self, config, name):
        read = self.reads(config, name).evaluations
        axes = [planned.axes_of(row) for _, row in read]
        task = name.removeprefix("rights_")
        rows = [{"task": task, "treatment": str(UNTREATED)} | row for row in axes]
        return {"task": task, "kind": config.task(task).kind, "rows": rows}

    def build(self, spec, read):
        metrics = tasks.load(spec["kind"]).METRICS
        rows = spec["rows"]
        found = read_evaluations(read, rows, {spec["task"]: metrics})
        scores = [one.scores["accuracy"] for one in found]
        return frame(
            [
                row | {"right": int(s.sum()), "share": s.mean()}
                for row, s in zip(rows, scores, strict=True)
            ],
            self.COLUMNS,
        )

    def layout(self, table, spec):
        lines = [
            [r["model"], r["lang"], Cell(str(r["right"]), "own", f"{r['share']:.3f}")]
            for r in table.to_dict("records")
        ]
        parts = (
            Heading("All languages"),
            Paragraph("Of *all* items."),
            grid(["model", "lang", "right"], lines, 2),
            Bullets.of("- Nothing was `overwritten`."),
        )
        return Document(f"{spec['task']}: right answers", parts)


TABLE = Rights()
'''
SIMILARITY = '''"""The candidate that comes last by the alphabet, times a parameter."""

from pydantic import Field

from langneurons.config.fields import Frozen

from . import Similar, Similarity, SimilarityInputs


class Parameters(Frozen):
    """Parameters of ``alphabetic``."""

    times: float = Field(1.0, description="what places are multiplied by")


class Alphabetic(Similarity[Parameters]):
    """Place in the alphabet."""

    PARAMETERS = Parameters

    def compare(self, inputs: SimilarityInputs, parameters: Parameters) -> Similar:
        places = sorted(inputs.candidates)
        return Similar(
            {k: parameters.times * (1 + places.index(k)) for k in inputs.candidates}
        )


SIMILARITY = Alphabetic()
'''
ROW = '    "helium": Family("helium"),\n'
ENTRIES = """
run: [moods]
tables: [mood, rights_mood]
experiments:
  moods:
    kind: interventions
    models: [mine]
    tasks: [mood]
    selections: [early.world, random_early.world]
    statistics: [mean, zero]
    control_statistics: [zero]
  ways:
    kind: bridges
    models: [mine]
    tasks: [bli]
    pairs: [vi-hi]
    candidates: [en]
    selection: lape.world
    similarities: [alphabetic]
    probes: {dictionary: demo, keep: all}
similarities:
  alphabetic: {kind: alphabetic, parameters: {times: 2}}
models:
  mine: {family: helium, folder: mine, parameters: 1.0e+5, quantization: none}
methods:
  early: {kind: early, reads: [lape], parameters: {layers: 1}}
  random_early: {kind: matched_random, reads: [early], draws: 2}
tasks:
  mood:
    kind: mood
    data: {train: "mood/train.{lang}.tsv", test: "mood/test.{lang}.tsv"}
    source_language: en
    languages: [vi, hi]
    train_fraction: 1.0
    training: {epochs: 1, rank: 2, alpha: 4, learning_rate: 1.0e-3}
"""


def add_one_of_each(project: Path) -> None:
    """Write the files, the row and the entries, and the user's own data."""
    snakemake(project, "--cores", "1", "results/demo_world/world.json")
    (project / LIBRARY / "tasks/mood.py").write_text(TASK, encoding="utf-8")
    (project / LIBRARY / "methods/early.py").write_text(METHOD, encoding="utf-8")
    (project / LIBRARY / "tables/rights.py").write_text(TABLE, encoding="utf-8")
    path = project / LIBRARY / "similarities/alphabetic.py"
    path.write_text(SIMILARITY, encoding="utf-8")
    table = project / LIBRARY / "nn/models/families.py"
    text, start = table.read_text(encoding="utf-8"), "FAMILIES: dict[str, Family] = {\n"
    assert text.count(start) == 1
    table.write_text(text.replace(start, start + ROW), encoding="utf-8")
    tiny = yaml.safe_load((project / "tiny.yaml").read_text(encoding="utf-8"))
    for block, content in yaml.safe_load(ENTRIES).items():
        both = tiny.get(block, {}) | content if isinstance(content, dict) else content
        tiny[block] = both
    (project / "tiny.yaml").write_text(yaml.safe_dump(tiny, sort_keys=False))
    model(project / "mine", project / "results/demo_world/tokenizer.json")
    (project / "mood").mkdir()
    for lang, split in (("en", "train"), ("vi", "test"), ("hi", "test")):
        words = (project / f"results/demo_world/corpus/{lang}.txt").read_text().split()
        lines = ["sentence\tlabel"]
        for i in range(24):
            sentence = " ".join(words[5 * i : 5 * i + 5])
            lines.append(f"{sentence}\t{('sad', 'glad')[i % 2]}")
        path = project / f"mood/{split}.{lang}.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def model(folder: Path, tokenizer: Path) -> None:
    """Save a tiny Helium model with random weights."""
    import transformers

    settings = transformers.HeliumConfig(
        vocab_size=2000, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, head_dim=8,
        max_position_embeddings=512, initializer_range=0.3, pad_token_id=0,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(settings).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer),
        bos_token=world.BOS,
        eos_token=world.EOS,
        pad_token=world.PAD,
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one of each, after everything was made."""
    folder = copy_project(tmp_path_factory.mktemp("plugins"))
    add_one_of_each(folder)
    jobs = planned(folder)
    assert jobs["tune_model"] == 1 and jobs["evaluate_task"] == 2, jobs
    # LAPE is named by no table, but `early` reads it; two random draws.
    assert jobs["identify_neurons"] == 4 and jobs["fetch_model"] == 1
    snakemake(folder, "--cores", "2")
    snakemake(folder, "--cores", "1", "plan_costs")
    return folder


def test_nobody_else_knows_their_names() -> None:
    """What the test adds is not there yet, so that it shows what it claims."""
    for path in (tiny_models.__file__, *Path(LIBRARY).rglob("*.py")):
        assert not re.search(
            "mood|helium|rights_|alphabetic", Path(path).read_text(), re.IGNORECASE
        ), path


def test_the_method_takes_its_part_of_what_it_reads(project: Path) -> None:
    folder = project / "results/neurons/mine"
    early, lape = (
        NeuronSets.read(folder / f"{name}.world.json") for name in ("early", "lape")
    )
    for lang in ("en", "vi", "hi"):
        assert (early.mask(lang)[0] == lape.mask(lang)[0]).all()
        assert not early.mask(lang)[1:].any()
    assert sum(early.counts.values()) > 0


def test_the_task_is_tuned_evaluated_and_tabled(project: Path) -> None:
    folder = project / "results/evaluations/mood/mine/attention/seed42/vi"
    treated = {p.stem for p in folder.glob("*.parquet")} - {"none"}
    assert {name.rpartition(".")[2] for name in treated} == {"mean", "zero"}
    items = pd.read_parquet(folder / "none.parquet")
    assert len(items) == 24 and set(items["gold"]) == {0, 1}
    assert items["accuracy"].equals(items["gold"] == items["prediction"])
    listed = files.read_json(folder / "part-1-of-1.json")["treatments"]
    mean = pytest.approx(items["accuracy"].mean())
    assert listed["none"]["metrics"] == {"accuracy": mean}
    table = pd.read_csv(project / "results/tables/mood.tsv", sep="\t")
    # none, two statistics of one method, one of two random draws; and their means
    assert len(table) == 3 * 5 and set(table["lang"]) == {"vi", "hi", "vi+hi"}
    row = table[(table["lang"] == "vi") & (table["statistic"] == "none")].iloc[0]
    assert np.isclose(row["value"], items["accuracy"].mean(), atol=1e-6)
    text = (project / "results/tables/mood.md").read_text(encoding="utf-8")
    assert text.startswith("# mood: accuracy") or text.startswith("# Mood")


def test_the_table_is_built_laid_out_and_on_the_page(project: Path) -> None:
    folder = project / "results/tables"
    table = pd.read_csv(folder / "rights_mood.tsv", sep="\t")
    assert table.columns.tolist() == ["model", "lang", "right", "share"]
    assert np.allclose(table["right"] / 24, table["share"], atol=1e-6)
    first = table.iloc[0]
    text = (folder / "rights_mood.md").read_text(encoding="utf-8")
    head = "# mood: right answers\n\n## All languages\n\nOf *all* items.\n\n| model |"
    assert text.startswith(head) and text.endswith("\n- Nothing was `overwritten`.\n")
    assert f"| vi   | **{first['right']}**" in text
    page = (project / "results/report.html").read_text(encoding="utf-8")
    assert (
        "mood: right answers</h3>\n<h4>All languages</h4>\n<p>Of <em>all</em>" in page
    )
    cell = f'<td class="own num" title="{first["share"]:.3f}">{first["right"]}</td>'
    assert cell in page and "Nothing was <code>overwritten</code>." in page
    assert f">{first['share']:.3f}</td>" in page, "every row, as its columns say"


def test_an_edit_of_the_table_reruns_it_and_the_page(project: Path) -> None:
    path = project / LIBRARY / "tables/rights.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Of *all* items.", "Of all items."))
    try:
        jobs = planned(project)
    finally:
        path.write_text(text)
    assert jobs == {
        "build_table": 1,
        "build_report": 1,
        "build_cost_table": 1,
        "all": 1,
    }


def test_the_similarity_chooses(project: Path) -> None:
    """It reads nothing, so that its file is one job; an edit of it reruns that one."""
    target = "results/similarities/mine/alphabetic/vi-hi.json"
    asked = (target, "--config", "run=[ways]", "tables=[bridges]")
    assert planned(project, *asked) == {"compare_languages": 1}
    snakemake(project, "--cores", "1", *asked)
    found = files.read_json(project / target)
    assert (found["scores"], found["chosen"]) == ({"en": 2.0}, "en")
    path = project / LIBRARY / "similarities/alphabetic.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("1 + places", "2 + places"))
    try:
        assert planned(project, *asked) == {"compare_languages": 1}
    finally:
        path.write_text(text)


def test_figures_costs_and_report_show_it(project: Path) -> None:
    figures = project / "results/figures"
    for kind in ("forest", "size"):
        assert (figures / f"mood/{kind}.accuracy.svg").stat().st_size > 1000
    assert (figures / "mine/early.world/counts.svg").is_file()
    page = (project / "results/report.html").read_text(encoding="utf-8")
    assert "mood" in page and "random for early" in page
    plan = snakemake(project, "--cores", "1", "plan_costs", "--forcerun", "plan_costs")
    assert "evaluate_task" in plan


def test_an_edit_of_the_method_reruns_what_follows_from_it(project: Path) -> None:
    path = project / LIBRARY / "methods/early.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[parameters.layers :]", "[: parameters.layers]"))
    try:
        jobs = planned(project)
    finally:
        path.write_text(text)
    assert jobs["identify_neurons"] == 3 and "tune_model" not in jobs
