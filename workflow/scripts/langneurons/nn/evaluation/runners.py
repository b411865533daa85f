"""Which module trains and evaluates a task: decided by the task's ``OUTPUT``.

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

from langneurons.config.errors import ConfigError, unknown_name

MODULES = {"label": "classification", "text": "generation"}


def name(task: Any) -> str:
    """Name the module for a task; its code is part of what the task's jobs run.

    Args:
        task: a module of ``tasks``.

    Returns:
        ``nn.classification`` or ``nn.generation``.

    Raises:
        ConfigError: the task's ``OUTPUT`` is not known.
    """
    if task.OUTPUT not in MODULES:
        where = getattr(task, "__name__", "task")
        raise ConfigError(unknown_name("OUTPUT", task.OUTPUT, MODULES, where))
    return f"nn.{MODULES[task.OUTPUT]}"


def of(task: Any) -> Any:
    """Import the module for a task; see ``name``."""
    return importlib.import_module(f".{name(task)}", __package__.rpartition(".")[0])
