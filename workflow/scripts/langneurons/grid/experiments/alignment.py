"""How alike the neurons are in which parallel sentences of two languages end.

After NeuronXA (Huang et al. 2025, arXiv 2507.14900), from the means of sentences that
the one pass over a corpus records: nothing is run for it but what is not recorded yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ConfigDict, Field, model_validator

from langneurons.config.corpus_entries import Site
from langneurons.config.experiment_entries import Corpus, Experiment
from langneurons.config.fields import Language
from langneurons.config.schema import Config
from langneurons.grid.axes import Block

from . import Kind

TABLE, CORRELATION = "alignment", "alignment_correlation"
"""Tables of alignments, and of what goes with them."""


class Alignment(Experiment):
    """Languages of parallel sentences, each with one of them."""

    model_config = ConfigDict(extra="forbid")

    languages: tuple[Language, ...] = Field(
        min_length=1, description="languages that are aligned with `pivot`"
    )
    pivot: Language = Field("en", description="language that each is aligned with")
    corpus: Corpus = Field(
        None,
        description="parallel sentences (`unit: document`), whose means `chunk_means` "
        "keeps; null: `default_corpus`",
    )
    site: Site = Field(
        "act_post",
        description="where a neuron's value is taken:\n`act_post`: after the "
        "activation function\n`gate_pre`: before it",
    )
    sentences: int | None = Field(
        None,
        ge=2,
        description="sentences that are compared, the first whose means are kept; "
        "null: all of these (paper: 100)",
    )

    @model_validator(mode="after")
    def _something_to_align(self) -> Alignment:
        if not self.aligned:
            raise ValueError(
                f"languages: only {self.pivot}, which is the pivot; name others"
            )
        return self

    @property
    def aligned(self) -> tuple[str, ...]:
        """The languages that have an alignment, each once: all but the pivot."""
        return tuple(x for x in dict.fromkeys(self.languages) if x != self.pivot)


class Product(Kind[Alignment]):
    """Models x languages; no evaluation, and so no rows of the grid."""

    PARAMETERS = Alignment
    TABLES = (TABLE, CORRELATION)

    def rows(
        self, config: Config, name: str, axes: Alignment
    ) -> Iterator[tuple[str, Block]]:
        yield from ()


KIND = Product()
