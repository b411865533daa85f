"""The families of models: one row each, which says where the neurons are.

To add a family, add a row to ``FAMILIES``, and a tiny model of it to the tests
(``tests/unit/tiny_models.py``). Its class comes with transformers; no code of others
is run. Names of modules are as ``model.named_modules()`` gives them, relative to one
decoder layer. Nothing here needs torch.

A job's spec holds the row of its model, so that a new row changes no job and an edit of
one changes those of its family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from langneurons.config.errors import DataError, unknown_name

KERNELS = ("sdpa", "eager", "flash_attention_2")
ONLY_CHECKED = frozenset({"model_type", "kernels", "position_ids", "classifier"})
"""Of a row, what decides whether a job may run and changes nothing in it."""
_SPLIT = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"}
_BART = _SPLIT | {"o": "out_proj"}
_FUSED = dict.fromkeys("qkv", "query_key_value")


@dataclass(frozen=True)
class Family:
    """A row of the table; the defaults are those of Llama, which many others follow.

    Attributes:
        model_type: as it stands in ``config.json``.
        act: the module that is the activation function; one in each layer.
        gate: the projection whose output the activation function takes.
        up: the projection it is multiplied with; None where there is none.
        down: the projection back to the residual stream.
        layers: name of the list of decoder layers.
        activation: configuration key with the activation's name, or ``=name``.
        attention: q, k, v and o to the end of the module's name, as PEFT takes it.
            Where one matrix computes several of them, they have the same name.
        kernels: ``attn_implementation`` that it has in transformers.
        position_ids: whether its attention is told by them where a document begins, so
            that those of a chunk can be kept apart.
        conv1d: whether projections store their weights as [in, out].
        classifier: whether transformers has a classifier of it, with a head ``score``.
    """

    model_type: str
    act: str = "mlp.act_fn"
    gate: str = "mlp.gate_proj"
    up: str | None = "mlp.up_proj"
    down: str = "mlp.down_proj"
    layers: str = "layers"
    activation: str = "hidden_act"
    attention: Mapping[str, str] = field(default_factory=lambda: _SPLIT)
    kernels: tuple[str, ...] = KERNELS
    position_ids: bool = True
    conv1d: bool = False
    classifier: bool = True

    def fixed_activation(self) -> str | None:
        """Return the activation's name where the architecture has only one."""
        return self.activation[1:] if self.activation.startswith("=") else None


