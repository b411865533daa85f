"""What the entries of ``models:`` mean: every key, its unit and its default."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .fields import Frozen, HubSource, LocalPath, Seed


class GgufSource(Frozen):
    """A GGUF file, from a path or from an installed Python package."""

    path: LocalPath | None = Field(None, description="path of the .gguf file")
    package: str | None = Field(
        None, description="installed package with an assemble(path) function"
    )
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _one_source(self) -> GgufSource:
        if (self.path is None) == (self.package is None):
            raise ValueError("give exactly one of 'path' and 'package'")
        return self


class DemoModel(Frozen):
    """A tiny decoder pretrained on the demo world (one rule of the workflow)."""

    architecture: Literal["llama", "mistral"] = "llama"
    hidden_size: int = Field(64, ge=8)
    intermediate_size: int = Field(384, ge=8, description="MLP neurons per layer")
    layers: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    steps: int = Field(1000, ge=1, description="optimiser steps of pretraining")
    tokens_per_step: int = Field(1536, ge=64)
    sequence_length: int = Field(64, ge=8, description="tokens per row of training")
    learning_rate: float = Field(6e-3, gt=0)
    seed: Seed = 1

    @model_validator(mode="after")
    def _heads_fit(self) -> DemoModel:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} is not an even number for each of "
                f"{self.heads} heads, as rotary positions need; "
                f"give a multiple of {2 * self.heads}"
            )
        return self


Attention = Literal["sdpa", "eager", "flash_attention_2"]


class Model(Frozen):
    """A catalogue entry of ``models:``; exactly one source is given."""

    family: str = Field(description="architecture; says where the MLP sites are")
    hub: HubSource | None = None
    folder: LocalPath | None = Field(
        None, description="local folder in Hugging Face layout"
    )
    gguf: GgufSource | None = None
    builder: Literal["demo_world"] | None = None
    demo: DemoModel | None = Field(None, description="only with builder: demo_world")
    quantization: Literal["nf4", "none"] = Field(
        "nf4", description="nf4: double quantisation, bf16 compute (paper, section 4)"
    )
    dtype: Literal["bfloat16", "float32"] = Field(
        "bfloat16", description="dtype of the weights that are not quantised"
    )
    attn_implementation: Attention | None = Field(
        None,
        description="kernels of attention; null: what transformers takes, mostly sdpa",
    )
    parameters: float = Field(
        8e9, gt=0, description="number of weights; sizes memory and GPU requests only"
    )
    published_as: str | None = Field(
        None, description="key of this model in the published figures (llama31, nemo)"
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
        made = (self.demo or DemoModel()).architecture
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
