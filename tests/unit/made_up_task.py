"""A task that nothing outside this file knows: a real metric, and one of all items."""

from __future__ import annotations

import sys
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from langneurons import tasks
from langneurons.config.catalogue import Frozen
from langneurons.nn.evaluation.examples import Answered
from langneurons.tables.common.metrics import Shown
from langneurons.tasks import Metric, Size, Task

KIND = "stories"


class Parameters(Frozen):
    """Nothing is to be set."""

    words: int = 60


class Stories(Task[Parameters]):
    """How much likelier the right ending of a story is than the wrong one."""

    PARAMETERS = Parameters
    TITLE = "Made-up endings"
    METRICS = MappingProxyType(
        {
            "gain": Metric(
                "real", "gain of the ending", unit="nats", decimals=2, matters=0.3
            ),
            "chrf": Metric("corpus", "chrF", unit="", group="text"),
            "worse": Metric("corpus", "chrF of the wrong ending", unit="", drawn=False),
        }
    )
    SIZE = Size(1_000, 100, 50, 70, "made up")
    NOTES = ("how much likelier the right ending is.", "chrF is of all items.")

    def read_file(self, path: Any) -> Any:
        return iter(())

    def read_hub(self, source: Any, language: Any, split: Any) -> Any:
        return iter(())

    def read_items(self, path: Any) -> Any:
        return []

    def evaluate(self, lm: Any, items: Any, parameters: Any, language: str) -> Any:
        raise NotImplementedError

    def generates(self, parameters: Any) -> int:
        return 5

    def longest(self, parameters: Any) -> int:
        return int(parameters.words)

    def examples(self, lm: Any, items: Any, parameters: Any) -> Any:
        begun, ends = (
            [np.array(ids) for ids in lm.encode([item[key] for item in items])]
            for key in ("story", "ending")
        )
        return Answered(begun, ends, "answer_only")


TASK = Stories()
GAIN, CHRF = (Shown.of(name, TASK.METRICS[name]) for name in ("gain", "chrf"))


def add(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the task where files of tasks are."""
    name = f"{tasks.__name__}.{KIND}"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(TASK=TASK))  # type: ignore[arg-type]
    known = tasks.kinds()
    monkeypatch.setattr(tasks, "kinds", lambda: sorted([*known, KIND]))
