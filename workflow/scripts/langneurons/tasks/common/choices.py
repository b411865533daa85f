"""What tasks that choose among continuations share; a subclass is a whole task.

The continuation with the largest sum of log-probabilities is the model's choice. See
``Choices``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen
from langneurons.nn.evaluation.examples import Likelihood

from .. import Item, Metric, Task
from .continuations import Boundary, Continued, Padding, score

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel

C = TypeVar("C", bound=Frozen)


class Option(NamedTuple):
    """A possible choice, as it is scored: a text behind its context.

    Attributes:
        context: text before it, from the beginning.
        join: what stands between the two, a blank for example.
        text: whose likelihood counts; divided by its characters, for one metric.
    """

    context: str
    join: str
    text: str


def options(context: str, join: str, texts: Sequence[str]) -> list[Option]:
    """Let all choices follow one context."""
    return [Option(context, join, text) for text in texts]


class Choices(Task[C], Generic[C]):
    """A task whose items are texts behind contexts: one for all, or one for each.

    A subclass gives ``PARAMETERS``, ``TITLE``, ``OPTIONS``, how items are read, and
    ``wording``; items have the right option as ``label``, numbered from 0.

    Attributes:
        OPTIONS: what the options of an item are called, in their order.
    """

    OPTIONS: tuple[str, ...]
    CONTINUES = True
    METRICS = MappingProxyType(
        {
            "correct": Metric("binary", "accuracy"),
            "correct_token": Metric(
                "binary",
                "accuracy per token",
                about="log-probabilities divided by tokens",
                drawn=False,
            ),
            "correct_char": Metric(
                "binary",
                "accuracy per character",
                about="log-probabilities divided by characters",
                drawn=False,
            ),
        }
    )
    NOTES = (
        "share of items whose right option has the largest sum of log-probabilities "
        "(accuracy), or the largest mean over its tokens or characters.",
    )

    @abstractmethod
    def wording(self, item: Item, parameters: C, language: str) -> Sequence[Option]:
        """Write the choices of an item, in the order of ``OPTIONS``.

        None at all say that the item is not asked: it has no row in the table.

        Args:
            item: a test item.
            parameters: of the task.
            language: of the item.
        """
        ...

    def scoring(self, parameters: C) -> tuple[Boundary, Padding]:
        """Say where options begin and what padding does; see ``score``."""
        return "offsets", "exact"

    def evaluate(
        self, lm: LanguageModel, items: Sequence[Item], parameters: C, language: str
    ) -> pd.DataFrame:
        """Score the options of every item that is asked; see ``table``.

        Raises:
            DataError: no item is, or see ``score``.
        """
        written = [self.wording(item, parameters, language) for item in items]
        asked = [item for item, each in zip(items, written, strict=True) if each]
        if not asked:
            raise DataError(
                f"{language}: none of {len(items)} items can be asked; see the task's "
                "parameters"
            )
        written = list(filter(None, written))
        given = [
            Continued(item["id"], [(one.context, one.join + one.text) for one in each])
            for item, each in zip(asked, written, strict=True)
        ]
        boundary, padding = self.scoring(parameters)
        found = score(lm, given, boundary=boundary, padding=padding)
        return table(asked, found, [[one.text for one in each] for each in written])

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``table``."""
        names = ", ".join(f"{i} {name}" for i, name in enumerate(self.OPTIONS))
        largest = "true or false: whether the right option has the largest"
        shown = {
            "correct": f"{largest} sum of log-probabilities",
            "correct_token": f"{largest} mean log-probability over its tokens",
            "correct_char": f"{largest} sum of log-probabilities divided by its "
            "characters, without the blank before it",
            "label": f"whole number: the right option ({names})",
            "choice": "whole number: the option with the largest sum of "
            "log-probabilities; of equal ones the first",
        }
        for number, name in enumerate(self.OPTIONS):
            shown[f"logprob_{number}"] = (
                f"number, in nats: sum of the log-probabilities of the tokens of {name}"
            )
            shown[f"tokens_{number}"] = f"whole number: tokens of {name}"
        return shown


def table(
    items: Sequence[Item],
    found: Sequence[Likelihood],
    texts: Sequence[Sequence[str]],
) -> pd.DataFrame:
    """Lay the scores of options out, one row per item.

    Args:
        items: with ``id`` and ``label``.
        found: per item, the likelihoods of its options.
        texts: per item, its options, as they are divided by their characters.

    Returns:
        DataFrame: item int32, label and choice int8; correct, correct_token and
        correct_char bool (a tie goes to the first option); logprob_0 ... float64
        (nats), tokens_0 ... int32.
    """
    import pandas as pd

    logs = np.stack([one.logprob for one in found])
    tokens = np.stack([one.tokens for one in found])
    characters = np.array([[max(len(text), 1) for text in each] for each in texts])
    label = np.asarray([item["label"] for item in items], dtype=np.int64)
    choice = logs.argmax(axis=1)
    columns: dict[str, Any] = {
        "item": np.asarray([item["id"] for item in items], dtype=np.int32),
        "correct": choice == label,
        "correct_token": (logs / tokens).argmax(axis=1) == label,
        "correct_char": (logs / characters).argmax(axis=1) == label,
        "label": label.astype(np.int8),
        "choice": choice.astype(np.int8),
    }
    for number in range(logs.shape[1]):
        columns[f"logprob_{number}"] = logs[:, number]
        columns[f"tokens_{number}"] = tokens[:, number].astype(np.int32)
    return pd.DataFrame(columns)
