"""From one language into another directly, and through each of some bridges.

After Xu et al. 2025 (BridgeX-ICL, arXiv 2508.17078): models as they are, on ordered
pairs of languages. Every candidate is tested as a bridge, so that what a similarity of
neurons would choose stands beside the best that there was to choose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from langneurons.config.experiment_entries import Experiment, Named, Tasks
from langneurons.config.fields import Frozen, Language, PairName, Seed
from langneurons.config.names import (
    BASE,
    BASE_SEED,
    UNTREATED,
    Bridged,
    Pair,
    Treatment,
    TuningName,
)
from langneurons.config.schema import Config
from langneurons.grid.axes import Block, Row

from . import Kind

TABLE, CANDIDATES, OVERLAP = "bridges", "bridge_candidates", "language_overlap"
"""Tables of the choices, of all candidates, and of neurons that languages share."""


class Probes(Frozen):
    """Words of a dictionary on which neurons are recorded, pair by pair."""

    dictionary: Annotated[str, Named("dictionaries")] = Field(
        description="catalogue entry whose probe words are asked"
    )
    keep: Literal["correct", "both", "all"] = Field(
        "correct",
        description="which words are recorded:\n`correct`: those that the model "
        "translates right (paper)\n`both`: right in both directions\n`all`: all; the "
        "model is asked only where a similarity reads its answers",
    )
    asked: int = Field(1500, ge=1, description="words that the model is asked, at most")
    max_pairs: int = Field(500, ge=2, description="words that are recorded, at most")
    least: int = Field(
        20,
        ge=2,
        description="with fewer a pair has no similarity of neurons, and the tables "
        "say that it is left out",
    )
    seed: Seed = Field(0, description="of the order in which words are asked")
    tokens: Literal["prompt", "prompt+generated"] = Field(
        "prompt",
        description="tokens over which activations are averaged:\n`prompt`: of the "
        "prompt (paper)\n`prompt+generated`: and of the model's answer",
    )

    @model_validator(mode="after")
    def _enough(self) -> Probes:
        for key in ("asked", "max_pairs"):
            most = getattr(self, key)
            if self.least > most:
                raise ValueError(
                    f"least: {self.least}, but {key} is {most}, so that every pair "
                    f"would be left out; lower least, or raise {key}"
                )
        return self


class Bridges(Experiment):
    """Pairs of languages, directly and through each candidate for a bridge."""

    model_config = ConfigDict(extra="forbid")

    tasks: Tasks = Field(
        min_length=1, description="tasks on pairs to evaluate models on as they are"
    )
    pairs: tuple[PairName, ...] = Field(
        min_length=1, description="ordered pairs of languages, as in zh-sw"
    )
    candidates: tuple[Language, ...] = Field(
        min_length=1,
        description="bridges: of each pair those that are neither its source nor its "
        "target; of two that are most similar the first is chosen, where all are equal "
        "none",
    )
    selection: Annotated[str, Named("chosen")] = Field(
        description="whose neurons are compared, `method.language_set`; the set has "
        "every language of the pairs and candidates"
    )
    similarities: Annotated[tuple[str, ...], Named("similarities")] = Field(
        min_length=1, description="ways to choose a bridge"
    )
    probes: Probes = Field(description="words that neurons are recorded on")

    def of_pair(self, pair: Pair) -> tuple[str, ...]:
        """List the candidates of a pair."""
        ends = (pair.source, pair.target)
        return tuple(x for x in self.candidates if x not in ends)


class Product(Kind[Bridges]):
    """Models x pairs x direct and candidates, by task."""

    PARAMETERS = Bridges
    TABLES = (TABLE, CANDIDATES, OVERLAP, "{task}")

    def selections(self, axes: Bridges) -> tuple[str, ...]:
        return (axes.selection,)

    def rows(
        self, config: Config, name: str, axes: Bridges
    ) -> Iterator[tuple[str, Block]]:
        base = TuningName(BASE)
        of = {x: _treatments(axes, Pair.parse(x)) for x in axes.pairs}
        for task in axes.tasks:
            for model in axes.models:
                for pair, treatments in of.items():
                    row = Row(model, base, BASE_SEED, pair, UNTREATED, name)
                    yield task, Block(row, treatments)


def _treatments(axes: Bridges, pair: Pair) -> tuple[Treatment, ...]:
    return (UNTREATED, *map(Bridged, axes.of_pair(pair)))


KIND = Product()
