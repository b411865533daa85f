"""Identification methods: one file each, and what every one of them says and does.

``methods/<kind>.py`` holds ``Parameters`` (a frozen model of its configuration), a
class that is a :class:`Method`, and ``METHOD``, an instance of it. Nothing outside this
folder knows a method by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

from langneurons.config import plugins
from langneurons.config.catalogue import Activations as Recorded
from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen
from langneurons.neurons.neuron_sets import (
    Mask,
    NeuronSets,
    check_masks,
    check_plain,
    from_mask,
)

if TYPE_CHECKING:
    from langneurons.neurons.recorded_activations import Activations

P = TypeVar("P", bound=Frozen)


@dataclass(frozen=True)
class MethodInputs:
    """What a method may look at.

    Attributes:
        activations: recorded statistics, language -> file, in the set's order.
        layers: number of layers of the model, L.
        width: neurons in a layer, F.
        draw: number of the random draw, from 1; None for a method without draws.
        reads: the neurons of the selections that it is made from, in the order of
            ``reads:`` in the configuration.
        outside: the neurons of the selections that random draws avoid, in the order of
            ``outside:``.
        site: where activations are read, gate_pre or act_post.
        quantile: which quantile the profile means, pooled or batch_mean.
    """

    activations: Mapping[str, Activations]
    layers: int
    width: int
    draw: int | None
    reads: Sequence[NeuronSets]
    site: str
    quantile: str
    outside: Sequence[NeuronSets] = ()

    @property
    def languages(self) -> list[str]:
        return list(self.activations)

    def require_contrast(self, what: str) -> None:
        """Refuse a set of one language where languages are compared.

        Raises:
            DataError: fewer than two languages.
        """
        if len(self.activations) < 2:
            raise DataError(
                f"{what} compares languages, but the language set has only "
                f"{self.languages}; give at least two"
            )


@dataclass(frozen=True)
class Selected:
    """What a method selected.

    Attributes:
        neurons: language -> booleans [L, F], for exactly the languages of the set.
        thresholds: numbers that it derived from the data, as plain JSON values.
    """

    neurons: Mapping[str, Mask]
    thresholds: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """What is known of a selection before the first job.

    Attributes:
        recorded: what the pass over the text records (``activations:``).
        languages: of the language set.
        site: where activations are read, gate_pre or act_post.
        reads: selections that it is made from, such as ``lape.set1``, and their
            languages.
        quantile: which quantile the profile means, pooled or batch_mean.
        shapes: models that the selection is for -> layers and neurons in a layer, as
            far as they are known before a model is fetched.
    """

    recorded: Recorded
    languages: Sequence[str]
    site: str
    reads: Mapping[str, Sequence[str]]
    quantile: str = "pooled"
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def without_contrast(self, what: str) -> list[str]:
        """Say that a set of one language has nothing to compare; else nothing."""
        if len(self.languages) > 1:
            return []
        return [f"{what} compares languages; give a set of at least two"]


class Method(Protocol[P]):
    """What a method says of itself, and how it selects neurons.

    Attributes:
        PARAMETERS: model of ``parameters:`` in the configuration.
        READS: how many other selections it reads, at least and at most (None: any
            number); they stand under ``reads:`` in the configuration.
        DRAWS: whether it draws at random, ``draws:`` times. It then reads the one
            method that it is the control of.
        IMPORTED: whether its neurons are somebody else's, from a file. Nothing in its
            entry then says how they were found.
    """

    PARAMETERS: type[P]
    READS: tuple[int, int | None] = (0, 0)
    DRAWS: bool = False
    IMPORTED: bool = False

    def select(self, inputs: MethodInputs, parameters: P) -> Selected:
        """Select the neurons of each language of the set."""
        ...

    def unmet(self, parameters: P, planned: Planned) -> list[str]:
        """Say before the first job what a selection lacks; empty: nothing."""
        return []

    def files(self, parameters: P) -> Mapping[str, str]:
        """Return the files of the user that it reads: parameter -> path."""
        return {}


def kinds() -> list[str]:
    """List the methods that there are, without importing them."""
    return plugins.kinds(__file__)


def load(kind: str) -> Method[Frozen]:
    """Import a method, and check what it declares.

    Raises:
        ConfigError: there is no such file, or its author made a mistake in it.
    """
    # Which parameters a method takes is known in its own file only.
    method = plugins.load(
        __name__,
        kind,
        kinds(),
        what="method",
        protocol=Method,
        required=("select",),
        problems=_problems,
    )
    return cast("Method[Frozen]", method)


def _problems(method: Any) -> Iterator[str]:
    """Find what is wrong with the attributes of a method, ``PARAMETERS`` apart."""
    yield from plugins.limits(method, "READS")
    yield from plugins.truth_values(method, "DRAWS", "IMPORTED")


def files_of(kind: str, parameters: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the files of the user that an entry names: parameter -> path."""
    method = load(kind)
    return method.files(method.PARAMETERS.model_validate(parameters))


