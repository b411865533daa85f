"""Comparing the candidates of a pair of languages by HSIC.

The largest case that is meant to be possible on two cores: as many neurons as the study
finds per language in Llama 3 8B, 4,589, all of them in the 12 layers that are compared,
and none of a candidate shared with another one. Real sets have a third of their neurons
there, and overlap. Values are normal, or with the heavier tails of t(4), which need
more directions of a kernel. ``extra_mb`` is the largest resident memory minus that
before the values were read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from langneurons import similarities
from langneurons.config.names import Pair
from langneurons.neurons import recorded_probes
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_probes import RecordedProbes
from langneurons.similarities import SimilarityInputs

from .identification import Outcome, measured
from .measuring import Row, Setting, peak_of, row

# Neurons of a language, layers compared, probes, candidates, draws.
SIZES = {"tiny": (24, 2, 30, 2, 4), "bridge": (4589, 12, 500, 6, 200)}
TAILS = {"normal": 1e6, "heavy": 4.0}
POINT_SECONDS, DRAWN_SECONDS = 60.0, 600.0


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the sizes; there is no model, and always a CPU."""
    return [Setting(n, "float32", "cpu", 1) for n in names if n in SIZES]


def rows(setting: Setting) -> list[Row]:
    """Measure the point estimate, and the same with draws."""
    neurons, layers, probes, candidates, draws = SIZES[setting.shape]
    tiny = setting.shape == "tiny"
    found = []
    for tails in TAILS:
        targets = {0: POINT_SECONDS, draws: DRAWN_SECONDS}
        for count, target in targets.items():
            outcome: Outcome = peak_of(compare, setting.shape, tails, count)
            amount = neurons * layers * probes * candidates
            values: dict[str, Any] = {"measure": "seconds", "value": outcome.seconds}
            values |= {"target": None if tiny else target, "repeats": 1}
            values |= {"seconds": outcome.seconds, "extra_mb": outcome.extra_mb}
            values |= {"amount": amount, "unit": "neurons x probes x candidates"}
            name = f"{tails}_{count}_draws" if count else f"{tails}_point"
            found.append(row("similarity", setting, name, **values))
    return found


def compare(shape: str, tails: str, draws: int) -> Outcome:
    """Compare candidates; the result is the largest score."""

    def work() -> float:
        kind = similarities.load("hsic")
        whole = {"draws": draws, "layers": (0.0, 1.0)}
        parameters = kind.PARAMETERS.model_validate(whole)
        scores = kind.compare(made_up(shape, tails), parameters).scores
        return max(x for x in scores.values() if x is not None)

    return measured(work)


def made_up(shape: str, tails: str) -> SimilarityInputs:
    """Make a pair up: some of its candidates' neurons follow the same few sources."""
    neurons, layers, probes, candidates, _ = SIZES[shape]
    names = [f"c{letter}" for letter in "abcdefgh"[:candidates]]
    each = [len(x) for x in np.array_split(np.arange(neurons), layers)]
    sets: dict[str, dict[int, list[int]]] = {}
    for place, name in enumerate(["s", "t", *names]):
        start = max(0, place - 1) * neurons
        sets[name] = {
            layer: list(range(start, start + each[layer])) for layer in range(layers)
        }
    width = (1 + candidates) * neurons
    known = NeuronSets("m", "l", "k", "random", "r", layers, width, "act_post", sets)
    places, ids = recorded_probes.union(known)
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((8, probes))
    values = rng.standard_t(TAILS[tails], (len(ids), probes))
    values += 0.3 * rng.standard_normal((len(ids), 8)) @ sources
    words = tuple(map(str, range(probes)))
    given = "random", "m.l", "s-t", "prompt"
    recorded = RecordedProbes(
        values.astype(np.float32), places, ids, *given, words=words
    )
    return SimilarityInputs(Pair("s", "t"), names, known, probes=recorded)
