"""Which module trains and evaluates a task: decided by the task's ``LABELS``.

Such a module has

* ``HEAD``: the module trained in full, or None; ``TASK_TYPE``: PEFT's name of it,
* ``load(folder, task, device, attention)``: the stock model,
* ``encode(tokenizer, items, parameters, training, language)``: an ``Encoded`` with a
  length, ``ids`` and ``dropped``,
* ``require_fit(encoded, manifest, training)``: refuses items that are too long for the
  model or have tokens that it does not know,
* ``summed_loss(model, encoded)``: a function of item numbers, to be minimised,
* ``evaluate(model, encoded, micro_batch, intervention, family, label)``: the per-item
  table, with ``item`` and a column for each of the task's metrics.
"""

from __future__ import annotations

import importlib
from typing import Any

from langneurons.config.fields import Frozen
from langneurons.tasks import Task


def name(task: Task[Frozen]) -> str:
    """Name the module for a task; its code is part of what the task's jobs run.

    Returns:
        ``nn.evaluation.classification`` or ``nn.evaluation.generation``.
    """
    return f"nn.evaluation.{'classification' if task.LABELS else 'generation'}"


def of(task: Task[Frozen]) -> Any:
    """Import the module for a task; see ``name``."""
    return importlib.import_module(f"langneurons.{name(task)}")
