"""Languages switched off one after another: names, rows, values and mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import activation_files
import dry_runs
from amplified import mine, refused
from configurations import merge
from langneurons.config.errors import ConfigError
from langneurons.config.names import Overwritten, Selection, Treatment
from langneurons.grid import rows, subjects
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.nn.evaluation import overwriting, treatments
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.tables.common import open_rows, planned, steering_rows

OFF: dict[str, Any] = {
    "tasks": ["open"], "languages": ["en", "hi"],
    "selections": ["lape.world", "random_lape.world"], "statistics": ["zero"],
}  # fmt: skip
OPEN = """
tasks:
  open:
    kind: forcing
    data: {hub: {repo: a/b, revision: "0000000000000000000000000000000000000000"}}
    languages: [en, vi]
    parameters: {languages: [en, vi, hi]}
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan in an empty folder: nothing is done yet."""
    monkeypatch.chdir(tmp_path)


def study(off: Any = OFF, **axes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"tasks": ["open"], "languages": None}
    return mine(OPEN, **usual | {"switched_off": off} | axes)


@given(st.lists(st.sampled_from(["en", "hi", "zh_Hant", "vi"]), min_size=1, max_size=4))
def test_names_of_several_languages(languages: list[str]) -> None:
    name = f"lape.world.{'+'.join(languages)}.zero"
    if len(set(languages)) < len(languages):
        with pytest.raises(ConfigError, match="is neither none nor of the form"):
            Treatment.parse(name)
        return
    found = Treatment.parse(name)
    joined = "+".join(languages)
    assert found == Overwritten(Selection("lape", "world"), "zero", joined)
    assert str(found) == name and found.languages == tuple(languages)  # type: ignore[attr-defined]
    assert Treatment.parse("lape.world.zero").languages == ()  # type: ignore[attr-defined]


def test_steps_are_rows_of_the_open_task_alone() -> None:
    config = load(study(tasks=["xquad", "open"]))
    before = load(study(None, tasks=["xquad", "open"]))
    for task, langs in (("xquad", ["vi"]), ("open", ["en", "vi"])):
        own = {(x.lang, str(x.treatment)) for x in rows.task_rows(config, task)}
        old = {(x.lang, str(x.treatment)) for x in rows.task_rows(before, task)}
        steps = {
            (lang, f"{method}.world.{off}.zero")
            for method in ("lape", "random_lape-1")  # of one draw here
            for off in ("en", "en+hi")
            for lang in langs
        }
        assert own - old == (steps if task == "open" else set())
    assert {"open_text", "fallback"} <= set(targets.reading_order(config))
    assert "fallback" not in targets.reading_order(before)
    alone = load(study(selections=[], statistics=[], prompt=None, steering=None,
                       perplexity=None))  # fmt: skip
    assert targets.reading_order(alone)[0] == "fallback"


def test_steps_are_no_way_to_amplify() -> None:
    found = open_rows.open_text(load(study()))
    steered = {str(row.treatment) for _, row in found.steered}
    assert "lape.world.hi.p_max" in steered and "prompt.hi" in steered
    assert not any(x.endswith(".zero") for x in steered)
    assert all(
        steering_rows.target(row.treatment) not in (row.lang, "")
        for _, row in found.steered
    )
    # What is also a factor is both.
    both = open_rows.open_text(load(study(statistics=["p_max", "zero"])))
    assert "lape.world.hi.zero" in {str(row.treatment) for _, row in both.steered}
    for twice in (both.steered, both.off):
        assert len(twice) == len(
            {(x, row.lang, str(row.treatment)) for x, row in twice}
        )
    off = {str(row.treatment) for _, row in both.off}
    assert {"none", "lape.world.en.zero", "lape.world.en+hi.zero"} <= off
    # The table of amplification, whose changes are harm, has no open answers.
    shifting = merge(study(tasks=["open", "facts"]), {"tasks": {"facts": FACTS}})
    config = load(shifting)
    asked = steering_rows.steering(config)
    assert asked.shifts and asked.texts and not asked.choices
    drawn = {name for _, _, name in steering_rows.overwrites(config).choices}
    assert "lape.world.p_max" in drawn and "lape.world.zero" not in drawn


FACTS = {
    "kind": "mlama", "languages": ["en", "vi"],
    "data": {"hub": {"repo": "a/b", "revision": "0" * 40, "config": "{lang}"}},
    "parameters": {"languages": ["en", "vi", "hi"]},
}  # fmt: skip


def test_what_steps_say_and_read() -> None:
    config = load(study(OFF | {"statistics": ["zero", "p_max"]}))
    subject = subjects.of_row("open", rows.task_rows(config, "open")[0])
    spec = json.loads(Specs(config).treated(subject, subjects.treated(config)[subject]))
    both = spec["treatments"]["lape.world.en+hi.p_max"]
    assert both["neuron_language"] == both["value_language"] == "en+hi"

    def read(name: str) -> list[str]:
        given = [Treatment.parse(name)]
        return subjects.read_files(config, subject, given)["activations"]

    assert read("lape.world.en+hi.zero") == []
    one, other = read("lape.world.en.p_max"), read("lape.world.hi.p_max")
    assert read("lape.world.en+hi.p_max") == [*one, *other]
    treatment = Treatment.parse("lape.world.en+hi.zero")
    assert planned.towards(config, treatment, "vi", "en") == "en+hi"
    assert dry_runs.counts(dry_runs.jobs(study()))["evaluate_task"] == 2


@pytest.mark.parametrize(
    ("off", "said"),
    [
        ({"tasks": ["xquad"]}, "switched_off.tasks: unknown task 'xquad'. Known: open"),
        ({"languages": ["en", "fr"]}, "parameters.languages): unknown language 'fr'"),
        ({"languages": ["en", "fr"]}, "(neurons of lape.world): unknown language 'fr'"),
        ({"languages": ["en", "en"]}, "'en' stands twice"),
        ({"languages": []}, "switched_off.languages"),
        ({"selections": ["lpe.world"]}, "switched_off.selections: unknown method"),
        ({"statistics": ["zer"]}, "switched_off.statistics: unknown statistic 'zer'"),
        ({"step": 1}, "switched_off.step: unknown key"),
    ],
)
def test_mistakes(off: dict[str, Any], said: str) -> None:
    assert said in refused(study(OFF | off))


def test_tasks_without_open_answers() -> None:
    raw = study(OFF | {"tasks": ["xquad"]}, tasks=["xquad"], languages=["vi"])
    assert "xquad (kind xquad) has no open answers whose language is" in refused(raw)
    raw = merge(study(), {"tasks": {"open": {"languages": ["en", "ja"]}}})
    assert "tasks.open: parameters.languages: unknown language 'ja'" in refused(raw)
    raw = merge(study(), {"tasks": {"open_text": study()["tasks"]["open"]}})
    assert "tasks.open_text: another table has this name" in refused(raw)


MANIFEST = {"model": "tiny", "layers": 2, "intermediate_size": 6}


def test_a_neuron_gets_the_value_of_the_first_that_has_it(tmp_path: Path) -> None:
    path = tmp_path / "lape.set1.json"
    own = {"en": {0: [1, 5]}, "hi": {0: [0, 5], 1: [2]}, "vi": {1: [3]}}
    NeuronSets(
        "lape", "set1", "lape", "tiny", "abc", 2, 6, "act_post", own
    ).write(path)  # fmt: skip
    measured = {}
    for seed, lang in enumerate(("en", "hi")):
        file = tmp_path / "wiki" / "tiny" / f"{lang}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        made = activation_files.heavy_tailed(seed, 50, 2, 6)
        found = activation_files.build(file, made, language=lang)
        measured[lang] = file, found.value("max", "act_post", "pooled")
    entry = {"measure": "act_post", "write": "act_post", "quantile": "pooled"}

    def settings(languages: str) -> dict[str, str]:
        of = dict.fromkeys(("neuron_language", "value_language"), languages)
        return of | {"corpus": "wiki"}

    names = [
        f"lape.set1.{x}" for x in ("en+hi.max", "hi+en.max", "en+hi.zero", "en.max")
    ]
    spec = {
        "shared": {},
        "statistics": {x: {"value": x} | entry for x in ("max", "zero")},
        "treatments": {name: settings(name.split(".")[2]) for name in names},
    }
    read = {"neurons": [path], "activations": [f for f, _ in measured.values()]}
    runs = {
        run.name: run
        for run in treatments.runs(
            spec, "c0de", tmp_path, {}, read=read | {"directions": []}
        )
    }
    chosen, values, _ = overwriting.overwritten(runs["lape.set1.en+hi.max"], MANIFEST)
    assert chosen == {0: [0, 1, 5], 1: [2]}
    en, hi = measured["en"][1], measured["hi"][1]
    wanted = np.zeros_like(en)
    wanted[0, [1, 5]], wanted[0, 0], wanted[1, 2] = en[0, [1, 5]], hi[0, 0], hi[1, 2]
    assert np.array_equal(values, wanted)
    _, values, _ = overwriting.overwritten(runs["lape.set1.hi+en.max"], MANIFEST)
    assert values[0, 5] == hi[0, 5] != en[0, 5]
    chosen, values, _ = overwriting.overwritten(runs["lape.set1.en+hi.zero"], MANIFEST)
    assert chosen == {0: [0, 1, 5], 1: [2]} and not values.any()
    inputs = runs["lape.set1.en+hi.max"].made_from["inputs"]
    assert set(inputs) == {"neurons", "activations.en", "activations.hi"}
    assert set(runs["lape.set1.en.max"].made_from["inputs"]) == {
        "neurons", "activations"
    }  # fmt: skip
