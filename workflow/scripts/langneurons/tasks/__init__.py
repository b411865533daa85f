"""Tasks: one module a kind, and what all kinds share in preparing items.

A module has

* ``OUTPUT``: ``label`` or ``text``, which decides what runs it (``nn.runners``),
* ``METRICS``: metric -> ``binary`` (0 or 1 an item) or ``score`` (0 to 1 an item); the
  first is the primary one; per-item tables have a column of each name,
* ``Parameters``, ``PUBLISHED``, and ``LABELS`` where the output is a label,
* ``TEST_ONLY``: names of parameters that training does not read,
* ``read_file(path)``, ``read_hub(source, language, split)``, ``read_items(path)``,
* ``metrics(predictions)``: metric -> mean over the items.

Items have an ``id``, their number in the file. Where a file or data set names the
language of each row (``row_languages``), its items have ``language`` as well, until
:func:`prepare` has taken those of the language at hand.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import ConfigError, DataError, unknown_name
from langneurons.text.row_languages import Own

from .common.items import sample


def load(kind: str) -> Any:
    """Import the module of a task kind."""
    known = [p.stem for p in Path(__file__).parent.glob("*.py") if p.stem[0] != "_"]
    if kind not in known:
        raise ConfigError(unknown_name("task kind", kind, known, "tasks"))
    return importlib.import_module(f"{__name__}.{kind}")


def prepare(spec: Mapping[str, Any], paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read the items of one language and split, and take the part that is used.

    Args:
        spec: ``task``, ``kind``, ``data`` (``hub``: the source of this split where it
            is on the hub), ``language``, ``split`` (train or test); with train
            ``train_fraction``, with test ``test_fraction`` (1 where it is absent),
            ``test_items``, ``test_seed``.
        paths: the file of a task that is given as files; empty for the hub.

    Returns:
        Training: the first ``train_fraction`` of the rows (methods.md 2.3: no shuffle
        before the cut). Test: the last
        ``test_fraction`` of the rows (methods.md 2.4: XQuAD's first part trains), all
        of them or a sample that is the same in every language.

    Raises:
        DataError: no source, no items, fewer than ``test_items``, or rows that name
            languages, but not this one.
    """
    task, split, language = load(spec["kind"]), spec["split"], spec["language"]
    source = spec["data"].get("hub")
    where = f"tasks.{spec['task']}, {split} {language}"
    if paths:
        place = f"{where}: {', '.join(map(str, paths))}"
        found = (item for path in paths for item in task.read_file(path))
    elif source:
        place = f"{where}: hub dataset {source['repo']}"
        found = task.read_hub(source, language, split)
    else:
        raise DataError(f"tasks.{spec['task']}.data: no file for {split} {language}")
    items = Own(language, place).of_items(found)
    if split == "train":
        items = items[: int(spec["train_fraction"] * len(items))]
    else:
        fraction = spec.get("test_fraction", 1.0)
        items = items[len(items) - round(fraction * len(items)) :]
        if spec["test_items"] is not None:
            if spec["test_items"] > len(items):
                raise DataError(
                    f"{where}: {len(items):,} items, but test_items is "
                    f"{spec['test_items']:,}; null takes all"
                )
            chosen = sample(len(items), spec["test_items"], spec["test_seed"])
            items = [items[row] for row in chosen]
    if not items:
        raise DataError(f"{where}: no items are left to use")
    return items
