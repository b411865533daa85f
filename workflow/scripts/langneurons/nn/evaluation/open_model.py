"""A pinned model: its tokenizer at once, its weights when they are first needed.

So inputs that the model cannot read are refused before its weights are, which takes
minutes for a large one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from langneurons.config.errors import DataError
from langneurons.jobs import manifests
from langneurons.nn.models import folders, loading, tuned
from langneurons.nn.models.tokenizing import PlainText, padding_side

from .examples import Examples, Ids, Labelled

if TYPE_CHECKING:
    from typing import Self


class _Shared:
    """What all treatments of a model have in common, each made once.

    Args:
        tokenizer: of the model.
        load: returns the model.
    """

    def __init__(self, tokenizer: Any, load: Callable[[], Any]) -> None:
        self.tokenizer, self._load = tokenizer, load
        # Every treatment of a job reads the same texts.
        self.encode = lru_cache(maxsize=4)(self._encode)
        self.with_ends = lru_cache(maxsize=4)(self._with_ends)

    @cached_property
    def model(self) -> Any:
        return self._load()

    @cached_property
    def plain(self) -> PlainText:
        return PlainText(self.tokenizer)

    def _encode(self, texts: tuple[str, ...], beginning: bool) -> list[list[int]]:
        return self.plain(texts, beginning) if texts else []

    def _with_ends(self, texts: tuple[str, ...]) -> list[tuple[list[int], list[int]]]:
        return self.plain.with_ends(texts, beginning=True) if texts else []


class OpenModel:
    """A model whose weights are loaded when they are first needed.

    Args:
        tokenizer: of the model.
        manifest: of the model: ``model``, ``vocab_size``, ``positions``.
        load: returns the stock model, PEFT-wrapped or not, in evaluation mode.
        family: see ``architectures.mlp_sites``.

    Attributes:
        tokenizer: of the model.
    """

    def __init__(
        self,
        tokenizer: Any,
        manifest: Mapping[str, Any],
        load: Callable[[], Any],
        *,
        family: str | None = None,
    ) -> None:
        self.tokenizer, self.family = tokenizer, family
        self._manifest, self._shared = manifest, _Shared(tokenizer, load)

    @classmethod
    def open(
        cls,
        manifest: Path,
        device: str,
        *,
        labels: int = 0,
        adapter: Path | None = None,
        prepared: bool = False,
        attention: str | None = None,
        family: str | None = None,
    ) -> Self:
        """Open a pinned folder.

        Args:
            manifest: of the model, in its folder.
            device: ``cpu`` or ``cuda``.
            labels: classes of a classifier; 0: a language model.
            adapter: folder of a saved adapter; None: the model as it is.
            prepared: without an adapter too, in the precisions that it has below one.
            attention: ``attn_implementation`` of transformers; None: its own choice.
            family: see ``architectures.mlp_sites``.
        """
        folder = manifest.parent

        def load() -> Any:
            if labels:
                model = loading.load_classifier(
                    folder, labels, device, attention=attention
                )
            else:
                model = loading.load_causal(folder, device, attention=attention)
            if adapter is None and not prepared:
                return model
            return tuned.open_adapter(model, adapter)

        known = manifests.read_model(manifest)
        return cls(loading.load_tokenizer(folder), known, load, family=family)

    @classmethod
    def of(cls, model: Any, tokenizer: Any, *, family: str | None = None) -> Self:
        """Take a model that is in memory already.

        Args:
            model: of transformers, with a head, PEFT-wrapped or not, in evaluation
                mode. It stays as it is.
            tokenizer: of the model, one of the fast kind.
            family: see ``architectures.mlp_sites``.

        Raises:
            DataError: the model is in training mode, where dropout changes results.
        """
        if model.training:
            raise DataError("the model is in training mode; call model.eval() first")
        config = model.config.get_text_config()
        name = model.config.name_or_path or type(model).__name__
        known = {
            "model": name,
            "vocab_size": config.vocab_size,
            "positions": folders.positions(config.to_dict(), name),
        }
        return cls(tokenizer, known, lambda: model, family=family)

    @property
    def model(self) -> Any:
        """The stock model, PEFT-wrapped where it has an adapter; loaded once."""
        return self._shared.model

    @property
    def plain(self) -> PlainText:
        """The tokenizer for which control tokens in texts are characters."""
        return self._shared.plain

    @property
    def eos(self) -> int | None:
        """Token that ends a text; None where the tokenizer has none."""
        token: int | None = self.tokenizer.eos_token_id
        return token

    @property
    def prefix(self) -> list[int]:
        """What lm-evaluation-harness puts before a text of its own: BOS, else EOS."""
        begins = self.tokenizer.bos_token_id
        token = self.eos if begins is None else begins
        return [] if token is None else [int(token)]

    @property
    def padding_side(self) -> str:
        """Side that the tokenizer pads on as its makers have it: left or right."""
        return padding_side(self.tokenizer)

    @property
    def filler(self) -> int:
        """Token in place of padding, where nothing sees it."""
        pad = self.tokenizer.pad_token_id
        return int((self.eos or 0) if pad is None else pad)

    def encode(self, texts: Sequence[str], beginning: bool = False) -> list[list[int]]:
        """Encode texts, uncut and without padding; see ``PlainText``.

        Args:
            texts: control tokens that they spell are characters, unless marked by
                ``plain.control``.
            beginning: put the tokens in front that the tokenizer puts there by itself,
                such as BOS.
        """
        return [list(ids) for ids in self._shared.encode(tuple(texts), beginning)]

    def encode_with_ends(
        self, texts: Sequence[str]
    ) -> list[tuple[list[int], list[int]]]:
        """Encode texts from their beginning, and say where in a text each token ends.

        Args:
            texts: see ``encode``.

        Returns:
            For each text its token ids, and per token the number of characters up to
            its end; 0 for what the tokenizer puts in front.
        """
        coded = self._shared.with_ends(tuple(texts))
        return [(list(ids), list(ends)) for ids, ends in coded]

    def decode(self, tokens: Sequence[int], stop: Sequence[str] = ()) -> str:
        """Turn generated tokens into text, without control tokens.

        Args:
            tokens: token ids.
            stop: the text ends before the first of these.
        """
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        ends = [text.find(each) for each in stop if each in text]
        return text[: min(ends)] if ends else text

    def require_positions(self, length: int, what: str, keys: str) -> None:
        """Refuse inputs longer than the model allows; see ``folders``."""
        folders.require_positions(self._manifest, length, what, keys)

    def require_tokens(self, sequences: Sequence[Ids]) -> None:
        """Refuse sequences that are empty, or have tokens without an embedding."""
        if not sequences:
            raise DataError("there are no items")
        if not all(len(ids) for ids in sequences):
            raise DataError("an item has no tokens; is its text empty?")
        if (lowest := min(int(ids.min()) for ids in sequences)) < 0:
            raise DataError(f"token {lowest} is no token; they are numbered from 0")
        highest = max(int(ids.max()) for ids in sequences)
        folders.require_tokens(self._manifest, max(highest, self.filler))

    def require_fit(self, examples: Examples) -> None:
        """Refuse training items that the model has no positions or embeddings for."""
        texts = examples.texts
        if isinstance(examples, Labelled):
            longest, what = examples.reading.length, "max_length"
            texts.append(np.array([examples.reading.filler]))
        else:
            pairs = zip(examples.prompts, examples.answers, strict=True)
            longest, what = max(len(p) + len(a) for p, a in pairs), "an item"
        self.require_tokens(texts)
        self.require_positions(longest, what, "the task's max_length")
