"""Running the decoder under a head, on one device or split over several."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from langneurons.jobs.gpus import put


class Backbone:
    """The decoder inside a stock model, PEFT-wrapped or not.

    A large model lies on several GPUs, layer by layer. What goes in is sent to where
    the input embeddings are, and hidden states come back there (``device``), whatever
    device the last layer is on. A head computes where its own weights are.

    Attributes:
        model: the stock model, with its head.
        decoder: the part below the head.
        device: of inputs, of masks and of the hidden states returned.
    """

    def __init__(self, model: Any) -> None:
        wrapped = hasattr(model, "get_base_model")
        self.model = model.get_base_model() if wrapped else model
        self.decoder = getattr(self.model, self.model.base_model_prefix)
        taken = inspect.signature(self.decoder.forward).parameters
        self.takes_positions = "position_ids" in taken
        self.device = _place(self.model.get_input_embeddings())
        low = any(
            w.dtype in (torch.bfloat16, torch.uint8) for w in self.decoder.parameters()
        )
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

    @property
    def vocabulary(self) -> int:
        """Number of tokens that the output layer scores."""
        return int(self.model.config.get_text_config().vocab_size)

    def hidden(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Run the decoder without a cache; see ``step``."""
        out = self._run(ids, mask, positions, None, False)
        state: Tensor = out.last_hidden_state
        return state.to(self.device)

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
        return out.last_hidden_state.to(self.device), out.past_key_values

    def logits(self, states: Tensor) -> Tensor:
        """Apply a language model's output layer, on the device of its weights.

        Args:
            states: hidden states [..., size].

        Returns:
            Scores of the next token [..., vocabulary], float32 or better.
        """
        head = self.model.get_output_embeddings()
        states = states.to(_place(head))
        if not torch.is_autocast_enabled(states.device.type):
            states = states.to(head.weight.dtype)
        scores: Tensor = head(states)
        # Gemma 2 squashes its logits, Cohere's models scale them; a model's forward
        # pass does so after the head.
        config = self.model.config.get_text_config()
        cap = getattr(config, "final_logit_softcapping", None)
        if cap is not None:
            scores = torch.tanh(scores / cap) * cap
        scale = getattr(config, "logit_scale", None)
        if scale is not None:
            scores = scores * scale
        return scores if scores.dtype == torch.float64 else scores.float()

    def classes(self, features: Tensor) -> Tensor:
        """Apply a classifier's head.

        Args:
            features: float32 [rows, size].

        Returns:
            float32 [rows, labels], on ``device``.
        """
        head = self.model.score
        scores: Tensor = head(features.to(_place(head)))
        return scores.float().to(self.device)

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


def select(past: Any, rows: Sequence[int]) -> None:
    """Keep some rows of a cache, in this order; one that is named twice is copied.

    Args:
        past: cache from ``Backbone.step``, changed in place. Each of its layers may be
            on another device.
        rows: numbers of rows.
    """
    chosen, there = torch.tensor(rows), {}
    for layer in past.layers:
        device = layer.keys.device
        if device not in there:
            there[device] = put(chosen, device)
        layer.batch_select_indices(there[device])


def branch(past: Any, rows: Sequence[int]) -> Any:
    """Return a cache of some rows of another, which stays as it is; see ``select``."""
    other = copy.copy(past)
    other.layers = [copy.copy(layer) for layer in past.layers]
    select(other, rows)
    return other


def _place(module: nn.Module) -> torch.device:
    """Return the device of a module's weights."""
    return next(module.parameters()).device
