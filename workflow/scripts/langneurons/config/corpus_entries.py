"""What the entries of ``corpora:`` and the block ``activations:`` mean, key by key."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from .fields import Frozen, HubSource, LocalPath, Seed

Site = Literal["gate_pre", "act_post"]


class LanguageFilter(Frozen):
    """Keep only documents that pycld2 identifies as the corpus language."""

    minimum_percent: int = Field(
        80,
        ge=1,
        le=100,
        description="keep a document if so many percent of it are in the language",
    )


MOST_SHARDS = 10_000
"""Measuring jobs of one model and language; many more and planning takes for ever."""


HELD_OUT_RESERVE = 1_000_000
"""Tokens for which text is fetched beside the identification text, at least, so that
raising ``heldout_tokens`` up to here fetches, and so measures, nothing again."""


class Corpus(Frozen):
    """Text of each language, packed into chunks (section 4.1).

    Exactly one of ``hub`` and ``folder`` is given.
    """

    hub: HubSource | None = Field(None, description="data set on the hub")
    folder: LocalPath | None = Field(
        None, description="folder with a file `{lang}.txt` per language, UTF-8"
    )
    text_column: str = Field("text", description="column of a hub data set")
    tokens: int = Field(100_000_000, ge=512, description="tokens per language")
    heldout_tokens: int = Field(
        131_072,
        ge=0,
        description="tokens kept aside for perplexity; identification never sees them, "
        "and does not depend on their number",
    )
    chunk_length: int = Field(512, ge=2, description="tokens per chunk")
    bos: Literal["document", "chunk", "none"] = Field(
        "document",
        description="where the BOS token is put:\n"
        "`document`: at every document's start (paper: every article)\n"
        "`chunk`: at every chunk's start\n`none`: nowhere",
    )
    shuffle_seed: Seed | None = Field(
        42, description="of the order of documents; null: that of the source"
    )
    language_filter: LanguageFilter | None = Field(
        None, description="drop documents in other languages"
    )
    fetch_bytes_per_token: float = Field(
        8.0, gt=0, description="hub only: bytes of text fetched per token wanted"
    )
    tokens_per_shard: int = Field(
        20_000_000, ge=1, description="tokens that one measuring job works on"
    )

    @property
    def text_bytes(self) -> int:
        """How many bytes of text are fetched for a language of a hub corpus."""
        held_out = max(self.heldout_tokens, HELD_OUT_RESERVE)
        return int((self.tokens + held_out) * self.fetch_bytes_per_token)

    @property
    def shards(self) -> int:
        """How many measuring jobs there are for a model and language."""
        return math.ceil(self.tokens / self.tokens_per_shard)

    @model_validator(mode="after")
    def _one_source(self) -> Corpus:
        if (self.hub is None) == (self.folder is None):
            raise ValueError("give exactly one of 'hub' and 'folder'")
        return self

    @model_validator(mode="after")
    def _few_shards(self) -> Corpus:
        if (shards := self.shards) > MOST_SHARDS:
            least = math.ceil(self.tokens / MOST_SHARDS)
            raise ValueError(
                f"{self.tokens:,} tokens in pieces of {self.tokens_per_shard:,} are "
                f"{shards:,} jobs for each model and language; at most "
                f"{MOST_SHARDS:,}: raise tokens_per_shard to {least:,} or more"
            )
        return self


class Activations(Frozen):
    """What the one streaming pass over a corpus records (methods.md 1.3)."""

    attention: Literal["chunk", "document"] = Field(
        "chunk",
        description="what a token sees:\n`chunk`: all of its chunk before it (paper)\n"
        "`document`: its own document only, with positions from its start (any family "
        "but bloom)",
    )
    histogram_every: int = Field(
        8,
        ge=1,
        description="every m-th token enters the histogram behind pooled quantiles; "
        "sums and counts take all tokens",
    )
    batch_quantiles: tuple[Site, ...] = Field(
        ("gate_pre",),
        description="sites where the mean of per-batch quantiles is kept too (paper):\n"
        "`gate_pre`: before the activation function\n`act_post`: after it",
    )
    batch_quantiles_every: int = Field(
        16,
        ge=1,
        description="every k-th batch of the corpus has its quantiles taken; an "
        "unbiased estimate of the mean over every batch (paper: 1)",
    )
    batch_chunks: int = Field(
        4, ge=1, description="chunks in a batch of those quantiles (paper: 4 x 512)"
    )
    chunk_means: int = Field(
        0,
        ge=0,
        description="chunks of a language whose mean per neuron is kept, for methods "
        "that read it",
    )
    contribution_top: float = Field(
        0,
        ge=0,
        lt=1,
        description="share of a layer's neurons that counts as important for a chunk, "
        "for methods that read it; 0: not recorded",
    )
