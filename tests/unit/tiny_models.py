"""Tiny models of every supported family, built in memory with random fp32 weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from langneurons.nn.models import families

FAMILIES = (
    "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "olmo2", "smollm3",
    "gpt2", "bloom", "opt", "xglm", "phi", "gpt_neox", "cohere", "cohere2",
)  # fmt: skip
CLASSIFIERS = tuple(name for name in FAMILIES if families.find(name).classifier)
LAYERS, HIDDEN, WIDTH, VOCAB, PAD = 2, 16, 24, 40, 0


def config(family: str, **changes: Any) -> Any:
    """Configure two layers; BLOOM's MLP always is four times the hidden size."""
    import transformers as t

    # Large weights, so that activations differ from each other and from zero.
    common: dict[str, Any] = {"vocab_size": VOCAB, "pad_token_id": PAD, "num_labels": 3}
    common |= {"initializer_range": 0.3, "bos_token_id": 1, "eos_token_id": 2}
    common |= {"attn_implementation": "eager"}
    if family == "gpt2":
        sizes = {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": 2, "n_inner": WIDTH}
        return t.GPT2Config(**{**common, **sizes, "n_positions": 64, **changes})
    if family == "bloom":
        sizes = {"hidden_size": HIDDEN, "n_layer": LAYERS, "n_head": 2}
        return t.BloomConfig(**{**common, **sizes, **changes})
    if family in ("opt", "xglm"):
        common |= {"ffn_dim": WIDTH, "init_std": 0.3, "max_position_embeddings": 64}
    if family == "opt":
        sizes = {"hidden_size": HIDDEN, "word_embed_proj_dim": HIDDEN}
        sizes |= {"num_hidden_layers": LAYERS, "num_attention_heads": 2}
        return t.OPTConfig(**{**common, **sizes, **changes})
    if family == "xglm":
        sizes = {"d_model": HIDDEN, "num_layers": LAYERS, "attention_heads": 2}
        return t.XGLMConfig(**{**common, **sizes, **changes})
    common |= {"hidden_size": HIDDEN, "intermediate_size": WIDTH, "head_dim": 8}
    common |= {"num_hidden_layers": LAYERS, "num_attention_heads": 2}
    common |= {"num_key_value_heads": 1, "max_position_embeddings": 64}
    if family in ("qwen2", "olmo2", "smollm3", "phi", "gpt_neox", "cohere", "cohere2"):
        del common["head_dim"]
    if family in ("mistral", "gemma2", "gemma3", "cohere2"):
        common["sliding_window"] = 16
    if family == "cohere2":
        common["layer_types"] = ["sliding_attention", "full_attention"]
    kinds = {
        "llama": t.LlamaConfig,
        "mistral": t.MistralConfig,
        "qwen2": t.Qwen2Config,
        "qwen3": t.Qwen3Config,
        "gemma2": t.Gemma2Config,
        "gemma3": t.Gemma3TextConfig,
        "olmo2": t.Olmo2Config,
        "smollm3": t.SmolLM3Config,
        "phi": t.PhiConfig,
        "gpt_neox": t.GPTNeoXConfig,
        "cohere": t.CohereConfig,
        "cohere2": t.Cohere2Config,
    }
    return kinds[family](**{**common, **changes})


def build(family: str, head: str = "causal", seed: int = 0, **changes: Any) -> Any:
    """Build a model in evaluation mode.

    Args:
        family: one of ``FAMILIES``.
        head: ``base`` (none), ``causal`` or ``classifier`` (3 labels, head ``score``;
            of ``CLASSIFIERS`` only).
        seed: of the weights.
        changes: keys of the configuration.
    """
    import transformers as t

    auto = {
        "base": t.AutoModel,
        "causal": t.AutoModelForCausalLM,
        "classifier": t.AutoModelForSequenceClassification,
    }[head]
    torch.manual_seed(seed)
    return auto.from_config(config(family, **changes)).float().eval()


def tokens(rows: int = 3, length: int = 10, seed: int = 0) -> torch.Tensor:
    """Draw random token ids, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, VOCAB, (rows, length), generator=generator)


def heads(*wanted: str) -> list[tuple[str, str]]:
    """Pair each family with the heads that it has."""
    return [
        (family, head)
        for family in FAMILIES
        for head in wanted
        if head != "classifier" or family in CLASSIFIERS
    ]


def opened(model: Any, tokenizer: Any = None, micro_batch: Any = 3) -> Any:
    """Open a model that is in memory already as a ``LanguageModel``.

    Args:
        model: from ``build``, PEFT-wrapped or not.
        tokenizer: None: one that only knows which tokens end and pad a text.
        micro_batch: sequences per forward pass.
    """
    from langneurons.nn.evaluation.language_model import LanguageModel

    if tokenizer is None:
        tokenizer = SimpleNamespace(eos_token_id=2, pad_token_id=PAD)
    return LanguageModel.of(model, tokenizer).in_batches(micro_batch)
