"""The kind `bridges`: its rows, and where what it reads lies."""

from __future__ import annotations

from types import SimpleNamespace as Wildcards
from typing import Any

import pytest
from pydantic import ValidationError

from configurations import merge, tiny
from langneurons.config.errors import ConfigError
from langneurons.config.names import Pair, Selection
from langneurons.grid import bridges, subjects
from langneurons.grid.axes import Row
from langneurons.grid.experiments import load as kind
from langneurons.grid.experiments.bridges import Bridges, Probes
from langneurons.study import probing
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs
from langneurons.tables.common import bridge_numbers


def axes(**changes: Any) -> Bridges:
    """Return the axes of an experiment, with changes."""
    given = {
        "kind": "bridges",
        "models": ["demo", "other"],
        "tasks": ["words"],
        "pairs": ["hi-vi", "en-hi"],
        "candidates": ["en", "vi", "zh"],
        "selection": "lape.world",
        "similarities": ["hsic", "overlap"],
        "probes": {"dictionary": "muse"},
    }
    return Bridges.model_validate(given | changes)


def test_every_candidate_is_a_row_beside_the_direct_way() -> None:
    blocks = list(kind("bridges").rows(load(tiny()), "mine", axes()))
    assert {table for table, _ in blocks} == {"words"}
    rows = [row for _, block in blocks for row in block.rows]
    assert all(isinstance(row, Row) and row.experiment == "mine" for row in rows)
    of: dict[str, list[str]] = {}
    for row in rows:
        assert isinstance(row, Row)
        assert (str(row.tuning), row.seed) == ("base", 0)
        of.setdefault(f"{row.model} {row.lang}", []).append(str(row.treatment))
    # Neither end of a pair is a bridge of it.
    assert of == {
        f"{model} {pair}": ["none", *ways]
        for model in ("demo", "other")
        for pair, ways in (("hi-vi", ["via_en", "via_zh"]),
                           ("en-hi", ["via_vi", "via_zh"]))
    }  # fmt: skip


def running(**experiments: Bridges) -> Any:
    """Return the smallest configuration that runs these experiments alone."""
    changes = {"run": tuple(experiments), "experiments": experiments}
    return load(tiny()).model_copy(update=changes)


def test_what_is_compared_has_one_name_in_a_study() -> None:
    config = running(a=axes(), b=axes(models=["more"], pairs=["en-hi", "zh-en"]))
    assert bridges.probes(config).keep == "correct"
    assert bridges.selection(config) == Selection("lape", "world")
    assert bridges.similarities(config) == ("hsic", "overlap")
    pair = Pair("en", "hi")
    assert bridges.candidates(config, pair) == ("vi", "zh")
    assert [str(x) for x in bridges.pairs(config)] == ["hi-vi", "en-hi", "zh-en"]
    # Each model with the pairs of its own experiments.
    asked = [f"{model} {pair}" for model, pair in bridges.asked_for(config)]
    assert asked == ["demo hi-vi", "demo en-hi", "other hi-vi", "other en-hi",
                     "more en-hi", "more zh-en"]  # fmt: skip
    chosen = bridges.selection(config)
    assert [
        bridges.dictionary("muse", pair),
        bridges.asked("demo", pair),
        bridges.recorded("demo", chosen, pair),
        bridges.similarity(config, "demo", "hsic", pair),
    ] == [
        "results/dictionaries/muse/en-hi.json",
        "results/probes/demo/en-hi.json",
        "results/probes/demo/lape.world/en-hi.safetensors",
        "results/similarities/demo/hsic/en-hi.json",
    ]
    own = config.model_copy(update={"study": "mine"})
    path = bridges.similarity(own, "demo", "hsic", pair)
    assert path == "results/mine/similarities/demo/hsic/en-hi.json"


def test_without_bridges_there_is_nothing_to_compare() -> None:
    config = load(tiny())
    assert bridges.asked_for(config) == bridges.pairs(config) == []
    with pytest.raises(ConfigError, match="no experiment of run is of kind bridges"):
        bridges.probes(config)


@pytest.mark.parametrize("given", ["en", "en-en", "en_hi", "en-hi-zh", "EN-hi", ""])
def test_a_pair_is_two_languages(given: str) -> None:
    with pytest.raises(ValidationError, match="is not of the form source-target"):
        axes(pairs=[given])


