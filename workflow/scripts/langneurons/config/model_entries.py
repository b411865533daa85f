"""What the entries of ``models:`` mean: every key, its unit and its default."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .demo_entries import DemoModel
from .fields import Frozen, HubSource, LocalPath


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
    license: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="of the model, as the hub calls licences (apache-2.0, llama3.1); "
        "cards of what is made from it name it. null: they say that it is not known",
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
