"""Neurons are found and drawn, and nothing is done to them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ConfigDict, Field

from langneurons.config.experiment_entries import Chosen, Experiment
from langneurons.config.schema import Config
from langneurons.grid.axes import Block

from . import Kind


class Neurons(Experiment):
    """Selections of which only neurons and figures are wanted (Figures 2-19)."""

    model_config = ConfigDict(extra="forbid")

    selections: Chosen = Field(
        min_length=1, description="selections, each `method.language_set`"
    )


class Product(Kind[Neurons]):
    """Models x selections; no rows."""

    PARAMETERS = Neurons
    TABLES = ()

    def selections(self, axes: Neurons) -> tuple[str, ...]:
        return axes.selections

    def rows(
        self, config: Config, name: str, axes: Neurons
    ) -> Iterator[tuple[str, Block]]:
        yield from ()


KIND = Product()
