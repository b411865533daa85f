"""Methods that are made from other selections: what they select, and how it is planned.

The configurations are ``tests/workflow/tiny.yaml`` with changes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dry_runs
from configurations import tiny
from langneurons import methods
from langneurons.config.errors import ConfigError, DataError
from langneurons.config.names import Selection
from langneurons.grid.rows import all_selections, computed_selections, measured
from langneurons.jobs.planned import Job
from langneurons.methods import MethodInputs
from langneurons.methods.intersection import METHOD, Parameters
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.study.configuration import load
from langneurons.study.specs import Specs

ONLY_NEURONS = "experiments: {other_methods: {selections: [%s.world]}}"
BOTH = "methods: {both: {kind: intersection, reads: [lape, actprob]}}\n"


def read(method: str, **neurons: dict[int, list[int]]) -> NeuronSets:
    """Make the neurons of a method on a model of 2 layers of 4 neurons."""
    return NeuronSets(method, "two", "lape", "toy", "r1", 2, 4, "gate_pre", neurons)


ONE = read("one", en={0: [0, 1, 2], 1: [3]}, hi={0: [1]}, zh={0: [0]})
TWO = read("two", en={0: [1, 2, 3]}, hi={1: [0, 2]})
THREE = read("three", hi={0: [1], 1: [2]}, en={0: [2], 1: [3]})


def select(languages: list[str], *reads: NeuronSets, **options: Any) -> Any:
    """Select, and show the neurons as language -> (layer, number)."""
    inputs = MethodInputs(
        dict.fromkeys(languages), 2, 4, None, reads, "gate_pre", "pooled"
    )  # type: ignore[arg-type] # activations are not looked at
    found = METHOD.select(inputs, Parameters(**options))
    neurons = {
        lang: [(int(layer), int(number)) for layer, number in np.argwhere(mask)]
        for lang, mask in found.neurons.items()
    }
    return neurons, found.thresholds


def test_an_intersection_by_hand() -> None:
    neurons, _ = select(["en", "hi"], ONE, TWO)
    assert neurons == {"en": [(0, 1), (0, 2)], "hi": []}
    neurons, thresholds = select(["en"], ONE, TWO, THREE)
    assert neurons == {"en": [(0, 2)]}
    sizes = {"one.two": {"en": 4}, "two.two": {"en": 3}, "three.two": {"en": 2}}
    assert thresholds == {"minimum": 3, "read": sizes}


@pytest.mark.parametrize(
    ("minimum", "en", "hi"),
    [
        (1, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3)], [(0, 1), (1, 0), (1, 2)]),
        (2, [(0, 1), (0, 2), (1, 3)], [(0, 1), (1, 2)]),
        (3, [(0, 2)], []),
    ],
)
def test_at_least_so_many_by_hand(minimum: int, en: list, hi: list) -> None:
    neurons, _ = select(["en", "hi"], ONE, TWO, THREE, minimum=minimum)
    assert neurons == {"en": en, "hi": hi}


def test_the_order_of_what_is_read_does_not_matter() -> None:
    turned, _ = select(["hi", "en"], THREE, TWO, ONE, minimum=2)
    straight, _ = select(["en", "hi"], ONE, TWO, THREE, minimum=2)
    assert turned == straight


def test_a_language_that_one_selection_lacks_is_an_error() -> None:
    with pytest.raises(DataError, match=r"two\.two: unknown language 'zh'"):
        select(["zh"], ONE, TWO)


def test_more_votes_than_selections_are_an_error() -> None:
    with pytest.raises(DataError, match="minimum: 3, but it reads only 2 selections"):
        select(["en"], ONE, TWO, minimum=3)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tiny(text))
    return str(caught.value)


REFUSED = {
    "{a: {kind: intersection, reads: [lape, a]}}": (
        "methods.a.reads: would be made from itself: a -> a"
    ),
    "{a: {kind: intersection, reads: [lape, b.world]}, "
    "b: {kind: intersection, reads: [actprob, c]}, "
    "c: {kind: intersection, reads: [a, lape]}}": "itself: a -> b -> c -> a",
    "{lape: {reads: [actprob]}}": "kind lape reads no other methods; given: actprob",
    "{a: {kind: intersection, reads: [lape]}}": (
        "methods.a.reads: kind intersection reads at least 2 other methods; given: lape"
    ),
    "{a: {kind: intersection, reads: [lape, lappe]}}": (
        "methods.a.reads: unknown method 'lappe' - did you mean 'lape'"
    ),
    "{a: {kind: intersection, reads: [lape, actprob.wrld]}}": (
        "unknown language set 'wrld' - did you mean 'world'"
    ),
    "{a: {kind: intersection, reads: [lape, random_lape]}}": (
        "random_lape stands for 1 random draws; name one of them, as in random_lape-1"
    ),
    "{a: {kind: intersection, reads: [lape, random_lape.world]}}": (
        "name one of them, as in random_lape-1.world"
    ),
    "{a: {kind: intersection, reads: [lape, random_lape-2]}}": (
        "random_lape has draws 1 to 1, as in random_lape-1"
    ),
    "{a: {kind: intersection, reads: [lape, actprob-1]}}": "actprob) draws nothing",
    "{a: {kind: intersection, reads: [lape, actprob], draws: 2}}": (
        "'draws' are of a random control, which tables set beside the one method"
    ),
    "{a: {kind: lape, reads: [actprob], draws: 2}}": (
        "methods.a.draws: kind lape draws nothing at random; kinds that do: matched_ran"
    ),
    "{a: {kind: matched_random, reads: [lape]}}": (
        "methods.a: kind matched_random draws at random and needs to be told how often"
    ),
    "{a: {kind: matched_random, reads: [lape.world], draws: 1}}": "reads: [method]",
    "{a: {kind: matched_random, reads: [random_lape-1], draws: 1}}": (
        "methods.a.reads: random_lape-1 are random neurons themselves"
    ),
    "{lape: {profile: paper}, actprob: {profile: consistent}, "
    "a: {kind: intersection, reads: [lape, actprob]}}": (
        "methods.a.profile: the methods that it reads differ (lape has paper, actprob "
        "has consistent)"
    ),
}


@pytest.mark.parametrize("entries", REFUSED)
def test_what_cannot_be_read_is_refused_at_start(entries: str) -> None:
    assert REFUSED[entries] in refused(f"methods: {entries}")


USED = {
    "{kind: intersection, reads: [lape.pair, actprob]}": (
        "methods.a: reads lape.pair, which has no neurons of hi (its languages: en, vi)"
    ),
    "{kind: intersection, reads: [lape, actprob, lape.world]}": (
        "methods.a.reads: for a.world it reads lape.world twice"
    ),
    "{kind: intersection, reads: [lape, actprob], parameters: {minimum: 3}}": (
        "methods.a: parameters.minimum: 3, but it reads only 2 selections (lape.world,"
    ),
}


@pytest.mark.parametrize("entry", USED)
def test_what_does_not_fit_the_language_set_is_refused(entry: str) -> None:
    text = f"methods: {{a: {entry}}}\nlanguage_sets: {{pair: [en, vi]}}\n"
    assert USED[entry] in refused(text + ONLY_NEURONS % "a")


def test_one_kind_of_profile_or_corpus_is_said_or_inherited() -> None:
    mixed = "methods: {lape: {profile: paper}, actprob: {profile: consistent}, "
    config = load(
        tiny(
            mixed + "a: {kind: intersection, reads: [lape, actprob], profile: paper}, "
            "b: {kind: matched_random, reads: [a], draws: 1}}"
        )
    )
    assert config.method_profile("b-1") == config.method_profile("a") == "paper"
    assert config.method_recorded("actprob")["measure"] == "act_post"


def identified(jobs: list[Job]) -> set[str]:
    return {Path(j.outputs[0]).stem for j in jobs if j.rule == "identify_neurons"}


def test_what_is_only_read_is_planned_too() -> None:
    """Nothing names lape and actprob: they are read by what the control reads."""
    text = (
        "methods:\n"
        "  both: {kind: intersection, reads: [lape, actprob]}\n"
        "  random_both: {kind: matched_random, reads: [both], draws: 2}\n"
        "run: [transfer, finetuning, perplexity]\n"
        "experiments:\n"
        "  transfer: {selections: [random_both.world]}\n"
        "  finetuning: {selections: [both.world], controls: [random_both.world]}\n"
        "  perplexity: {selections: [random_both.world]}\n"
    )
    config = load(tiny(text))
    named, computed = all_selections(config), computed_selections(config)
    assert Selection("lape", "world") not in named
    assert computed == [*named, *map(Selection.parse, ("lape.world", "actprob.world"))]
    jobs = dry_runs.jobs(tiny(text))
    wanted = {"random_both-1.world", "random_both-2.world", "both.world"}
    assert identified(jobs) == wanted | {"lape.world", "actprob.world"}
    count = Counter(job.rule for job in jobs)
    assert count["merge_activations"] == 3 and count["draw_neurons"] == 1
    assert [lang for _, _, lang in measured(config)] == ["en", "vi", "hi"]


def test_a_single_random_draw_can_be_read() -> None:
    entry = "{kind: intersection, reads: [lape, random_lape-1, actprob]}"
    text = f"methods: {{a: {entry}}}\n{ONLY_NEURONS % 'a'}"
    jobs = dry_runs.jobs(tiny(text))
    assert {"a.world", "random_lape-1.world"} <= identified(jobs)
    wildcards = SimpleNamespace(model="demo", method="a", langset="world")
    assert "random_lape-1.world" in Specs(load(tiny(text))).identify_neurons(wildcards)


def test_a_selection_of_another_corpus_has_its_activations_measured() -> None:
    text = BOTH.replace("both: {", "lape: {corpus: own}, both: {corpus: demo, ") + (
        "corpora: {own: {folder: results/demo_world/corpus, tokens: 1024}}\n"
        "run: [transfer, finetuning, perplexity]\n"
        "experiments:\n"
        "  transfer: {selections: [both.world]}\n"
        "  finetuning: {selections: [both.world], controls: []}\n"
        "  perplexity: {selections: [both.world]}\n"
    )
    jobs = dry_runs.jobs(tiny(text))
    merged = {job.outputs[0] for job in jobs if job.rule == "merge_activations"}
    folders = {str(Path(path).parent) for path in merged}
    assert folders == {f"results/activations/{c}/demo" for c in ("own", "demo")}
    assert len(merged) == 6


def test_a_spec_names_what_is_read_and_follows_no_edit_of_it() -> None:
    """An edit of what is read comes in by its file, which is an input of the rule."""
    wildcards = SimpleNamespace(model="demo", method="both", langset="world")
    text = BOTH + ONLY_NEURONS % "both"
    before = Specs(load(tiny(text))).identify_neurons(wildcards)
    assert '"reads":["lape.world","actprob.world"]' in before
    edited = text.replace("both: {", "lape: {parameters: {top_rate: 0.02}}, both: {")
    assert Specs(load(tiny(edited))).identify_neurons(wildcards) == before
    fewer = text.replace("reads: [lape, actprob]", "reads: [actprob, lape]")
    assert Specs(load(tiny(fewer))).identify_neurons(wildcards) != before


@pytest.mark.parametrize("kind", methods.kinds())
def test_every_kind_says_what_it_is(kind: str) -> None:
    method = methods.load(kind)
    least, most = method.READS
    assert least >= 0 and (most is None or least <= most)
    assert not method.DRAWS or (least, most) == (1, 1)
