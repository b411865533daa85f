"""What tasks that sort texts into classes share; a subclass is a whole task.

The texts of an item are written into one sequence, and a classifier on top of the model
reads it (Mondal et al. 2025, section 4; methods.md 2.3). See ``Classifier``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np
from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen
from langneurons.nn.evaluation.examples import Labelled, Reading

from .. import Item, Metric, Task
from . import labelled

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel
    from langneurons.nn.evaluation.open_model import OpenModel


class Parameters(Frozen):
    """How an item becomes a sequence, and where the classifier reads it."""

    max_length: int = Field(256, ge=8, description="tokens of an item")
    pool: Literal["padded_last", "last_real_token", "mean"] = Field(
        "padded_last",
        description="hidden state that the head reads:\n"
        "`padded_last`: of the last of max_length positions, a padding EOS (paper)\n"
        "`last_real_token`: of the last token of the text\n"
        "`mean`: the mean over the text",
    )
    drop_long: bool = Field(
        True,
        description="drop training items that fill max_length (paper), else cut them; "
        "test items are always cut",
    )


C = TypeVar("C", bound=Parameters)


class Classifier(Task[C], Generic[C]):
    """A task with ``LABELS`` whose items are texts in columns.

    A subclass gives ``PARAMETERS``, ``TITLE``, ``LABELS`` and ``COLUMNS``, and
    ``template`` if the texts are to be joined by more than a blank.

    Attributes:
        COLUMNS: names of the texts, in files and on the hub; ``label`` stands beside
            them.
    """

    COLUMNS: tuple[str, ...]
    METRICS = MappingProxyType({"accuracy": Metric("binary", "accuracy")})

    def template(self, parameters: C, eos: str | None) -> str:
        """Return what an item's sequence looks like, each column once: ``{name}``.

        Args:
            parameters: of the task.
            eos: the end-of-text token; None where the tokenizer has none.
        """
        return " ".join(f"{{{name}}}" for name in self.COLUMNS)

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return self._rows().read_file(path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return self._rows().read_hub(source, language, split)

    def read_items(self, path: Path | str) -> list[Item]:
        return self._rows().read_items(path)

    def _rows(self) -> labelled.Labelled:
        return labelled.Labelled(self.COLUMNS, self.LABELS)

    def longest(self, parameters: C) -> int:
        """Return the length that items are cut to."""
        return parameters.max_length

    def examples(self, lm: OpenModel, items: Sequence[Item], parameters: C) -> Labelled:
        """Return the items as sequences with labels; long ones may be left out.

        Raises:
            DataError: see ``encode``.
        """
        reading = self.reading(lm, parameters)
        tokens = self.encode(lm, items, parameters)
        limit, drop = parameters.max_length, parameters.drop_long
        kept = [i for i, ids in enumerate(tokens) if not (drop and len(ids) >= limit)]
        if not kept:
            raise DataError(
                f"no item is left of {len(items)}: none is shorter than "
                f"max_length={limit} tokens. Raise max_length or set drop_long: false"
            )
        return Labelled(
            tokens=[np.asarray(tokens[i], dtype=np.int64) for i in kept],
            labels=np.asarray([items[i]["label"] for i in kept], dtype=np.int64),
            reading=reading,
            dropped=len(items) - len(kept),
        )

    def evaluate(
        self, lm: LanguageModel, items: Sequence[Item], parameters: C, language: str
    ) -> pd.DataFrame:
        """Classify the items; see ``predictions`` for the table."""
        reading = self.reading(lm, parameters)
        tokens = self.encode(lm, items, parameters)
        return predictions(items, lm.classify(tokens, reading))

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``predictions``."""
        names = ", ".join(f"{i} {name}" for i, name in enumerate(self.LABELS))
        shown = {
            "accuracy": "true or false: whether prediction is gold",
            "gold": f"whole number: the right class ({names})",
            "prediction": "whole number: the class of the highest score; of equal "
            "ones the first",
        }
        for number, name in enumerate(self.LABELS):
            shown[f"logit_{number}"] = f"number: the head's score of {name}"
        return shown

    def reading(self, lm: OpenModel, parameters: C) -> Reading:
        """Say where the head reads a sequence.

        Raises:
            DataError: it is to read an EOS and the tokenizer has none.
        """
        if parameters.pool != "padded_last":
            return Reading(parameters.pool, parameters.max_length, lm.filler)
        if lm.eos is None:
            raise DataError(
                "the tokenizer has no EOS token, which pool 'padded_last' needs; use "
                "pool: last_real_token"
            )
        return Reading(parameters.pool, parameters.max_length, lm.eos)

    def encode(
        self, lm: OpenModel, items: Sequence[Item], parameters: C
    ) -> list[list[int]]:
        """Write each item into a sequence, cut to ``max_length`` tokens.

        Control tokens that an item's texts spell are characters of them; in a template
        they are tokens. What a template says at its end is read, so it survives the
        cut. What the tokenizer puts in front of a text (BOS) is there, what it puts
        behind (EOS) is not: the read-out is at the end of the text.

        Raises:
            DataError: there are no items, or the template's end alone is too long.
        """
        if not items:
            raise DataError("there are no items")
        template = lm.plain.control(self.template(parameters, lm.plain.eos))
        names = "|".join(self.COLUMNS)
        parts = re.split(rf"\{{({names})\}}", template)
        limit, end = parameters.max_length, lm.encode([parts[-1]])[0]
        if len(end) >= limit:
            raise DataError(
                f"the template ends in {len(end)} tokens; max_length is {limit}"
            )
        tokens = lm.encode([_filled(parts, item) for item in items], beginning=True)
        return [
            ids if len(ids) <= limit else ids[: limit - len(end)] + end
            for ids in tokens
        ]


def _filled(parts: Sequence[str], item: Item) -> str:
    """Put texts between the parts of a template; braces in the texts mean nothing."""
    return "".join(item[p] if i % 2 else p for i, p in enumerate(parts))


def predictions(items: Sequence[Item], scores: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Lay the scores of classes out, one row per item.

    Args:
        items: with ``id`` and ``label``.
        scores: float32 [items, labels].

    Returns:
        DataFrame: item int32, gold int8, prediction int8, accuracy bool (is it
        right), logit_0 ... float32. A tie goes to the lower label.
    """
    import pandas as pd

    gold = np.asarray([item["label"] for item in items], dtype=np.int64)
    best = scores.argmax(axis=1).astype(np.int8)
    found: dict[str, Any] = {
        "item": np.asarray([item["id"] for item in items], dtype=np.int32),
        "gold": gold.astype(np.int8),
        "prediction": best,
        "accuracy": best == gold,
    }
    for label in range(scores.shape[1]):
        found[f"logit_{label}"] = scores[:, label].astype(np.float32)
    return pd.DataFrame(found)
