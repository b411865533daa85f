"""Ways to choose a bridge language: one file each, and what every one says and does.

``similarities/<kind>.py`` holds a class that is a :class:`Similarity`, with its
``PARAMETERS``, and ``SIMILARITY``, an instance of it. A similarity gives every
candidate of a pair a number; the largest is the bridge, of equals the first candidate.
Where all are equal nothing is chosen: the similarity says nothing of such a pair.
Nothing outside this folder knows one by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

from langneurons.config import plugins
from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen
from langneurons.config.names import Pair

if TYPE_CHECKING:
    from langneurons.neurons.asked_words import AskedWords
    from langneurons.neurons.neuron_sets import NeuronSets
    from langneurons.neurons.recorded_activations import Activations
    from langneurons.neurons.recorded_probes import RecordedProbes

P = TypeVar("P", bound=Frozen)
READABLE = ("neurons", "activations", "probes", "asked")
"""What a similarity may read: see ``SimilarityInputs``."""
ROUNDING = 1e-9
"""Scores that differ by less of themselves are equal: sums are rounded."""


@dataclass(frozen=True)
class SimilarityInputs:
    """What a similarity may look at; what it does not read is empty.

    Attributes:
        pair: of languages.
        candidates: for the bridge, in the order that decides between equals.
        neurons: of every language of the selection's language set.
        activations: recorded statistics of these languages.
        probes: activations of the selection's neurons on the words of the pair.
        asked: words that the model translated, for the pairs source-candidate and
            candidate-target, without those that the pair is tested on.
    """

    pair: Pair
    candidates: Sequence[str]
    neurons: NeuronSets | None = None
    activations: Mapping[str, Activations] = field(default_factory=dict)
    probes: RecordedProbes | None = None
    asked: Mapping[Pair, AskedWords] = field(default_factory=dict)


@dataclass(frozen=True)
class Similar:
    """How similar each candidate is.

    Attributes:
        scores: by candidate; None where nothing can be compared.
        layers: by candidate and layer; empty where there are none.
        sizes: neurons of each candidate that are compared.
        anchor: neurons that they are compared with; None: there are none.
        share: of the bootstrap draws, how many each candidate wins; one that several
            win counts for each of them in part.
        draws: number of them; 0: none.
        probes: number of words that were looked at; None: none are needed.
        left_out: why the pair has no similarity; None where it has.
    """

    scores: Mapping[str, float | None]
    layers: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    anchor: int | None = None
    share: Mapping[str, float] = field(default_factory=dict)
    draws: int = 0
    probes: int | None = None
    left_out: str | None = None


@dataclass(frozen=True)
class Planned:
    """What is known of the pairs before the first job.

    Attributes:
        pairs: all pairs and their candidates.
        languages: of the selection's language set.
        asked: words that a model is asked at most.
        layers: number of layers by model, of those that the configuration knows.
        least: probes with which a pair is compared at least.
        sentences: parallel ones whose means are kept of the selection's corpus.
        unparallel: why that corpus has no parallel sentences; empty where it may have.
    """

    pairs: Mapping[Pair, Sequence[str]]
    languages: Sequence[str]
    asked: int
    layers: Mapping[str, int] = field(default_factory=dict)
    least: int = 20
    sentences: int = 0
    unparallel: str = ""


class Similarity(Protocol[P]):
    """What a similarity says of itself, and how it compares.

    Attributes:
        PARAMETERS: model of ``parameters:`` in the configuration.
        READS: which of ``READABLE`` it looks at.
    """

    PARAMETERS: type[P]
    READS: tuple[str, ...] = ()

    def compare(self, inputs: SimilarityInputs, parameters: P) -> Similar:
        """Give each candidate a number."""
        ...

    def unmet(self, parameters: P, planned: Planned) -> list[str]:
        """Say before the first job what it lacks; empty: nothing."""
        return []

    def words(self, parameters: P) -> int:
        """Return how many words of each pair of ``asked`` it reads; 0: none."""
        return 0


def kinds() -> list[str]:
    """List the similarities that there are, without importing them."""
    return plugins.kinds(__file__)


def load(kind: str) -> Similarity[Frozen]:
    """Import a similarity, and check what it declares.

    Raises:
        ConfigError: there is no such file, or its author made a mistake in it.
    """
    # Which parameters it takes is known in its own file only.
    found = plugins.load(
        __name__,
        kind,
        kinds(),
        what="similarity",
        protocol=Similarity,
        required=("compare",),
        problems=_problems,
    )
    return cast("Similarity[Frozen]", found)


def _problems(found: Any) -> Iterator[str]:
    """Find what is wrong with the attributes, ``PARAMETERS`` apart."""
    wrong = list(plugins.texts(found, "READS", 0))
    yield from wrong
    if wrong:
        return
    for name in found.READS:
        if name not in READABLE:
            yield f"READS: {name!r}; allowed: {', '.join(READABLE)}"
    if ("asked" in found.READS) != (type(found).words is not Similarity.words):
        yield "words(): is needed where READS has 'asked', and only there"


def wanted_pairs(pair: Pair, candidates: Sequence[str]) -> list[Pair]:
    """List the pairs that lead over each candidate: to it, and from it."""
    into = [Pair(pair.source, k) for k in candidates]
    return [*into, *(Pair(k, pair.target) for k in candidates)]


def ends(pair: Pair, which: str) -> tuple[str, ...]:
    """Return the languages of a pair that candidates are compared with.

    Args:
        pair: of languages.
        which: ``both`` or ``target``.
    """
    return (pair.target,) if which == "target" else (pair.source, pair.target)


def tied(scores: Mapping[str, float | None]) -> list[str]:
    """List the candidates with the largest score, in their order.

    Returns:
        One, or several that are equal; empty where no candidate has a score.
    """
    given = {name: score for name, score in scores.items() if score is not None}
    equal = _largest(np.array([[*given.values()]], np.float64))[0] if given else ()
    return [name for name, is_equal in zip(given, equal, strict=True) if is_equal]


def best(scores: Mapping[str, float | None]) -> str | None:
    """Return the candidate with the largest score, of equals the first.

    Returns:
        None where no candidate has one, and where all that have one are equal: the
        first of them would be chosen by its place in a list.
    """
    equal = tied(scores)
    given = sum(score is not None for score in scores.values())
    return None if len(equal) == given > 1 or not equal else equal[0]


def shares(
    candidates: Sequence[str], drawn: npt.NDArray[np.floating]
) -> dict[str, float]:
    """Return the share of draws that each candidate wins; equals share a draw.

    Args:
        candidates: in their order.
        drawn: [draws, candidates] scores; NaN where there is none.
    """
    valid = ~np.isnan(drawn).all(axis=1)
    if not valid.any():
        return {}
    won = _largest(drawn[valid])
    parts = (won / won.sum(axis=1, keepdims=True)).sum(axis=0) / len(drawn)
    return {name: float(x) for name, x in zip(candidates, parts, strict=True)}


def _largest(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Mark the largest score of each row: [rows, candidates]; NaN is none."""
    most = np.nanmax(scores, axis=1, keepdims=True)
    return np.asarray(scores >= most - ROUNDING * np.abs(most))


