"""Running the decoder under a head: what classification and generation share."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs.gpus import put


class Backbone:
    """The decoder inside a stock model, PEFT-wrapped or not.

    Attributes:
        model: the stock model, with its head.
        decoder: the part below the head.
        device: where its weights are.
    """

    def __init__(self, model: Any) -> None:
        wrapped = hasattr(model, "get_base_model")
        self.model = model.get_base_model() if wrapped else model
        self.decoder = getattr(self.model, self.model.base_model_prefix)
        taken = inspect.signature(self.decoder.forward).parameters
        self.takes_positions = "position_ids" in taken
        weights = list(self.decoder.parameters())
        self.device = weights[0].device
        low = any(w.dtype in (torch.bfloat16, torch.uint8) for w in weights)
        # In float32 models autocast would only lose precision.
        self.low = self.device.type == "cuda" and low

    @property
    def autocast(self) -> torch.autocast:
        """Context of a forward pass: bfloat16 around low-precision weights on a GPU."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.low)

    @property
    def sliding_window(self) -> int | None:
        """Return how far the attention of a layer reaches back; None for all."""
        config = self.model.config.get_text_config()
        window: int | None = getattr(config, "sliding_window", None)
        return window

    def require_positions(self, length: int, what: str, keys: str) -> None:
        """Refuse sequences longer than a table of learned positions (GPT-2).

        Args:
            length: tokens of the longest sequence.
            what: is so long.
            keys: of the task's parameters that make it shorter.
        """
        table = getattr(self.decoder, "wpe", None)
        if isinstance(table, nn.Embedding) and table.num_embeddings < length:
            raise DataError(
                f"{what} is {length} tokens, but the model has only "
                f"{table.num_embeddings} positions; lower the task's {keys}"
            )

    def hidden(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Run the decoder without a cache; see ``step``."""
        state: Tensor = self._run(ids, mask, positions, None, False).last_hidden_state
        return state

    def step(
        self, ids: Tensor, mask: Tensor, positions: Tensor, past: Any = None
    ) -> tuple[Tensor, Any]:
        """Run the decoder over new tokens and remember them.

        Args:
            ids: int64 [rows, new tokens].
            mask: int64 [rows, remembered and new tokens], 1 for text.
            positions: int64 [rows or 1, new tokens].
            past: cache that the call before returned; None for none.

        Returns:
            The last hidden states [rows, new tokens, hidden size], and the cache.
        """
        out = self._run(ids, mask, positions, past, True)
        return out.last_hidden_state, out.past_key_values

    def logits(self, states: Tensor) -> Tensor:
        """Apply a language model's output layer.

        Args:
            states: hidden states [..., size].

        Returns:
            Scores of the next token [..., vocabulary], float32 or better.
        """
        head = self.model.get_output_embeddings()
        if not torch.is_autocast_enabled(self.device.type):
            states = states.to(head.weight.dtype)
        scores: Tensor = head(states)
        # Gemma 2 squashes its logits; a model's forward pass does so after the head.
        config = self.model.config.get_text_config()
        cap = getattr(config, "final_logit_softcapping", None)
        if cap is not None:
            scores = torch.tanh(scores / cap) * cap
        return scores if scores.dtype == torch.float64 else scores.float()

    def _run(
        self, ids: Tensor, mask: Tensor, positions: Tensor, past: Any, cache: bool
    ) -> Any:
        options: dict[str, Any] = {}
        if self.takes_positions:
            options["position_ids"] = put(positions, self.device)
        if past is not None:
            options["past_key_values"] = past
        return self.decoder(
            input_ids=put(ids, self.device),
            attention_mask=put(mask, self.device),
            use_cache=cache,
            **options,
        )