def share_of(rate: float, neurons: int, what: str) -> int:
    """Return how many neurons a share of all is, rounded as the reference does.

    Raises:
        DataError: none at all.
    """
    count = round(rate * neurons)
    if count == 0:
        raise DataError(
            f"{what}: {rate} of {neurons} neurons rounds to none; give a larger share"
        )
    return count


def kth_smallest(values: npt.NDArray[np.floating], ranks: Sequence[int]) -> list[float]:
    """Return the values at some ranks, counted from 1, in linear time.

    Args:
        values: any shape, without NaN.
        ranks: each from 1 to the number of values.
    """
    # Naming the ends too keeps numpy off a path that is slow on many equal values:
    # 15 s against 0.2 s for 37 million probabilities, half of them zero.
    places = {0, values.size - 1, *(rank - 1 for rank in ranks)}
    parted = np.partition(values, sorted(places), axis=None)
    return [float(parted[rank - 1]) for rank in ranks]


def lowest(scores: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.int64]:
    """Return the places of the ``count`` smallest scores, in increasing order.

    Of equal scores the first ones are taken, so that the choice is the same on every
    machine. The cost is linear: nothing is sorted.

    Args:
        scores: [n] without NaN.
        count: how many; all of them if there are fewer.
    """
    if count >= scores.size:
        return np.arange(scores.size)
    if count <= 0:
        return np.arange(0)
    last = kth_smallest(scores, [count])[0]
    chosen = scores < last
    ties = np.flatnonzero(scores == last)
    chosen[ties[: count - int(chosen.sum())]] = True
    return np.flatnonzero(chosen)


def identify(
    spec: Mapping[str, Any],
    activations: Sequence[Activations],
    reads: Sequence[NeuronSets] = (),
) -> NeuronSets:
    """Run one method on the activations of a language set.

    Args:
        spec: model, method, kind, parameters, language_set, languages, site,
            quantile, draw, reads and outside.
        activations: one file per language, in the order of ``languages``.
        reads: neurons of the selections named by ``reads`` and ``outside``, each once,
            in their order.

    Raises:
        DataError: files of other languages, models or selections, masks that are not
            those of the set's languages, or no neuron at all.
    """
    from langneurons.neurons.recorded_activations import check_same_model

    languages = list(spec["languages"])
    recorded = [one.metadata.get("language", "?") for one in activations]
    if recorded != languages:
        raise DataError(f"activations are of {recorded}, but wanted are {languages}")
    if any(one.metadata.get("model") != spec["model"] for one in activations):
        found = sorted({str(one.metadata.get("model")) for one in activations})
        raise DataError(f"activations are of model {found}, not of {spec['model']}")
    check_same_model(activations)
    first = activations[0]
    revision = first.metadata.get("model_revision", "")
    given = [f"{one.method}.{one.language_set}" for one in reads]
    wanted = list(dict.fromkeys([*spec["reads"], *spec["outside"]]))
    if given != wanted:
        raise DataError(f"neurons are of {given}, but wanted are {wanted}")
    by_name = dict(zip(given, reads, strict=True))
    for where, one in by_name.items():
        if one.model != spec["model"]:
            raise DataError(f"{where}: neurons of {one.model}, not {spec['model']}")
        one.require_model(first.layers, first.width, revision, where)
    method = load(spec["kind"])
    parameters = method.PARAMETERS.model_validate(spec["parameters"])
    inputs = MethodInputs(
        activations=dict(zip(languages, activations, strict=True)),
        layers=first.layers,
        width=first.width,
        draw=spec["draw"],
        reads=[by_name[name] for name in spec["reads"]],
        site=spec["site"],
        quantile=spec["quantile"],
        outside=[by_name[name] for name in spec["outside"]],
    )
    selected = method.select(inputs, parameters)
    where = f"method {spec['method']} (kind {spec['kind']})"
    if not isinstance(selected, Selected):
        given = type(selected).__name__
        raise DataError(f"{where}: select() returned {given}; Selected is needed")
    check_masks(selected.neurons, languages, (first.layers, first.width), where=where)
    check_plain(selected.thresholds, where)
    if not any(mask.any() for mask in selected.neurons.values()):
        raise DataError(
            f"method {spec['method']} selects no neuron for any of {languages}; "
            f"thresholds: {dict(selected.thresholds)}"
        )
    return NeuronSets(
        method=spec["method"],
        language_set=spec["language_set"],
        kind=spec["kind"],
        model=spec["model"],
        model_revision=revision,
        layers=first.layers,
        intermediate_size=first.width,
        site=spec["site"],
        neurons={lang: from_mask(selected.neurons[lang]) for lang in languages},
        corpora={
            lang: one.metadata.get("tokens_sha256", "")
            for lang, one in inputs.activations.items()
        },
        parameters=parameters.model_dump(mode="json"),
        thresholds=selected.thresholds,
    )
