"""Checks of adapters that somebody else trained, as far as their files are here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.grid import subjects
from langneurons.nn.models.adapter_files import FILES, Adapter

from . import model_shapes

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def problems(config: Config) -> list[str]:
    """List adapters that do not fit the tasks and models that they are tested on."""
    found = [x for one in subjects.adopted(config) for x in _problems(config, one)]
    return list(dict.fromkeys(found))


def base_name(config: Config, tuning: str, model: str) -> str | None:
    """Return what an adapter should call its base; None: nothing to compare with."""
    hub = config.model(model).hub
    return config.tuning(tuning).base or (hub.repo if hub else None)


def _problems(config: Config, one: subjects.OnTask) -> Iterator[str]:
    name, kind = one.tuning.entry, tasks.load(config.task(one.task).kind)
    entry, where = config.tuning(name), f"tunings.{name}"
    yield from _labels(entry.labels, kind.LABELS, f"{where}.labels", one.task)
    folder = entry.path
    if folder is None or not all(Path(folder, each).is_file() for each in FILES):
        return  # fetched; or told of where all files are looked for
    try:
        adapter = Adapter.read(folder, f"{where}: adapter {folder}")
        adapter.require_base(base_name(config, name, one.model))
        if shape := model_shapes.known(config).get(one.model):
            adapter.require_layers(shape[0])
        adapter.require_head(f"tasks.{one.task}", kind.LABELS)
    except DataError as error:
        yield str(error)


def _labels(
    given: tuple[str, ...] | None, classes: tuple[str, ...], where: str, task: str
) -> Iterator[str]:
    if given is None:
        return
    if not classes:
        yield f"{where}: tasks.{task} has no classes, so nothing reads it; leave it out"
    elif sorted(given) != sorted(classes):
        yield (
            f"{where}: {', '.join(given)}; needed is each class of tasks.{task} once, "
            f"in the adapter's own order: {', '.join(classes)}"
        )