def study(changes: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Return a configuration that runs two experiments, the second with changes."""
    entry = axes(models=["demo"], tasks=["bli"], pairs=["hi-vi"], candidates=["en"],
                 similarities=["overlap"], probes={"dictionary": "demo"})  # fmt: skip
    first = entry.model_dump(mode="json")
    second = merge(first, {"pairs": ["vi-hi"]} | other)
    names = {"hi": "हिन्दी", "vi": "Tiếng Việt"}
    whole = tiny() | {"run": ["a", "b"], "experiments": {"a": first, "b": second}}
    named = {"tasks": {"bli": {"parameters": {"names": names}}}}
    return merge(merge(whole, named), changes or {})


def refused(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"probes": {"keep": "all"}}, "b.probes.keep: 'all', but experiments.a has 'c"),
        ({"probes": {"least": 5}}, "b.probes.least: 5, but experiments.a has 20"),
        ({"candidates": ["en", "zh"]}, "b.candidates: en, zh, but experiments.a has e"),
        ({"similarities": ["family"]}, "b.similarities: family, but experiments.a has"),
    ],
)
def test_two_meanings_of_a_name_are_refused(other: dict[str, Any], said: str) -> None:
    found = refused(study(**other))
    assert f"experiments.{said}" in found and "one name in a study" in found


def test_pairs_and_models_may_differ() -> None:
    config = load(study())
    assert [str(x) for x in bridges.pairs(config)] == ["hi-vi", "vi-hi"]


def test_words_of_tasks_and_probes_are_of_one_dictionary() -> None:
    files = {"probe": "o/{source}-{target}.1", "test": "o/{source}-{target}.2"}
    other = {"dictionaries": {"other": files}}
    assert load(study(other))
    task = {"tasks": {"bli": {"data": {"dictionary": "other"}}}}
    said = refused(study(merge(other, task)))
    assert (
        "experiments.a.tasks: bli tests words of dictionary other, but probes." in said
    )


def test_names_that_tables_give_are_taken() -> None:
    similarity = {"similarities": {"always_english": {"kind": "overlap"}}}
    said = refused(study(similarity))
    assert "similarities.always_english: tables call English as the bridge" in said
    similarity = {"similarities": {bridge_numbers.ALL: {"kind": "overlap"}}}
    assert "similarities.all: tables call what holds over all" in refused(
        study(similarity)
    )
    method = {"methods": {"bridge": {"kind": "lape"}}}
    assert "methods.bridge: tables call rows so" in refused(study(method))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"asked": 9}, "least: 20, but asked is 9"),
        ({"max_pairs": 19}, "least: 20, but max_pairs is 19"),
    ],
)
def test_as_many_words_are_recorded_as_a_pair_needs(
    changes: dict[str, int], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        Probes(dictionary="d", **changes)
    Probes(dictionary="d", least=2, **changes)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"pairs": ["hi-el"]}, "experiments.b.pairs: unknown language 'el'"),
        ({"candidates": ["fr"]}, "experiments.b.candidates: unknown language 'fr'"),
        ({"candidates": ["hi"]}, "experiments.b.candidates: none is left for vi-hi"),
        (
            {"tasks": ["xquad"]},
            "experiments.b.tasks: xquad (kind xquad) is not tested on",
        ),
        ({"selection": "random_lape.world"}, "experiments.b.selection: "),
    ],
)
def test_what_cannot_be_run_is_told_by_its_place(
    other: dict[str, Any], said: str
) -> None:
    assert said in refused(study(**other) | {"run": ["b"]})


def specs(**other: Any) -> dict[str, str]:
    """Return the spec of every job of a study of one experiment, by its output."""
    some = {"pairs": ["vi-hi"], "candidates": ["en", "ur"], "selection": "lape.five"}
    named = {"tasks": {"bli": {"parameters": {"names": {"ur": "Urdu"}}}}}
    five = ["en", "vi", "hi", "ur", "zh"]
    world = {"language_sets": {"five": five}, "demo_world": {"languages": five}}
    config = load(merge(study(**some | other), named | world) | {"run": ["b"]})
    made, tables = Specs(config), TableSpecs(config)
    chosen = bridges.selection(config)
    whose = {"method": chosen.method, "langset": chosen.languages}
    found = {}
    for model, pair in probing.asked(config):
        names_ = {"model": model, "pair": str(pair)}
        found[bridges.asked(model, pair)] = made.ask_probes(Wildcards(**names_))
    for model, pair in bridges.asked_for(config):
        names_ = {"model": model, "pair": str(pair)}
        path = bridges.recorded(model, chosen, pair)
        found[path] = made.record_probes(Wildcards(**names_ | whose))
        for name in bridges.similarities(config):
            path = bridges.similarity(config, model, name, pair)
            given = Wildcards(**names_ | {"similarity": name})
            found[path] = made.compare_languages(given)
    for subject, treatments in subjects.on_tasks(config).items():
        for each in treatments:
            spec = made.treated(subject, [each])
            found[f"{subjects.folder(config, subject)}/{each}"] = spec
    for name in ("bli", "bridges", "bridge_candidates", "language_overlap"):
        found[f"tables/{name}"] = tables.table(Wildcards(table=name))
    return found


def changed(**other: Any) -> tuple[set[str], set[str]]:
    """Return what another study makes anew, and what it makes in another way."""
    before, after = specs(), specs(**other)
    new = set(after) - set(before)
    assert set(before) <= set(after)
    again = {path for path in before if before[path] != after[path]}

    def short(paths: set[str]) -> set[str]:
        return {path.removeprefix("results/").replace("/demo", "") for path in paths}

    return short(new), short(again)


TABLES = {"tables/bridges", "tables/bridge_candidates"}


def test_a_further_similarity_is_compared_and_nothing_else() -> None:
    new, again = changed(similarities=["overlap", "overlap_target"])
    assert new == {"similarities/overlap_target/vi-hi.json"} and again == TABLES


def test_a_further_candidate_is_tested_and_compared() -> None:
    new, again = changed(candidates=["en", "ur", "zh"])
    assert new == {"evaluations/bli/base/seed0/vi-hi/via_zh"}
    assert again == TABLES | {"tables/bli", "similarities/overlap/vi-hi.json"}


def test_a_further_pair_touches_no_other() -> None:
    new, again = changed(pairs=["vi-hi", "ur-hi"])
    way = "evaluations/bli/base/seed0/ur-hi"
    assert new == {
        "probes/ur-hi.json", "probes/lape.five/ur-hi.safetensors",
        "similarities/overlap/ur-hi.json", f"{way}/none", f"{way}/via_en",
    }  # fmt: skip
    assert again == TABLES | {"tables/bli"}
