"""What the entries of ``models:`` mean: every key, its unit and its default."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .fields import Frozen, HubSource, Language, LocalPath, Seed


class GgufSource(Frozen):
    """A GGUF file; exactly one of ``path`` and ``package`` is given."""

    path: LocalPath | None = Field(None, description="path of the `.gguf` file")
    package: str | None = Field(
        None, description="installed package with a function `assemble(path)`"
    )
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="hash that the file must have"
    )

    @model_validator(mode="after")
    def _one_source(self) -> GgufSource:
        if (self.path is None) == (self.package is None):
            raise ValueError("give exactly one of 'path' and 'package'")
        return self


class Planting(Frozen):
    """Neurons that continued training makes control the language, and its text.

    In some rows of a batch their outputs are overwritten by what says the language of
    the next word, so that the model comes to read them; in the others they are trained
    to be on in the language of the last word, and off in the rest.
    """

    layers: tuple[int, ...] = Field(
        (2, 3), min_length=1, description="layers that get neurons, from 0"
    )
    neurons: int = Field(
        16,
        ge=1,
        description="per language and layer; the first language has the first ones",
    )
    on: float = Field(
        2.0, description="gate pre-activation that they reach in their own language"
    )
    off: float = Field(-3.0, description="the highest that they reach in the others")
    weight: float = Field(3.0, ge=0, description="of what they lack, in the loss")
    forced: float = Field(
        0.3, ge=0, le=1, description="share of the rows where outputs are overwritten"
    )
    value: float = Field(
        2.0, description="written for the language of the next word; others get 0"
    )
    both: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of these rows where the last word's language is on, too",
    )
    translations: float = Field(
        0.45, ge=0, le=1, description="share of documents that are translation lines"
    )
    untold: float = Field(
        0.4, ge=0, le=1, description="share of these that do not name their target"
    )
    causes: float = Field(
        0.05, ge=0, le=1, description="share of documents that say what follows"
    )

    @model_validator(mode="after")
    def _possible(self) -> Planting:
        if self.translations + self.causes > 1:
            raise ValueError(
                f"translations {self.translations} and causes {self.causes} are shares "
                "of the same documents; together they are over 1"
            )
        if self.off >= self.on:
            raise ValueError(f"off {self.off} is not below on {self.on}")
        if min(self.layers) < 0:
            raise ValueError(f"layers: {list(self.layers)}; they are counted from 0")
        return self


SIZES = ("architecture", "hidden_size", "intermediate_size", "layers", "heads")
"""Keys of a demo model that one that continues another takes from it."""


class DemoModel(Frozen):
    """A tiny decoder trained on the demo world (one rule of the workflow).

    It is new, or continues another of them with neurons planted in it.
    """

    continued_from: str | None = Field(
        None,
        description="another demo model, whose training goes on with `planting`; "
        f"`{'`, `'.join(SIZES)}` are those of it. null: a new model",
    )
    planting: Planting | None = Field(
        None, description="the neurons that it plants; only with `continued_from`"
    )

    architecture: Literal["llama", "mistral"] = Field(
        "llama", description="`llama` or `mistral`; the same as the model's family"
    )
    hidden_size: int = Field(64, ge=8, description="width of the residual stream")
    intermediate_size: int = Field(384, ge=8, description="MLP neurons per layer")
    layers: int = Field(4, ge=1, description="number of layers")
    heads: int = Field(4, ge=1, description="attention heads")
    steps: int = Field(1000, ge=1, description="optimiser steps of pretraining")
    tokens_per_step: int = Field(1536, ge=64, description="tokens in a batch")
    sequence_length: int = Field(64, ge=8, description="tokens per row of training")
    learning_rate: float = Field(6e-3, gt=0, description="of AdamW, at its peak")
    averaging: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the mean that stays at each step, as the weights of the "
        "second half of the steps are averaged; null: the last weights",
    )
    seed: Seed = Field(1, description="of weights and order")

    @model_validator(mode="after")
    def _continued_as_a_whole(self) -> DemoModel:
        if (self.continued_from is None) != (self.planting is None):
            raise ValueError(
                "'continued_from' and 'planting' are given together, or neither is"
            )
        fields = type(self).model_fields
        given = [key for key in SIZES if getattr(self, key) != fields[key].default]
        if self.continued_from and given:
            raise ValueError(
                f"{', '.join(given)}: taken from {self.continued_from} "
                "(continued_from); leave it out"
            )
        return self

    @model_validator(mode="after")
    def _heads_fit(self) -> DemoModel:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} is not an even number for each of "
                f"{self.heads} heads, as rotary positions need; "
                f"give a multiple of {2 * self.heads}"
            )
        return self


class DemoWorld(Frozen):
    """The synthetic multilingual world (six artificial languages, one grammar)."""

    languages: tuple[Language, ...] = Field(
        ("en", "vi", "hi", "ur", "zh", "el"),
        description="up to as many as are artificial languages; `en` is the source",
    )
    low_resource: tuple[Language, ...] = Field(
        ("ur",), description="languages with less text in pretraining"
    )
    pretraining_tokens: int = Field(
        1_500_000, ge=1000, description="size of the pretraining text"
    )
    corpus_tokens: int = Field(20_000, ge=100, description="per language, for neurons")
    sentences: int = Field(
        300, ge=1, description="parallel sentences, in each language, for neurons"
    )
    facts: int = Field(
        60, ge=1, le=1000, description="facts with a gap, the same in each language"
    )
    choices: int = Field(
        100, ge=2, description="choices of two clauses, the same in each language"
    )
    nli_train: int = Field(
        3000, ge=3, description="inference items to train on, in `en`"
    )
    nli_test: int = Field(
        600, ge=3, description="inference items to test on, in each language"
    )
    qa_train: int = Field(2000, ge=1, description="question items to train on, in `en`")
    qa_test: int = Field(
        300, ge=1, description="question items to test on, in each language"
    )
    seed: Seed = Field(7, description="of everything in it")


Attention = Literal["sdpa", "eager", "flash_attention_2"]


class Model(Frozen):
    """A language model (section 4.1).

    Exactly one of ``hub``, ``folder``, ``gguf`` and ``builder`` is given.
    """

    family: str = Field(description="architecture; says where the MLP is")
    hub: HubSource | None = Field(None, description="repository on the hub")
    folder: LocalPath | None = Field(
        None, description="local folder in Hugging Face layout"
    )
    gguf: GgufSource | None = Field(None, description="GGUF file")
    builder: Literal["demo_world"] | None = Field(
        None, description="`demo_world`: trained by this workflow"
    )
    demo: DemoModel | None = Field(
        None,
        description="size and training of that model; only with `builder: demo_world`",
    )
    quantization: Literal["nf4", "none"] = Field(
        "nf4",
        description="of the weights:\n`nf4`: 4 bits, double quantisation, bf16 compute "
        "(paper, section 4)\n`none`: they stay as they are",
    )
    dtype: Literal["bfloat16", "float32"] = Field(
        "bfloat16",
        description="of the weights that are not quantised: `bfloat16` or `float32`",
    )
    attn_implementation: Attention | None = Field(
        None,
        description="kernels of attention, which round differently; null: what "
        "transformers takes, mostly sdpa:\n`sdpa`, `eager`: of torch\n"
        "`flash_attention_2`: a GPU, the package `flash_attn`, no float32",
    )
    parameters: float = Field(
        8e9, gt=0, description="number of weights; sizes memory and GPU requests only"
    )
    published_as: str | None = Field(
        None,
        description="key of this model in the published figures (llama31, nemo); they "
        "stand beside the published procedure only",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        given = [
            k
            for k in ("hub", "folder", "gguf", "builder")
            if getattr(self, k) is not None
        ]
        if len(given) != 1:
            raise ValueError(
                "give exactly one source among hub, folder, gguf and builder; "
                f"given: {', '.join(given) or 'none'}"
            )
        if (self.demo is not None) and self.builder is None:
            raise ValueError("'demo' needs builder: demo_world")
        if self.hub is not None and self.hub.config is not None:
            raise ValueError("hub.config belongs to data sets; models have none")
        demo = self.demo or DemoModel()
        if demo.continued_from is not None:
            return self  # the other model's family: study.checks
        made = demo.architecture
        if self.builder is not None and made != self.family:
            raise ValueError(
                f"family is {self.family!r}, but demo.architecture is {made!r}; "
                "give both the same value (llama or mistral)"
            )
        return self

    @model_validator(mode="after")
    def _kernels_fit(self) -> Model:
        single = self.quantization == "none" and self.dtype == "float32"
        if self.attn_implementation == "flash_attention_2" and single:
            raise ValueError(
                "attn_implementation flash_attention_2 has no float32; "
                "use dtype: bfloat16, or sdpa"
            )
        return self
