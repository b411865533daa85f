"""What people write into a configuration, and what YAML makes of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from configurations import merge, tiny
from langneurons.config.errors import ConfigError
from langneurons.config.yaml_files import check
from langneurons.grid import rows
from langneurons.study.configuration import load
from langneurons.study.specs import Specs


def refusal(text: str) -> str:
    """Return why the smallest configuration with changes is refused."""
    with pytest.raises(ConfigError) as told:
        load(tiny(text))
    return str(told.value)


@pytest.mark.case("`no` for Norwegian is false in YAML: the message says to quote it")
def test_norwegian_code() -> None:
    told = refusal("language_sets: {world: [en, no, hi]}")
    assert "language_sets.world" in told and "quote it, as in 'no'" in told
    # Quoted, it is a code: only the demo world does not have it.
    told = refusal("language_sets: {world: [en, 'no', hi]}")
    assert "quote" not in told and "text is needed" not in told
    named = load(tiny("language_sets: {nordic: [en, 'no']}"))
    assert named.language_set("nordic").languages == ("en", "no")


@pytest.mark.case("A wrong number in a nested block is refused at the start, by place")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "tasks: {xnli: {training_by_model: {demo: {rank: 0}}}}",
            "tasks.xnli.training_by_model.demo.rank: must be at least 1 (given: 0)",
        ),
        (
            "tunings: {masked: {training: {learning_rate: fast}}}",
            "tunings.masked.training.learning_rate: a number is needed (given: 'fast')",
        ),
        (
            "statistics: {odd: {value: const, constant: .nan}}\n"
            "experiments: {transfer: {statistics: [odd]}}",
            "statistics.odd.constant: a finite number is needed (given: .nan)",
        ),
    ],
)
def test_training_values(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.case("Paths take {lang} only, and one file does not serve two languages")
def test_placeholder_in_paths() -> None:
    other = "{train: 'd/{language}/train.tsv', test: 'd/{language}/test.tsv'}"
    told = refusal(f"tasks: {{xnli: {{data: {other}}}}}")
    for split in ("train", "test"):
        assert f"tasks.xnli.data.{split}: " in told
    assert "unknown placeholder {language}" in told and "{lang}" in told
    told = refusal("tasks: {xnli: {data: {test: results/demo_world/nli/test-en.tsv}}}")
    assert "tasks.xnli.data.test: 'results/demo_world/nli/test-en.tsv'" in told
    assert "is the same for hi, vi" in told


TWICE = {
    "experiments.transfer.statistics": "[mean, zero, mean]",
    "experiments.transfer.selections": "[lape.world, lape.world]",
    "experiments.transfer.models": "[demo, demo]",
    "experiments.transfer.seeds": "[42, 42]",
    "experiments.transfer.tasks": "[xnli, xquad, xnli]",
    "experiments.finetuning.selections": "[lape.world, lape.world]",
    "experiments.perplexity.languages": "[en, en]",
    "tasks.xnli.languages": "[vi, hi, vi]",
    "run": "[transfer, transfer]",
}


@pytest.mark.case("A name twice in a list must not give rows twice: it is refused")
@pytest.mark.parametrize("place", TWICE)
def test_repeated_names(place: str) -> None:
    *blocks, key = place.split(".")
    text = f"{key}: {TWICE[place]}"
    for block in reversed(blocks):
        text = f"{block}: {{{text}}}"
    told = refusal(text)
    assert f"{place}: " in told and "stands twice" in told


@pytest.mark.case("A key twice in a block: YAML would keep the last without a word")
def test_repeated_keys(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("experiments:\n  a: {kind: x}\n  b: {kind: x}\n  a: {kind: y}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml, line 4: the key 'a' stands tw"):
        check([path])


@pytest.mark.case("Two experiments that ask for one evaluation get one row of a table")
def test_repeated_evaluations() -> None:
    """They are run to their table in test_study.py."""
    again = tiny()["experiments"]["transfer"] | {"statistics": ["zero"]}
    raw = merge(tiny(), {"run": ["transfer", "again"], "experiments": {"again": again}})
    one, both = load(merge(raw, {"run": ["transfer"]})), load(raw)
    for name in ("xnli", "xquad"):
        found = rows.task_rows(both, name)
        assert found == rows.task_rows(one, name)
        assert len(set(found)) == len(found) > 0


@pytest.mark.case("2e-3 is text in YAML 1.1: it is the number, and the same job")
def test_exponents() -> None:
    text = (
        "tasks: {xnli: {training: {learning_rate: 2e-3}}}\n"
        "tunings: {masked: {training: {learning_rate: 2e-3}}}"
    )
    specs = [Specs(load(tiny(text.replace("2e-3", x)))) for x in ("2e-3", "2.0e-3")]
    for tuning in ("attention", "lape.world.hi"):
        chosen = SimpleNamespace(task="xnli", model="demo", seed=42, tuning=tuning)
        one, two = (each.tune_model(chosen) for each in specs)
        assert one == two and '"learning_rate":0.002' in one
