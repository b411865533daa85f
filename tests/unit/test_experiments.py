"""Experiments: what runs, whose rows they make, and how mistakes in them are told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import dry_runs
from configurations import ROOT, experiment, merge, paper, tiny
from langneurons import tables
from langneurons.config.errors import ConfigError
from langneurons.config.experiment_entries import Named
from langneurons.config.fields import Frozen
from langneurons.grid import experiments, rows
from langneurons.study.configuration import load


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan in an empty folder: nothing is done yet."""
    monkeypatch.chdir(tmp_path)


def refused(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(raw)
    return str(caught.value)


def counts(raw: dict[str, Any]) -> Counter[str]:
    return dry_runs.counts(dry_runs.jobs(raw))


MINE = """
run: [mine]
experiments:
  mine:
    kind: interventions
    models: [nemo]
    tasks: [xquad]
    languages: [hi]
    tunings: [base]
    selections: [lape.set6]
    statistics: [zero]
"""


def mine(changes: str = "") -> dict[str, Any]:
    """Return the paper's configuration with an experiment, and changes of that."""
    both = merge(yaml.safe_load(MINE), yaml.safe_load(changes) or {})
    return merge(paper(), both)


def test_an_overlay_that_runs_one_experiment_runs_nothing_else() -> None:
    config = load(mine())
    made = [
        (r.model, r.lang, str(r.treatment)) for r in rows.task_rows(config, "xquad")
    ]
    assert made == [("nemo", "hi", "none"), ("nemo", "hi", "lape.set6.zero")]
    assert list(rows.tables(config)) == ["xquad"] and rows.models(config) == ["nemo"]
    found = counts(mine())
    assert found["identify_neurons"] == found["evaluate_task"] == 1
    assert found["merge_activations"] == 10  # the languages of Set6
    assert not {"tune_model", "measure_perplexity", "hold_out_text"} & set(found)
    assert not any("xnli" in table for table in tables.wanted(config))


def test_what_is_not_run_is_read_and_costs_nothing() -> None:
    usual = tiny()
    idle = {"kind": "perplexity", "models": ["llama31"], "languages": ["en", "fr"],
            "selections": ["lape.set1", "nothing.of_that_name"]}  # fmt: skip
    with_idle = merge(usual, experiment("idle", **idle))
    assert rows.tables(load(with_idle)) == rows.tables(load(usual))
    assert counts(with_idle) == counts(usual)
    said = refused(merge(usual, experiment("idle", **idle, chunk=3)))
    assert "experiments.idle.chunk: unknown key - did you mean 'chunks'?" in said


# What each kind needs, on top of the smallest configuration.
STEERING = {
    "languages": "world",
    "corpus": "sentences",
    "layers": [0],
    "strengths": [1],
}
NEEDED: dict[str, dict[str, Any]] = {
    "interventions": {"tasks": ["xnli"], "by_task": {"xnli": {"statistics": ["zero"]}}},
    "finetuning": {"tasks": ["xnli"], "selections": ["lape.world"]},
    "perplexity": {"languages": ["vi"], "selections": ["lape.world"], "chunks": 8},
    "neurons": {"selections": ["lape.world"]},
    "amplification": {
        "tasks": ["xquad"],
        "by_task": {"xquad": {"statistics": ["zero"]}},
        "selections": ["lape.world"],
        "statistics": ["mean"],
        "prompt": "In {code}:",
        "steering": STEERING,
        "perplexity": {"languages": ["vi"], "chunks": 8},
    },
    "alignment": {"languages": ["vi"], "corpus": "sentences"},
    "bridges": {
        "tasks": ["bli"],
        "pairs": ["hi-vi"],
        "candidates": ["en"],
        "selection": "lape.world",
        "similarities": ["overlap"],
        "probes": {"dictionary": "demo"},
    },
}


def other(kind: str, **axes: Any) -> dict[str, Any]:
    """Return the smallest configuration with one experiment, called ``other``."""
    entry = {"kind": kind, "models": ["demo"]} | NEEDED[kind] | axes
    names = {"hi": "हिन्दी", "vi": "Tiếng Việt"}
    named = merge(tiny(), {"tasks": {"bli": {"parameters": {"names": names}}}})
    return named | {"run": ["other"], "experiments": {"other": entry}}


def test_each_kind_is_read_by_itself() -> None:
    assert sorted(NEEDED) == experiments.kinds()
    for kind in NEEDED:
        assert load(other(kind)).experiment("other").kind == kind


UNKNOWN = {
    "models": ("model", "dmo", "did you mean 'demo'"),
    "tasks": ("task", "xnly", "did you mean 'xnli'"),
    "statistics": ("statistic", "zeroo", "did you mean 'zero'"),
    "corpora": ("corpus", "dem", "did you mean 'demo'"),
    "selections": ("method", "lap.world", "did you mean 'lape'"),
    "chosen": ("language set", "lape.wrld", "did you mean 'world'"),
    "controls": ("method", "random_lap.world", "did you mean 'random_lape'"),
    "tunings": ("tuning", "atention", "did you mean 'attention'"),
    "neuron tunings": ("tuning", "maskd", "did you mean 'masked'"),
    "language_sets": ("language set", "wrld", "did you mean 'world'"),
    "dictionaries": ("dictionary", "mse", "did you mean 'muse'"),
    "similarities": ("similarity", "overlp", "did you mean 'overlap'"),
}
ALONE = {("bridges", "selection"), ("bridges", "probes", "dictionary")}
"""Places of one name, not of a list."""
BESIDE = {
    "switched_off": {
        "tasks": ["xnli"],
        "languages": ["vi"],
        "selections": ["lape.world"],
        "statistics": ["zero"],
    }
}
"""What a block needs whole, if it is there."""


def named(block: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield the lists of names of a kind: path, and what the names are of."""
    for key, field in block.model_fields.items():
        for one in field.metadata:
            if isinstance(one, Named):
                yield (*above, key), one.what
        if key == "by_task":
            yield from named(field.annotation.__args__[1], (*above, key, "xnli"))  # type: ignore[union-attr]
            continue
        for inner in getattr(field.annotation, "__args__", (field.annotation,)):
            if isinstance(inner, type) and issubclass(inner, Frozen):
                yield from named(inner, (*above, key))


LISTS = [
    (kind, path, what)
    for kind in experiments.kinds()
    for path, what in named(experiments.load(kind).PARAMETERS)
]


def test_every_list_of_names_is_known_to_be_one() -> None:
    assert {what for _, _, what in LISTS} == set(UNKNOWN)
    assert len(LISTS) == 2 + 11 + 7 + 5 + 2 + 10 + 5


@pytest.mark.parametrize(("kind", "path", "what"), LISTS)
def test_an_unknown_name_is_told_by_its_place(
    kind: str, path: tuple[str, ...], what: str
) -> None:
    of, name, hint = UNKNOWN[what]
    alone = what in ("corpora", "language_sets") or (kind, *path) in ALONE
    value: Any = name if alone else [name]
    for key in reversed(path[1:]):
        value = {key: value}
    whole = {key: BESIDE[key] for key in path[:1] if key in BESIDE}
    both = merge(NEEDED[kind] | whole, {path[0]: value})
    said = refused(other(kind, **both))
    assert f"- experiments.other.{'.'.join(path)}: unknown {of} " in said
    assert hint in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("run: [mien]", "run: unknown experiment 'mien' - did you mean 'mine'?"),
        ("run: []", "run: at least 1 entry is needed, 0 given"),
        (
            "experiments: {mine: {kind: intervention}}",
            "experiments.mine.kind: unknown experiment kind 'intervention' - did you "
            "mean 'interventions'? Known: alignment, amplification, bridges, finetun",
        ),
        ("experiments: {mine: {chunks: 3}}", "experiments.mine.chunks: unknown key"),
        (
            "experiments: {mine: {by_task: {xquad: {seeds: [1]}}}}",
            "xquad.seeds: unkno",
        ),
        ("experiments: {bare: {models: [nemo]}}", "experiments.bare.kind: this key"),
        (
            "experiments: {bare: {kind: neurons}}",
            "experiments.bare.models: this key",
        ),
        (
            "experiments: {bare: }",
            "experiments.bare: a block of keys and val",
        ),
        (
            "experiments: {mine: {languages: [hi, ur]}}",
            "experiments.mine.languages (xquad): unknown language 'ur'",
        ),
        (
            "experiments: {mine: {by_task: {xqad: {statistics: [zero]}}}}",
            "experiments.mine.by_task: unknown task 'xqad' - did you mean 'xquad'?",
        ),
        (
            "experiments: {mine: {selections: [lape.set1]}}",
            "experiments.mine: no language set of its selections has it (xquad): "
            "unknown language 'hi'",
        ),
        (
            "experiments: {mine: {neuron_languages: [hi, fr]}}",
            "experiments.mine.neuron_languages: unknown language 'fr'",
        ),
        (
            "experiments: {mine: {neuron_languages: [fr], "
            "selections: [lape.set1, lape.set6]}}",
            "experiments.mine.selections: lape.set6 has neurons of en, bn, hi, ta, te, "
            "mr, ur, kn, ml, pa, of which experiments.mine.neuron_languages names none",
        ),
    ],
)
def test_a_mistake_is_told_by_its_place(changes: str, said: str) -> None:
    assert said in refused(mine(changes))


@pytest.mark.parametrize("taken_back", ["by_task: {xquad: }", "by_task: "])
def test_what_differs_for_a_task_can_be_taken_back(taken_back: str) -> None:
    """Files are merged, so that an empty key is the only way to take one out."""
    said = mine("experiments: {mine: {by_task: {xquad: {statistics: [zero]}}}}")
    again = merge(said, yaml.safe_load(f"experiments: {{mine: {{{taken_back}}}}}"))
    assert load(again) == load(mine())


def test_keys_of_all_experiments_are_told_at_once() -> None:
    said = refused(
        mine("experiments: {mine: {a: 1}, transfer: {b: 1}, c: {kind: d, models: [e]}}")
    )
    for place in ("mine.a", "transfer.b", "c.kind"):
        assert f"experiments.{place}: unknown " in said


def rules() -> list[str]:
    """Return the names of all rules that are written in a file."""
    files = [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return re.findall(r"^ *rule (\w+):", text, re.MULTILINE)


@pytest.mark.parametrize("name", [*rules(), "evaluate_task", "measure_perplexity"])
def test_no_experiment_has_the_name_of_a_rule(name: str) -> None:
    said = f"experiments.{name}: a rule has this name"
    entry = {"kind": "neurons", "models": ["nemo"], "selections": ["lape.set1"]}
    assert said in refused(merge(mine(), {"experiments": {name: entry}}))


@pytest.mark.parametrize("name", ["Mine", "a b", "a/b", "-a", "mine.1", ""])
def test_names_are_those_of_all_catalogues(name: str) -> None:
    entry = {"kind": "neurons", "models": ["nemo"], "selections": ["lape.set1"]}
    said = refused(merge(mine(), {"experiments": {name: entry}}))
    assert f"experiments.{name}: names are lower case letters, digits" in said


def test_one_evaluation_is_one_row_of_the_first_that_asks() -> None:
    both = """
    run: [mine, again]
    experiments:
      again:
        kind: interventions
        models: [nemo]
        tasks: [xquad]
        languages: [vi, hi]
        tunings: [base]
        selections: [lape.set1, lape.set6]
        statistics: [p90, zero]
    """
    found = rows.task_rows(load(mine(both)), "xquad")
    assert len(found) == len(set(found)) == 2 + 4
    of = {(row.lang, str(row.treatment)): row.experiment for row in found}
    assert of["hi", "none"] == of["hi", "lape.set6.zero"] == "mine"
    assert of["hi", "lape.set6.p90"] == of["vi", "none"] == "again"
    other_order = mine(both) | {"run": ["again", "mine"]}
    turned = load(other_order)
    assert {row.experiment for row in rows.task_rows(turned, "xquad")} == {"again"}
    assert set(rows.task_rows(turned, "xquad")) == set(found)
    assert counts(other_order) == counts(mine(both))


def whose(changes: str) -> dict[str, set[str]]:
    """Return the treatments of each language that is tested."""
    found: dict[str, set[str]] = {}
    for row in rows.task_rows(load(mine(changes)), "xquad"):
        found.setdefault(row.lang, set()).add(str(row.treatment))
    return found


def test_neurons_of_the_languages_that_are_named() -> None:
    text = "experiments: {mine: {languages: [vi, zh], "
    text += "selections: [lape.set1, ap90.focus], statistics: [zero, p90], "
    text += "neuron_languages: %s}}"

    def of(methods: str) -> set[str]:
        return {f"{method}.{s}" for method in methods.split() for s in ("zero", "p90")}

    found = whose(text % "[hi, vi]")
    # What neurons of the tested language do has the name that `target` gives it.
    assert found["vi"] == {"none"} | of("lape.set1 ap90.focus ap90.focus.hi")
    assert found["zh"] == {"none"} | of("lape.set1.vi ap90.focus.hi ap90.focus.vi")
    everyone = whose(text % "all")["zh"]
    languages = {x.rpartition(".")[0] for x in everyone if x.startswith("lape")}
    others = {f"lape.set1.{lang}" for lang in ("en", "fr", "es", "vi", "id", "ja")}
    assert languages == {"lape.set1"} | others
    assert len(everyone) == 1 + 2 * (7 + 5)
    target = whose(text % "target")
    assert target["zh"] == {"none", "lape.set1.zero", "lape.set1.p90",
                            "ap90.focus.zero", "ap90.focus.p90"}  # fmt: skip


def test_neurons_of_all_languages_share_those_of_the_tested_one() -> None:
    text = "run: [mine, again]\nexperiments: {mine: {languages: [vi, zh], "
    text += "selections: [lape.set1], statistics: [zero, p90], neuron_languages: all}, "
    text += "again: {kind: interventions, models: [nemo], tasks: [xquad], languages: "
    text += "[vi], tunings: [base], selections: [lape.set1], statistics: [zero, p90]}}"
    both, alone = load(mine(text)), load(mine(text) | {"run": ["mine"]})
    found, all_ = (rows.task_rows(config, "xquad") for config in (both, alone))
    assert found == all_ and len(found) == 2 * (1 + 2 * 7)
    # Where a set is not for the tested language, its neurons are those of another.
    sets = "language_sets: {some: {languages: [vi, zh], evaluate: [vi]}}\n"
    some = sets + text.replace("set1", "some")
    assert "lape.some.zh.zero" in whose(some.replace("run: [mine, again]", ""))["zh"]


def test_a_language_without_neurons_is_tested_with_those_of_others() -> None:
    text = "experiments: {mine: {selections: [lape.set1], neuron_languages: %s}}"
    assert whose(text % "[vi]") == {"hi": {"none", "lape.set1.vi.zero"}}
    assert "unknown language 'hi'" in refused(mine(text % "target"))


def test_values_are_those_of_the_neurons_language() -> None:
    text = "experiments: {mine: {selections: [lape.set1], neuron_languages: [vi, fr], "
    jobs = dry_runs.jobs(mine(text + "statistics: [p90]}}"))
    merged = {job.outputs[0] for job in jobs if job.rule == "merge_activations"}
    assert {Path(path).stem for path in merged} == {
        "en", "fr", "es", "vi", "id", "ja", "zh",
    }  # fmt: skip
    own = "statistics: {own: {value: mean, neuron_language: hi}}\n"
    said = "statistics.own.neuron_language: neuron_languages says whose neurons"
    assert said in refused(mine(own + text + "statistics: [own]}}"))


def test_statistics_of_one_task() -> None:
    changes = """
    experiments:
      mine:
        tasks: [xquad, xnli]
        tunings: [attention]
        selections: [lape.set6, random_lape.set6]
        control_statistics: [p90]
        by_task: {xquad: {statistics: [mean, p10], control_statistics: []}}
    """
    config = load(mine(changes))
    found = {
        task: {
            str(r.treatment).rpartition(".")[2] for r in rows.task_rows(config, task)
        }
        for task in ("xquad", "xnli")
    }
    assert found == {"xquad": {"none", "mean", "p10"}, "xnli": {"none", "zero", "p90"}}
    drawn = {str(r.treatment) for r in rows.task_rows(config, "xquad")}
    assert not any(treatment.startswith("random") for treatment in drawn)
    # A file on top cannot take it out; a task that is not tested reads nothing of it.
    fewer = load(merge(mine(changes), experiment("mine", tasks=["xnli"])))
    assert rows.task_rows(fewer, "xnli") == rows.task_rows(config, "xnli")


def test_two_experiments_cannot_measure_one_text_differently() -> None:
    more = "run: [perplexity, short]\nexperiments: {short: {kind: perplexity, "
    more += "models: [%s], languages: [vi], selections: [lape.set1], chunks: %d}}"
    said = "experiments.short.chunks: 100, but another experiment of run measures nemo "
    assert f"{said}on 200 chunks of wikipedia" in refused(mine(more % ("nemo", 100)))
    config = load(mine(more % ("nemo", 200)))
    assert {row.experiment for row in rows.text_rows(config)} == {"perplexity"}
    shorter = {"models": {"big": paper()["models"]["nemo"] | {"published_as": None}}}
    config = load(merge(mine(more % ("big", 100)), shorter))
    assert {(r.model, r.chunks) for r in rows.text_rows(config)} == {
        ("llama31", 200), ("nemo", 200), ("big", 100),
    }  # fmt: skip


def test_the_perplexity_table_is_of_one_text_in_each_language() -> None:
    more = "run: [perplexity, short]\nexperiments: {short: {kind: perplexity, "
    more += "models: [nemo], languages: [%s], selections: [lape.set1], corpus: other}}"
    other = {"corpora": {"other": paper()["corpora"]["wikipedia"]}}
    said = refused(merge(mine(more % "vi, en"), other))
    assert "experiments.short.corpus: other, but another experiment of run" in said
    assert "measures nemo on wikipedia" in said and said.count("\n") == 1
    load(merge(mine(more % "vi"), other | experiment("perplexity", languages=["en"])))


def test_perplexity_of_some_languages_with_neurons_of_others() -> None:
    axes = {"languages": ["vi", "th"], "neuron_languages": ["fr", "hi"],
            "selections": ["lape.set1", "lape.set6"]}  # fmt: skip
    config = load(merge(paper(run=["perplexity"]), experiment("perplexity", **axes)))
    found = {(row.lang, str(row.treatment)) for row in rows.text_rows(config)}
    treatments = ("none", "lape.set1.fr.zero", "lape.set6.hi.zero")
    assert found == {(lang, t) for lang in ("vi", "th") for t in treatments}


@pytest.mark.parametrize("first", ["transfer", "finetuning", "perplexity"])
def test_controls_of_two_experiments_that_a_table_cannot_tell_apart(first: str) -> None:
    raw = paper(methods={"rival": paper()["methods"]["random_lape"]})
    again = dict(raw["experiments"][first])
    key = "controls" if first == "finetuning" else "selections"
    again |= {key: ["rival.set1"], "languages": ["vi"]}
    raw |= {"run": [first, "again"]}
    said = refused(merge(raw, {"experiments": {"again": again}}))
    assert "experiments.again: its rival, and random_lape of experiments." in said
    assert f"{first}, are both controls of lape in set1; tables name" in said
    again[key] = ["random_lape.set1"]
    load(merge(raw, {"experiments": {"again": again}}))


DUMMY = '''"""The first draw of each control, with nothing else: a kind for a test."""

from pydantic import ConfigDict, Field

from langneurons.config.experiment_entries import Controls, Experiment, Tasks
from langneurons.config.names import BASE, BASE_SEED, Overwritten, TuningName
from langneurons.grid.axes import Block, Row, expand_draws

from . import Kind


class FirstDraws(Experiment):
    """Axes."""

    model_config = ConfigDict(extra="forbid")

    tasks: Tasks = Field(description="tasks to evaluate on")
    controls: Controls = Field(description="random selections")
    layer: int = Field(0, description="a key of its own")


class Product(Kind[FirstDraws]):
    """Models x languages x controls, by task."""

    PARAMETERS = FirstDraws
    TABLES = ("{task}",)

    def selections(self, axes):
        return axes.controls

    def rows(self, config, name, axes):
        for task in axes.tasks:
            for model in axes.models:
                for lang in config.task(task).languages:
                    for text in axes.controls:
                        first = expand_draws(config, text)[0]
                        treatment = Overwritten(first, "zero")
                        row = Row(
                            model, TuningName(BASE), BASE_SEED, lang, treatment, name
                        )
                        yield task, Block(row, (treatment,))


KIND = Product()
'''
SCRIPT = """
import json, sys
from collections import Counter
from pathlib import Path
from langneurons.grid import rows
from langneurons.study import references
from langneurons.study.configuration import load
from langneurons.jobs import planned

raw = json.loads(sys.stdin.read())
config = load(raw)
print(json.dumps({
    "rows": [
        {name: str(value) for name, value in vars(row).items()}
        for row in rows.task_rows(config, "xquad")
    ],
    "counts": Counter(job.rule for job in planned.dry_run(Path("Snakefile"), raw)),
    "page": references.files()[references.PAGE],
}))
"""


def run(folder: Path, raw: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(raw), text=True,
        capture_output=True, cwd=folder,
        env=os.environ | {"PYTHONPATH": "workflow/scripts"},
    )  # fmt: skip


def test_a_kind_of_experiment_is_one_file_and_one_entry(tmp_path: Path) -> None:
    shutil.copy2(ROOT / "Snakefile", tmp_path)
    for part in ("workflow", "config", "docs"):
        shutil.copytree(ROOT / part, tmp_path / part)
    room = tmp_path / "workflow/scripts/langneurons/grid/experiments"
    (room / "first_draws.py").write_text(DUMMY, encoding="utf-8")
    entry = {"kind": "first_draws", "models": ["demo"], "tasks": ["xquad"],
             "controls": ["random_lape.world"], "layer": 1}  # fmt: skip
    raw = tiny() | {
        "run": ["drawn"],
        "tables": ["xquad"],
        "experiments": {"drawn": entry},
    }
    done = run(tmp_path, raw)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    row = {"model": "demo", "tuning": "base", "seed": "0", "lang": "vi"}
    treatment = "random_lape-1.world.zero"
    assert found["rows"] == [row | {"treatment": treatment, "experiment": "drawn"}]
    assert found["counts"]["identify_neurons"] == 2  # lape, and its first draw
    assert found["counts"]["evaluate_task"] == found["counts"]["build_table"] == 1
    assert "### experiments of kind first_draws\n\nThe first draw" in found["page"]
    assert "| `layer` | `0` | whole number | a key of its own |" in found["page"]
    entry["layers"] = entry.pop("layer")
    told = run(tmp_path, raw).stderr
    assert "experiments.drawn.layers: unknown key - did you mean 'layer'?" in told
