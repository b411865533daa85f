"""The spec of a job holds what the job reads, and nothing that it does not read."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace as Wildcards
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from langneurons import methods, tasks
from langneurons.config.corpus_entries import HELD_OUT_RESERVE
from langneurons.config.schema import Config
from langneurons.grid import rows, subjects
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs

ROOT = Path(__file__).parent.parent.parent
FILES = {"paper": ("config.yaml",), "demo": ("config.yaml", "demo.yaml")}


def read(name: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    for file in FILES[name]:
        update_config(raw, yaml.safe_load((ROOT / "config" / file).read_text("utf-8")))
    update_config(raw, changes or {})
    return raw


def every_spec(config: Config) -> dict[str, str]:
    """Return the spec of one job or more of every rule."""
    specs, tables = Specs(config), TableSpecs(config)
    found: dict[str, str] = {}

    def add(rule: Callable[[Any], str], *axes: Any, **names: Any) -> None:
        key = " ".join([rule.__name__, *map(str, axes), *map(str, names.values())])
        found[key] = rule(*axes) if axes else rule(Wildcards(**names))

    corpus = config.default_corpus
    for model in rows.models(config):
        built = config.model(model).builder
        add(specs.demo_model if built else specs.fetch_model, model=model)
        add(specs.quantise_model, model=model)
        shard = {"shard": "0", "shards": "3"}
        for lang in ("en", "vi"):
            add(
                specs.measure_activations,
                corpus=corpus,
                model=model,
                lang=lang,
                **shard,
            )
        for s in rows.all_selections(config):
            names = {"model": model, "method": s.method, "langset": s.languages}
            add(specs.identify_neurons, **names)
    for packed in (specs.tokenise_corpus, specs.hold_out_text):
        add(packed, corpus=corpus, lang="en")
    if config.corpus(corpus).hub:
        add(specs.fetch_text, corpus=corpus, lang="en")
    if config.demo_world:
        add(specs.demo_world, world="")
    for task in rows.tasks(config):
        for split in ("train", "test"):
            add(specs.prepare_task, task=task, split=split, lang="en")
        for row in (*rows.task_rows(config, task)[:1], *rows.tuning_rows(config, task)):
            axes = {"model": row.model, "tuning": str(row.tuning), "seed": row.seed}
            add(specs.tune_model, task=task, **axes)
    for rule, listing in (
        ("evaluate", subjects.on_tasks(config)),
        ("perplexity", subjects.on_texts(config)),
    ):
        for subject, treatments in listing.items():
            where = subjects.folder(config, subject)
            found[f"{rule} {where}"] = specs.treated(subject, treatments)
    for name in tables.kinds:
        if name != "reproduction":  # it says in its spec which fields differ
            add(tables.table, table=name)
    return found


BLOCKS = ("experiments", "corpora", "activations", "demo_world", "tasks")


def without_nothing(value: Any) -> Any:
    """Leave out keys that are null, but for a revision, which has to be said."""
    if not isinstance(value, dict):
        return value
    return {
        key: inner if key == "parameters" else without_nothing(inner)
        for key, inner in value.items()
        if inner is not None or key == "revision"
    }


def written_out(name: str) -> dict[str, Any]:
    """Return a configuration with the defaults of its blocks in it."""
    config = load(read(name))
    full = without_nothing(config.model_dump(mode="json"))
    raw = read(name) | {key: full[key] for key in BLOCKS if key in full}
    for entry, model in config.models.items():
        if not (model.demo and model.demo.continued_from):  # its sizes are the other's
            raw["models"][entry] = full["models"][entry]
    for block, plugins in (("methods", methods), ("tasks", tasks)):
        for entry in raw[block].values():
            kind: Any = plugins.load(entry["kind"])
            filled = kind.PARAMETERS.model_validate(entry.get("parameters", {}))
            entry["parameters"] = filled.model_dump(mode="json")
    for entry in raw["tasks"].values():
        if "test_items" not in entry:
            del entry["test_seed"]  # of a sample that is not drawn
    return raw


@pytest.mark.parametrize("name", FILES)
def test_writing_out_every_default_changes_no_job(name: str) -> None:
    short, long = every_spec(load(read(name))), every_spec(load(written_out(name)))
    assert short.keys() == long.keys() and len(short) > 50
    assert [key for key in short if short[key] != long[key]] == []


FIRST = {"run": ["transfer", "finetuning", "perplexity"]}
"""The study that the edits are about; the second one has a hundred times its rows."""


@cache
def unchanged() -> dict[str, str]:
    """Return the specs of that study."""
    return every_spec(load(read("paper", FIRST)))


def changed(changes: dict[str, Any]) -> set[str]:
    """Return the rules of that study whose specs an edit changes."""
    before, after = unchanged(), every_spec(load(read("paper", FIRST | changes)))
    assert before.keys() == after.keys()
    # Tables also say whether a published number stands beside ours.
    tables = {"table"}
    changed = {key.split()[0] for key in before if before[key] != after[key]}
    return changed - tables


EDITS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "how answers are generated": (
        {"tasks": {"xquad": {"parameters": {"max_new_tokens": 7, "window": 99}}}},
        {"evaluate"},
    ),
    "which long test items are cut": (
        {"tasks": {"xquad": {"parameters": {"long_test": "cut"}}}},
        {"evaluate"},
    ),
    "what is learnt": (
        {"tasks": {"xquad": {"parameters": {"loss": "answer_only"}}}},
        {"evaluate", "tune_model"},
    ),
    "the source of training items": (
        {
            "tasks": {
                "xquad": {"data": {"train_hub": {"repo": "a/b", "revision": "0" * 40}}}
            }
        },
        {"prepare_task"},
    ),
    "how many items test": (
        {"tasks": {"xquad": {"test_items": 10}}},
        {"prepare_task"},
    ),
    "held-out tokens": (
        {"corpora": {"wikipedia": {"heldout_tokens": 500_000}}},
        {"hold_out_text"},
    ),
    "tokens": (
        {"corpora": {"wikipedia": {"tokens": 90_000_000}}},
        {"fetch_text", "tokenise_corpus"},
    ),
    "the length of a measuring job": (
        {"corpora": {"wikipedia": {"tokens_per_shard": 5_000_000}}},
        set(),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_the_jobs_that_read_it(name: str) -> None:
    changes, expected = EDITS[name]
    assert changed(changes) == expected


def test_only_one_split_has_another_source() -> None:
    hub = {"repo": "rajpurkar/squad", "revision": "0" * 40}
    edit = {"tasks": {"xquad": {"data": {"train_hub": hub}}}}
    one, two = (Specs(load(read("paper", c))) for c in ({}, edit))

    def spec(specs: Specs, split: str) -> str:
        return specs.prepare_task(Wildcards(task="xquad", split=split, lang="vi"))

    assert spec(one, "test") == spec(two, "test")
    assert "rajpurkar/squad" in spec(two, "train") and "train_hub" not in spec(
        two, "train"
    )
    assert spec(one, "train") != spec(two, "train")


def test_text_is_fetched_for_more_than_is_held_out() -> None:
    def size(held_out: int) -> str:
        edit = {"corpora": {"wikipedia": {"heldout_tokens": held_out}}}
        specs = Specs(load(read("paper", edit)))
        return specs.fetch_text(Wildcards(corpus="wikipedia", lang="vi"))

    assert size(131_072) == size(HELD_OUT_RESERVE)
    assert size(HELD_OUT_RESERVE) != size(HELD_OUT_RESERVE + 1)


@pytest.mark.parametrize(
    "file", ["config.yaml", "demo.yaml", "laptop.yaml", "small.yaml"]
)
def test_what_costs_are_estimated_from_is_the_configuration(
    file: str, tmp_path: Path, request: Any, monkeypatch: Any
) -> None:
    if file == "small.yaml":  # its corpora lie in data/ of the folder of the run
        (tmp_path / "data").symlink_to(request.getfixturevalue("shared_data"))
        monkeypatch.chdir(tmp_path)
    raw = read("paper")
    more = yaml.safe_load((ROOT / "config" / file).read_text("utf-8"))
    update_config(raw, more)
    config = load(raw)
    again = load(json.loads(TableSpecs(config).costs({}))["config"])
    assert rows.tables(again) == rows.tables(config)
    assert again.model_dump() == config.model_dump()
