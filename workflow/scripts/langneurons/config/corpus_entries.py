"""What the entries of ``corpora:`` and the block ``activations:`` mean, key by key."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from . import user_paths
from .fields import Codes, Frozen, HubSource, LocalPath, Seed
from .sentence_rows import SourceRows

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


Unit = Literal["chunk", "document"]


OF_CHUNKS = ("heldout_tokens", "shuffle_seed", "fetch_bytes_per_token")
"""Keys of a corpus that are read with ``unit: chunk`` only."""
OF_DOCUMENTS = ("recorded", "held_out", "prefix", "skip_tokens")
"""Keys of a corpus that are read with ``unit: document`` only."""


class Corpus(Frozen):
    """Text of each language, packed into chunks (section 4.1), or sentence by sentence.

    Exactly one of ``hub`` and ``folder`` is given.
    """

    hub: HubSource | None = Field(None, description="data set on the hub")
    folder: LocalPath | None = Field(
        None,
        description="folder with a file `{lang}.txt` per language, UTF-8, or with the "
        "files of `recorded`",
    )
    unit: Unit = Field(
        "chunk",
        description="what runs through a model as one text:\n`chunk`: articles packed "
        "end to end into chunks of `chunk_length` tokens\n`document`: each sentence (a "
        "row, a line) by itself, in the order of its source, as in parallel corpora",
    )
    codes: Codes = Field(
        default_factory=dict,
        description="what the source calls each language, where it differs from its "
        "code here (`en: eng_Latn`); stands for `{code}` in `hub.config` and `files`",
    )
    text_column: str = Field(
        "text", description="column of a hub data set, or of .tsv and .jsonl sentences"
    )
    recorded: SourceRows | None = Field(
        None,
        description="unit document: the sentences that are recorded; null: all of "
        "`{lang}.txt`",
    )
    held_out: SourceRows | None = Field(
        None,
        description="unit document: sentences kept aside for perplexity, none of them "
        "in `recorded`; null: none",
    )
    prefix: str = Field(
        "",
        description="unit document: text put in front of every sentence (paper: a line "
        "feed and twelve blanks)",
    )
    skip_tokens: int = Field(
        0,
        ge=0,
        description="unit document: first tokens of every sentence, BOS and prefix "
        "among them, that are run but neither recorded nor predicted (paper: 2)",
    )
    tokens: int = Field(
        100_000_000,
        ge=512,
        description="tokens per language; unit document: sentences are taken until one "
        "more would pass this number of tokens that count",
    )
    heldout_tokens: int = Field(
        131_072,
        ge=0,
        description="tokens kept aside for perplexity; identification never sees them, "
        "and does not depend on their number; unit document: see `held_out`",
    )
    chunk_length: int = Field(
        512,
        ge=2,
        description="tokens per chunk; unit document: a longer sentence is cut there",
    )
    bos: Literal["document", "chunk", "none"] = Field(
        "document",
        description="where the BOS token is put:\n"
        "`document`: at every document's start (paper: every article)\n"
        "`chunk`: at every chunk's start\n`none`: nowhere",
    )
    shuffle_seed: Seed | None = Field(
        42,
        description="of the order of documents; null: that of the source, which unit "
        "document always keeps",
    )
    language_filter: LanguageFilter | None = Field(
        None, description="drop documents in other languages"
    )
    fetch_bytes_per_token: float = Field(
        8.0, gt=0, description="hub only: bytes of text fetched per token wanted"
    )
    chunk_means: int | None = Field(
        None,
        ge=0,
        description="chunks or sentences of a language whose mean per neuron is kept; "
        "null: as many as `activations.chunk_means` says",
    )
    tokens_per_shard: int = Field(
        20_000_000, ge=1, description="tokens that one measuring job works on"
    )

    @property
    def sentences(self) -> bool:
        """Whether each document is a text of its own."""
        return self.unit == "document"

    def rows(self, part: str) -> SourceRows | None:
        """Return the rows of ``recorded`` or ``held_out``, in which files."""
        given: SourceRows | None = getattr(self, part)
        if self.hub is not None or (given is not None and given.files):
            return given
        if part == "held_out" and given is None:
            return None
        plain = {"files": (f"{{{user_paths.PLACEHOLDER}}}.txt",)}
        return (given or SourceRows()).model_copy(update=plain)

    def code(self, lang: str) -> str:
        """Return what the source calls a language."""
        return self.codes.get(lang, lang)

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
    def _keys_of_the_unit(self) -> Corpus:
        """Refuse keys that the unit does not read, unless they say their default."""
        others = OF_CHUNKS if self.sentences else OF_DOCUMENTS
        for key in others:
            given = getattr(self, key)
            if given != type(self).model_fields[key].default and not (
                key == "shuffle_seed" and given is None
            ):
                needed = "chunk" if self.sentences else "document"
                raise ValueError(
                    f"'{key}' is read with unit: {needed} only; this corpus has unit: "
                    f"{self.unit}"
                )
        if self.sentences and self.bos == "chunk":
            raise ValueError(
                "unit document has no chunks; give bos: document (at every sentence's "
                "start) or none"
            )
        return self

    @model_validator(mode="after")
    def _rows_of_the_source(self) -> Corpus:
        """Check that rows say where they are, and that none is in both parts."""
        if not self.sentences:
            return self
        parts = {key: self.rows(key) for key in ("recorded", "held_out")}
        for key, rows in parts.items():
            if rows is None and (self.hub is None or key == "held_out"):
                continue
            if self.hub is not None and (rows is None or not rows.split or rows.files):
                raise ValueError(
                    f"'{key}' of a hub data set needs the split of its rows, and no "
                    "files, as in {split: dev}"
                )
            if self.hub is None and rows is not None and rows.split:
                raise ValueError(
                    f"'{key}' of a folder has no split; give its files, as in "
                    "{files: ['{lang}.txt']}"
                )
        recorded, held_out = parts["recorded"], parts["held_out"]
        if recorded and held_out and recorded.overlaps(held_out):
            raise ValueError(
                "'recorded' and 'held_out' may share rows; give them different "
                "splits or files, or ranges of one column: below: N, and at_least: N"
            )
        return self

    @model_validator(mode="after")
    def _codes_are_read(self) -> Corpus:
        """Check that codes stand where they are read, and are each of one language."""
        if len(set(self.codes.values())) < len(self.codes):
            raise ValueError("'codes' gives two languages the same code")
        named = [self.hub.config] if self.hub else []
        for part in ("recorded", "held_out") if self.sentences else ():
            rows = self.rows(part)
            named += rows.files if rows else ()
        coded = any(user_paths.has_code(text) for text in named)
        if bool(self.codes) != coded:
            raise ValueError(
                "'codes' are what {code} stands for, in hub.config and in files; "
                + ("nothing says {code}" if self.codes else "there are none")
            )
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
        "but bloom)\nin corpora with unit document, always the latter",
    )
    histogram_every: int = Field(
        8,
        ge=1,
        description="every m-th token enters the histogram behind pooled quantiles; "
        "sums and counts take all tokens",
    )
    batch_quantiles: tuple[Site, ...] = Field(
        ("gate_pre",),
        description="sites where the mean of per-batch quantiles is kept too, of "
        "corpora with unit chunk (paper):\n"
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
        "and values that read it: spread evenly over the corpus, or with unit document "
        "the first sentences (paper: 100)",
    )
    contribution_top: float = Field(
        0,
        ge=0,
        lt=1,
        description="share of a layer's neurons that counts as important for a chunk, "
        "for methods that read it; 0: not recorded",
    )
