"""Whose text suffers when whose neurons are overwritten (Figures 1 and 20-24)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ConfigDict, Field

from langneurons.config.experiment_entries import (
    Corpus,
    Experiment,
    Selections,
    SomeStatistics,
    Statistics,
)
from langneurons.config.fields import Language
from langneurons.config.names import UNTREATED, Overwritten, Treatment
from langneurons.config.schema import Config
from langneurons.grid.axes import (
    Block,
    TextRow,
    neuron_languages,
    written,
)

from . import Kind

TABLE = "perplexity"


class Perplexity(Experiment):
    """Perplexity of held-out text under interventions (methods.md 3.1)."""

    model_config = ConfigDict(extra="forbid")

    languages: tuple[Language, ...] = Field(
        min_length=1, description="languages of the text"
    )
    corpus: Corpus = Field(
        None, description="text that is held out; null: `default_corpus`"
    )
    selections: Selections = Field(
        description="selections whose neurons are switched, language by language"
    )
    statistics: Statistics = Field(
        ("zero",), description="what is written into the neurons (paper: zero)"
    )
    control_statistics: SomeStatistics = Field(
        None, description="for random neurons; null: the same as the others"
    )
    neuron_languages: tuple[Language, ...] | None = Field(
        None,
        min_length=1,
        description="whose neurons, in turn, as far as the set has them; null: those "
        "in `languages`",
    )
    chunks: int = Field(200, ge=1, description="held-out chunks, shared by all cells")


class Product(Kind[Perplexity]):
    """Models x languages of text x selections x statistics x whose neurons."""

    PARAMETERS = Perplexity
    TABLES = (TABLE,)

    def selections(self, axes: Perplexity) -> tuple[str, ...]:
        return axes.selections

    def rows(
        self, config: Config, name: str, axes: Perplexity
    ) -> Iterator[tuple[str, Block]]:
        corpus, chunks = axes.corpus or config.default_corpus, axes.chunks
        treatments = tuple(_treatments(config, axes))
        for model in axes.models:
            for lang in axes.languages:
                row = TextRow(corpus, model, lang, UNTREATED, chunks, name)
                yield TABLE, Block(row, treatments)


def _treatments(config: Config, axes: Perplexity) -> list[Treatment]:
    """List ``none`` and, for every selection, each language's neurons switched."""
    found: list[Treatment] = [UNTREATED]
    asked = axes.neuron_languages or axes.languages
    for selection, statistics in written(config, axes.selections, axes):
        whose = neuron_languages(config, selection.languages, asked)
        found += [
            Overwritten(selection, statistic, lang)
            for statistic in statistics
            for lang in whose
        ]
    return found


KIND = Product()