def _all_equal(scores: Mapping[str, float | None]) -> str | None:
    """Say that scores choose nothing; None where one is chosen, or none is given."""
    equal = tied(scores)
    if not equal or best(scores) is not None:
        return None
    score = f"{scores[equal[0]]:.4g}"
    return f"candidates have one and the same score, {score}: nothing to choose by"


def describe(spec: Mapping[str, Any], inputs: SimilarityInputs) -> dict[str, Any]:
    """Compare the candidates of a pair, and say so in the form of the output file.

    Args:
        spec: model, pair, similarity, kind, parameters and candidates.
        inputs: what the similarity reads.

    Raises:
        DataError: the similarity gave scores of other candidates, or one that is no
            finite number.
    """
    kind = load(spec["kind"])
    found = kind.compare(inputs, kind.PARAMETERS.model_validate(spec["parameters"]))
    where = f"similarity {spec['similarity']} (kind {spec['kind']})"
    if not isinstance(found, Similar):
        given = type(found).__name__
        raise DataError(f"{where}: compare() returned {given}; Similar is needed")
    if list(found.scores) != list(inputs.candidates):
        raise DataError(
            f"{where}: compare() gave scores of {list(found.scores)}, but the "
            f"candidates are {list(inputs.candidates)}"
        )
    for name, score in found.scores.items():
        if score is not None and not np.isfinite(score):
            raise DataError(f"{where}: the score of {name} is {score}")
    return {
        "format": "langneurons/similarity/1",
        **{key: spec[key] for key in ("model", "pair", "similarity", "kind")},
        "candidates": list(inputs.candidates),
        "scores": dict(found.scores),
        "layers": {
            name: {str(layer): of[layer] for layer in sorted(of)}
            for name, of in found.layers.items()
        },
        "sizes": dict(found.sizes),
        "anchor": found.anchor,
        "chosen": best(found.scores),
        "tied": len(tied(found.scores)),
        "draws": found.draws,
        "share": dict(found.share),
        "probes": found.probes,
        "left_out": found.left_out or _all_equal(found.scores),
    }
