"""Models of real sizes with random weights, and text to run them on.

Nothing is fetched. Vocabularies are cut where that only shortens the embedding: no
benchmark but ``generation`` has a language model's head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import ConfigError, unknown_name
from langneurons.nn.evaluation.language_model import LanguageModel
from langneurons.nn.models import tuned
from langneurons.nn.models.quantising import SKIPPED, nf4_config

from .measuring import Setting

PAD, FIRST_TOKEN = 0, 3
NO_TOKEN = -1


@dataclass(frozen=True)
class Shape:
    """Sizes of a model.

    Attributes:
        what: in words.
        family: key of ``families.FAMILIES``; empty: there is no model to run.
        config: class of transformers.
        sizes: its keys.
        dtypes: of the weights, by device on which it can run.
    """

    what: str
    family: str = ""
    config: str = ""
    sizes: dict[str, Any] = field(default_factory=dict)
    dtypes: dict[str, tuple[str, ...]] = field(default_factory=dict)


_ANYWHERE: dict[str, tuple[str, ...]] = {"cpu": ("float32",), "cuda": ("bfloat16",)}
# In float32 they do not fit into the memory of usual machines without a GPU.
_GPU_ONLY: dict[str, tuple[str, ...]] = {"cuda": ("bfloat16", "nf4")}

SHAPES: dict[str, Shape] = {
    "tiny": Shape(
        "two layers of 24 neurons: whether the code works, not how fast it is",
        "llama",
        "LlamaConfig",
        dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2)
        | dict(num_attention_heads=2, num_key_value_heads=1, head_dim=8)
        | dict(vocab_size=64, max_position_embeddings=2048, initializer_range=0.3),
        _ANYWHERE,
    ),
    "gemma270m": Shape(
        "Gemma 3 270M with a vocabulary of 8,192",
        "gemma3",
        "Gemma3TextConfig",
        dict(hidden_size=640, intermediate_size=2048, num_hidden_layers=18)
        | dict(num_attention_heads=4, num_key_value_heads=1, head_dim=256)
        | dict(query_pre_attn_scalar=256, sliding_window=512, vocab_size=8192)
        | dict(max_position_embeddings=32768),
        _ANYWHERE,
    ),
    "llama8b": Shape(
        "Llama 3.1 8B with a vocabulary of 8,192",
        "llama",
        "LlamaConfig",
        dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32)
        | dict(num_attention_heads=32, num_key_value_heads=8, vocab_size=8192)
        | dict(max_position_embeddings=131072, rms_norm_eps=1e-5),
        _GPU_ONLY,
    ),
    "nemo": Shape(
        "Mistral Nemo 12B with a vocabulary of 8,192",
        "mistral",
        "MistralConfig",
        dict(hidden_size=5120, intermediate_size=14336, num_hidden_layers=40)
        | dict(num_attention_heads=32, num_key_value_heads=8, head_dim=128)
        | dict(vocab_size=8192, max_position_embeddings=131072, sliding_window=None),
        _GPU_ONLY,
    ),
    "bridge": Shape(
        "4,589 neurons of each language in 12 layers, 500 probes, 6 candidates"
    ),
    "llama70b": Shape("counts of 80 layers x 28,672 neurons x 30 languages"),
    "paper_items": Shape("scores of the paper's test items, 10,000 resamples"),
}


def shape(name: str) -> Shape:
    """Look a shape up.

    Raises:
        ConfigError: no such shape.
    """
    if name not in SHAPES:
        raise ConfigError(unknown_name("shape", name, SHAPES, "--shapes"))
    return SHAPES[name]


def settings(
    names: Sequence[str], device: str, repeats: int, any_device: bool = False
) -> list[Setting]:
    """List where a benchmark of models runs: its shapes, in each dtype they come in.

    Args:
        names: of shapes.
        device: ``cpu`` or ``cuda``; shapes that cannot run there are left out.
        repeats: rounds.
        any_device: no model is run, so no shape is left out.
    """
    if any_device:
        return [Setting(name, repeats=repeats) for name in names]
    return [
        Setting(name, dtype, device, repeats)
        for name in names
        for dtype in shape(name).dtypes.get(device, ())
    ]


def configuration(name: str) -> Any:
    """Build the transformers configuration of a shape."""
    import transformers

    given = shape(name)
    fixed = dict(pad_token_id=PAD, bos_token_id=1, eos_token_id=2, num_labels=3)
    return getattr(transformers, given.config)(**fixed | given.sizes)


def build(setting: Setting, head: str = "base", seed: int = 0) -> Any:
    """Build a model with random weights in eval mode; the same seed, the same weights.

    Weights are made on the device where they stay. For nf4 they are made in bfloat16
    and replaced matrix by matrix, so that only one is there twice.

    Args:
        setting: shape, dtype and device.
        head: ``base`` (none, the class that ``models.load_base`` loads), ``causal`` or
            ``classifier``.
        seed: of the weights.
    """
    import transformers

    auto: Any = {
        "base": transformers.AutoModel,
        "causal": transformers.AutoModelForCausalLM,
        "classifier": transformers.AutoModelForSequenceClassification,
    }[head]
    dtype = torch.float32 if setting.dtype == "float32" else torch.bfloat16
    torch.manual_seed(seed)
    with torch.device(setting.device):
        model = auto.from_config(configuration(setting.shape), dtype=dtype)
    if setting.dtype == "nf4":
        _quantise(model, setting.device)
    # Backbones are measured as they are loaded; tasks prepare their model first.
    return model.eval() if head == "base" else tuned.prepare(model)


def opened(model: Any, micro_batch: int) -> LanguageModel:
    """Open a model from ``build`` as evaluations do, to run so many items at once."""
    tokenizer = SimpleNamespace(eos_token_id=NO_TOKEN, pad_token_id=PAD)
    return LanguageModel.of(model, tokenizer).in_batches(micro_batch)


def _quantise(model: Any, device: str) -> None:
    """Put 4-bit matrices in the place of linear layers, as a quantised model has."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    wanted = nf4_config()
    for name, old in list(model.named_modules()):
        above, _, last = name.rpartition(".")
        if not isinstance(old, nn.Linear) or last in SKIPPED:
            continue
        with torch.device("meta"):
            new = Linear4bit(
                old.in_features,
                old.out_features,
                bias=old.bias is not None,
                compute_dtype=wanted.bnb_4bit_compute_dtype,
                compress_statistics=wanted.bnb_4bit_use_double_quant,
                quant_type=wanted.bnb_4bit_quant_type,
            )
        new.weight = Params4bit(
            old.weight.data,
            requires_grad=False,
            compress_statistics=wanted.bnb_4bit_use_double_quant,
            quant_type=wanted.bnb_4bit_quant_type,
            module=new,
        ).to(device)
        new.bias = old.bias
        setattr(model.get_submodule(above), last, new)
    # What transformers says of a model that it quantised, and PEFT asks for.
    model.is_loaded_in_4bit = True


def token_ids(setting: Setting, rows: int, length: int, seed: int = 0) -> Tensor:
    """Draw random tokens, int64 [rows, length], none of them special."""
    words = configuration(setting.shape).vocab_size
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(FIRST_TOKEN, words, (rows, length), generator=generator)


def item_lengths(items: int, longest: int, seed: int = 0) -> list[int]:
    """Draw lengths like those of XNLI's pairs: log-normal, 45 tokens on average."""
    rng = np.random.default_rng(seed)
    drawn = np.exp(rng.normal(np.log(41), 0.43, items))
    return np.clip(drawn.round(), 5, longest).astype(int).tolist()


def share_of_neurons(layers: int, width: int, share: float) -> dict[int, list[int]]:
    """Choose neurons of each layer, at least one: layer -> sorted ids."""
    rng = np.random.default_rng(0)
    count = max(1, round(share * width))
    return {
        layer: sorted(rng.choice(width, count, replace=False).tolist())
        for layer in range(layers)
    }
