"""What each name in the configuration means: every key, its unit and its default.

These are the entries of the catalogues and of the grid, as frozen models that refuse
unknown keys. ``config`` puts them together and checks them against each other.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from .errors import did_you_mean
from .fields import NAME, Frozen, HubSource, Language, LocalPath, Seed
from .model_entries import DemoModel, GgufSource, Model

__all__ = [
    "NAME",
    "PERCENTILES",
    "PROFILES",
    "Activations",
    "Corpus",
    "DemoModel",
    "DemoWorld",
    "Frozen",
    "GgufSource",
    "Grid",
    "HubSource",
    "Language",
    "LanguageFilter",
    "LanguageSet",
    "Method",
    "Model",
    "Perplexity",
    "Statistic",
]

Site = Literal["gate_pre", "act_post"]
WriteSite = Literal["gate_pre", "act_post", "prod"]
Quantile = Literal["batch_mean", "pooled"]
Profile = Literal["paper", "consistent"]
PERCENTILES = (5, 10, 25, 50, 75, 90, 95)


class LanguageFilter(Frozen):
    """Keep only documents that pycld2 identifies as the corpus language."""

    minimum_percent: int = Field(80, ge=1, le=100, description="share of the text")


MOST_SHARDS = 10_000
"""Measuring jobs of one model and language; many more and planning takes for ever."""


class Corpus(Frozen):
    """A catalogue entry of ``corpora:``: monolingual text, packed into chunks."""

    hub: HubSource | None = None
    folder: LocalPath | None = Field(
        None, description="folder with one {lang}.txt a language"
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
        description="where the BOS token is put (paper: every article start)",
    )
    shuffle_seed: Seed | None = Field(
        42, description="null keeps the order of the source"
    )
    language_filter: LanguageFilter | None = None
    fetch_bytes_per_token: float = Field(
        8.0, gt=0, description="hub only: bytes of text fetched per token wanted"
    )
    tokens_per_shard: int = Field(
        20_000_000, ge=1, description="one measuring job works on so many tokens"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Corpus:
        if (self.hub is None) == (self.folder is None):
            raise ValueError("give exactly one of 'hub' and 'folder'")
        return self

    @model_validator(mode="after")
    def _few_shards(self) -> Corpus:
        if (shards := math.ceil(self.tokens / self.tokens_per_shard)) > MOST_SHARDS:
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
        description="what a token sees: all of its chunk before it (paper), or its own "
        "document only, with positions from its start",
    )
    histogram_every: int = Field(
        8, ge=1, description="every m-th token enters the quantile histogram"
    )
    batch_quantiles: tuple[Site, ...] = Field(
        ("gate_pre",),
        description="sites where the paper's mean of per-batch quantiles is kept too",
    )
    batch_quantiles_every: int = Field(
        16,
        ge=1,
        description="every k-th batch has its quantiles taken (paper: 1, every batch)",
    )
    batch_chunks: int = Field(
        4, ge=1, description="chunks in a batch of those quantiles (paper: 4 x 512)"
    )
    chunk_means: int = Field(
        0,
        ge=0,
        description="chunks of a language whose mean per neuron is kept, for kojima_ap",
    )
    contribution_top: float = Field(
        0,
        ge=0,
        lt=1,
        description="share of a layer's neurons that counts as important for a chunk, "
        "for plnd; 0: not recorded",
    )


class LanguageSet(Frozen):
    """Languages that an identification method contrasts with each other."""

    languages: tuple[Language, ...] = Field(min_length=1)
    evaluate: tuple[Language, ...] | None = Field(
        None,
        description="evaluation languages whose interventions use this set; null: all",
    )

    @model_validator(mode="before")
    @classmethod
    def _list_is_short_for_languages(cls, value: Any) -> Any:
        return {"languages": value} if isinstance(value, (list, tuple)) else value

    @model_validator(mode="after")
    def _consistent(self) -> LanguageSet:
        extra = set(self.evaluate or ()) - set(self.languages)
        if extra:
            raise ValueError(
                f"'evaluate' has languages outside the set: {sorted(extra)}"
            )
        return self


class Method(Frozen):
    """A catalogue entry of ``methods:``; ``kind`` is a file of methods/.

    ``parameters`` is checked against that file's own ``Parameters`` model, and so is
    how many others it ``reads`` and whether it has ``draws``.
    """

    kind: str
    corpus: str | None = Field(
        None, description="null: that of the methods it reads, or grid.corpus"
    )
    parameters: dict[str, Any] = Field(default_factory=dict)
    reads: tuple[str, ...] = Field(
        (),
        description="methods whose neurons it reads, of the same language set, or "
        "selections, method.language_set",
    )
    draws: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="independent draws of a method that draws at random",
    )
    profile: Profile | None = Field(
        None,
        description="whose site and quantile it reads; null: that of the methods it "
        "reads, or of the top",
    )
    published_as: str | None = Field(
        None, description="key of this method in the published figures (lape, ap90)"
    )

    @property
    def control_of(self) -> str | None:
        """The method that random neurons stand beside; None: they are not random."""
        return self.reads[0] if self.draws is not None else None

    @model_validator(mode="after")
    def _control_of_one(self) -> Method:
        if self.draws is not None and (len(self.reads) != 1 or "." in self.reads[0]):
            raise ValueError(
                "'draws' are of a random control, which tables set beside the one "
                "method that it reads, in the same language set; give reads: [method]"
            )
        return self


class Statistic(Frozen):
    """A catalogue entry of ``statistics:``: what is written into neurons, and how."""

    value: str = Field(
        description="zero, mean, median, min, max, p5 p10 p25 p50 p75 p90 p95, const"
    )
    constant: float | None = Field(None, description="the number when value: const")
    op: Literal["set", "add", "scale", "clamp_min", "clamp_max", "interpolate"] = "set"
    weight: float = Field(
        1.0, description="add: factor on the value; interpolate: share of the value"
    )
    profile: Profile | None = Field(
        None, description="whose measure, write and quantile; null: that of the top"
    )
    measure: Site | None = Field(
        None, description="where measured; null: the profile's"
    )
    write: WriteSite | None = Field(None, description="where written; null: profile's")
    quantile: Quantile | None = Field(None, description="null: the profile's")
    neuron_language: Language = Field(
        "target", description="whose neurons: target, source or a language code"
    )
    value_language: Language = Field(
        "target", description="whose statistics: target, source or a language code"
    )
    positions: Literal["all", "non_pad", "last", "prompt", "generated"] = Field(
        "all", description="token positions written (paper: all, padding included)"
    )
    layers: tuple[int, int] | None = Field(
        None, description="first and last layer written, from 0; null: all layers"
    )

    @model_validator(mode="after")
    def _known_value(self) -> Statistic:
        allowed = {"zero", "mean", "median", "min", "max", "const"}
        allowed |= {f"p{p}" for p in PERCENTILES}
        if self.value not in allowed:
            hint = did_you_mean(self.value, allowed)
            raise ValueError(
                f"value {self.value!r} is unknown{hint or '.'} "
                f"Known: {', '.join(sorted(allowed))}"
            )
        if (self.value == "const") != (self.constant is not None):
            raise ValueError("'constant' is given with value: const, and only then")
        return self


class Perplexity(Frozen):
    """Perplexity of held-out text under interventions (methods.md 3.1)."""

    languages: tuple[Language, ...] = Field(min_length=1)
    corpus: str | None = Field(None, description="null: grid.corpus")
    selections: tuple[str, ...] = Field(
        description="selections whose sets are switched"
    )
    statistics: tuple[str, ...] = ("zero",)
    control_statistics: tuple[str, ...] | None = Field(
        None, description="for random neurons; null: the same as the others"
    )
    chunks: int = Field(200, ge=1, description="held-out chunks, shared by all cells")


class Grid(Frozen):
    """Lists of names to run; every name is defined in its catalogue."""

    models: tuple[str, ...] = Field(min_length=1)
    corpus: str
    selections: tuple[str, ...] = Field(min_length=1, description="method.language_set")
    identify: tuple[str, ...] = Field(
        (), description="further selections: their neurons and figures only"
    )
    statistics: tuple[str, ...] = ()
    control_statistics: tuple[str, ...] | None = Field(
        None, description="statistics for random neurons; null: the same as the others"
    )
    tasks: tuple[str, ...] = ()
    tunings: tuple[str, ...] = Field(
        ("attention",),
        description="tunings whose models get every intervention; base: the model as "
        "it is",
    )
    seeds: tuple[Seed, ...] = Field(
        (42,), min_length=1, description="seeds of fine-tuning; tuning base has only 0"
    )
    tables: tuple[str, ...] | None = Field(
        None, description="tables that `snakemake all` makes; null: every one"
    )
    bundle_size: int | None = Field(
        None, ge=1, description="treatments per evaluation job; null: all in one job"
    )


class DemoWorld(Frozen):
    """The synthetic multilingual world (six artificial languages, one grammar)."""

    languages: tuple[Language, ...] = ("en", "vi", "hi", "ur", "zh", "el")
    low_resource: tuple[Language, ...] = ("ur",)
    pretraining_tokens: int = Field(1_500_000, ge=1000)
    corpus_tokens: int = Field(20_000, ge=100, description="per language, for neurons")
    nli_train: int = Field(3000, ge=3)
    nli_test: int = Field(600, ge=3)
    qa_train: int = Field(2000, ge=1)
    qa_test: int = Field(300, ge=1)
    seed: Seed = 7


PROFILES: dict[str, dict[str, str]] = {
    "paper": {"measure": "gate_pre", "write": "act_post", "quantile": "batch_mean"},
    "consistent": {"measure": "act_post", "write": "act_post", "quantile": "pooled"},
}
