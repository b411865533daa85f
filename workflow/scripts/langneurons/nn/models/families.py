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
ONLY_CHECKED = frozenset({"model_type", "kernels", "position_ids", "lookalikes"})
"""Of a row, what decides whether a job may run and changes nothing in it."""
_SPLIT = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"}


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
        position_ids: whether positions can be given, so that documents of a chunk can
            be kept apart.
        conv1d: whether projections store their weights as [in, out].
        lookalikes: other values of ``model_type`` that one may take for it, and what
            they are.
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
    lookalikes: Mapping[str, str] = field(default_factory=dict)

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
    "gemma3": Family(
        "gemma3_text",
        activation="hidden_activation",
        lookalikes={
            "gemma3": "This is the image-and-text Gemma 3; only its text-only sizes "
            "are known."
        },
    ),
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
        attention=dict.fromkeys("qkv", "query_key_value")
        | {"o": "self_attention.dense"},
        kernels=("eager",),
        # Its positions are part of its attention mask.
        position_ids=False,
    ),
}
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
    """Say that there is no such family, which ones there are, and how one is added."""
    return f"{unknown_name('model family', name, FAMILIES, where)}. {HINT}"


def of_type(model_type: str) -> str | None:
    """Name the family of a ``model_type`` in ``config.json``; None: there is none."""
    found = (name for name, row in FAMILIES.items() if row.model_type == model_type)
    return next(found, None)


def not_known(model_type: str) -> str:
    """Say of a ``model_type`` of no family what it is, or which ones there are."""
    for row in FAMILIES.values():
        if model_type in row.lookalikes:
            return row.lookalikes[model_type]
    return f"Known families: {', '.join(sorted(FAMILIES))}. {HINT}"


def described(name: str) -> dict[str, Any]:
    """Return what of a row can change a number, as plain JSON values for specs."""
    row = asdict(find(name))
    return {key: row[key] for key in row if key not in ONLY_CHECKED}