FAMILIES: dict[str, Family] = {
    "llama": Family("llama"),
    "mistral": Family("mistral"),
    "qwen2": Family("qwen2"),
    "qwen3": Family("qwen3"),
    "gemma2": Family(
        "gemma2",
        activation="hidden_activation",
        kernels=("eager", "flash_attention_2"),
    ),
    "gemma3": Family("gemma3_text", activation="hidden_activation"),
    "olmo2": Family("olmo2"),
    "smollm3": Family("smollm3"),
    "gpt2": Family(
        "gpt2",
        act="mlp.act",
        gate="mlp.c_fc",
        up=None,
        down="mlp.c_proj",
        layers="h",
        activation="activation_function",
        # "c_proj" alone would also name the MLP's down projection.
        attention={"q": "c_attn", "k": "c_attn", "v": "c_attn", "o": "attn.c_proj"},
        conv1d=True,
    ),
    "bloom": Family(
        "bloom",
        act="mlp.gelu_impl",
        gate="mlp.dense_h_to_4h",
        up=None,
        down="mlp.dense_4h_to_h",
        layers="h",
        # Fixed in the code of BLOOM: 0.5 x (1 + tanh(0.79788456 x (1 + 0.044715 x^2))).
        activation="=gelu_pytorch_tanh",
        attention=_FUSED | {"o": "self_attention.dense"},
        kernels=("eager",),
        # Its positions are part of its attention mask.
        position_ids=False,
    ),
    "opt": Family(
        "opt",
        # Parts of the layer itself, which flattens its input to [tokens, hidden size].
        act="activation_fn",
        gate="fc1",
        up=None,
        down="fc2",
        activation="activation_function",
        attention=_BART,
        # Positions choose embeddings only; its mask is not made from them.
        position_ids=False,
    ),
    "xglm": Family(
        "xglm",
        act="activation_fn",
        gate="fc1",
        up=None,
        down="fc2",
        activation="activation_function",
        attention=_BART,
        kernels=("eager",),
        position_ids=False,  # as OPT
        classifier=False,
    ),
    "phi": Family(
        "phi",
        act="mlp.activation_fn",
        gate="mlp.fc1",
        up=None,
        down="mlp.fc2",
        attention=_SPLIT | {"o": "self_attn.dense"},
    ),
    "gpt_neox": Family(
        "gpt_neox",
        act="mlp.act",
        gate="mlp.dense_h_to_4h",
        up=None,
        down="mlp.dense_4h_to_h",
        attention=_FUSED | {"o": "attention.dense"},
    ),
    "cohere": Family("cohere", classifier=False),
    "cohere2": Family("cohere2", classifier=False),
}
_EXPERTS = (
    "a mixture of experts: a token runs through some of several MLPs, so that a neuron "
    "is of an expert and seldom computed, and what is recorded, compared and "
    "overwritten here is a neuron that every token has. Only dense models are known."
)
_ONE_MATRIX = (
    "its gate and up projection are one matrix (gate_up_proj): no module puts out the "
    "gate alone, and no matrix has a row per neuron, which recording and masked tuning "
    "need. Models with two matrices, or without a gate, are known."
)
_FUSED_MLP = ("phi3", "phi4_multimodal", "glm", "glm4")
_MIXTURES = (
    "afmoe", "cohere2_moe", "dbrx", "deepseek_v2", "deepseek_v3", "deepseek_v32",
    "deepseek_v4", "dots1", "ernie4_5_moe", "exaone_moe", "flex_olmo", "glm4_moe",
    "glm4_moe_lite", "gpt_oss", "granitemoe", "granitemoehybrid", "granitemoeshared",
    "hunyuan_v1_moe", "jamba", "jetmoe", "kimi_linear", "lfm2_moe", "llama4",
    "llama4_text", "longcat_flash", "minimax", "minimax_m2", "mistral4", "mixtral",
    "olmoe", "phimoe", "qwen2_moe", "qwen3_5_moe", "qwen3_moe", "qwen3_next",
    "qwen3_vl_moe",
)  # fmt: skip
TOGETHER = "do not take from positions where a document begins"
"""Why some cannot keep documents of a chunk apart, after whose models they are."""
REFUSED: Mapping[str, str] = {
    # By model_type, which one would also write as the family.
    **{name: f"{name} is {_EXPERTS}" for name in _MIXTURES},
    **{name: f"{name} is not supported: {_ONE_MATRIX}" for name in _FUSED_MLP},
    "gemma3": "This is the image-and-text Gemma 3; only its text-only sizes are known.",
}
"""Architectures that no row can describe, or that one takes for one of the table."""
HINT = (
    "A new family is one row of FAMILIES in nn/models/families.py: its model_type and "
    "the names of its activation function, its projections (gate, up, down) and its "
    "attention modules"
)


def find(name: str, where: str = "model") -> Family:
    """Look up a family.

    Args:
        name: as in the configuration.
        where: it is named, for the message.

    Raises:
        DataError: an unknown one; lists the known ones, and says how one is added.
    """
    if name not in FAMILIES:
        raise DataError(unknown(name, where))
    return FAMILIES[name]


def unknown(name: str, where: str) -> str:
    """Say that there is no such family, which ones there are, and how one is added.

    Or why there can be none.
    """
    if name in REFUSED:
        return f"{where}: {REFUSED[name]} Known: {', '.join(sorted(FAMILIES))}"
    return f"{unknown_name('model family', name, FAMILIES, where)}. {HINT}"


def of_type(model_type: str) -> str | None:
    """Name the family of a ``model_type`` in ``config.json``; None: there is none."""
    found = (name for name, row in FAMILIES.items() if row.model_type == model_type)
    return next(found, None)


def not_known(model_type: str) -> str:
    """Say of a ``model_type`` of no family what it is, or which ones there are."""
    if model_type in REFUSED:
        return REFUSED[model_type]
    return f"Known families: {', '.join(sorted(FAMILIES))}. {HINT}"


def described(name: str) -> dict[str, Any]:
    """Return what of a row can change a number, as plain JSON values for specs."""
    row = asdict(find(name))
    return {key: row[key] for key in row if key not in ONLY_CHECKED}
