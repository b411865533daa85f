"""Items of a split: read from files or the hub, of a pair those of both, and cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen
from langneurons.config.names import languages_of
from langneurons.text.row_languages import Own

from .items import sample

if TYPE_CHECKING:
    from .. import Item, Task


def read(
    task: Task[Frozen], spec: Mapping[str, Any], paths: Sequence[Path], where: str
) -> list[Item]:
    """Read the items of a language; of a pair those of both, and join them.

    Args:
        task: that reads them.
        spec: of ``tasks.prepare``.
        paths: likewise.
        where: names the task and split in messages.

    Raises:
        DataError: see ``tasks.prepare``.
    """
    language, hub = spec["language"], spec["data"].get("hub")
    own = [path for path in paths if path.name not in task.BESIDE]
    if not own and not hub:
        split = f"{spec['split']} {language}"
        raise DataError(f"tasks.{spec['task']}.data: no file for {split}")
    if not task.PAIRS or task.WORDS:
        return _of_one(task, spec, own, (language, where, hub))[0]
    both = languages_of(language)
    sources = hub or [None, None]
    each = [own[:1], own[1:]]
    found, places = [], []
    for code, given, source in zip(both, each, sources, strict=True):
        items, place = _of_one(task, spec, given, (code, f"{where}, {code}", source))
        found.append(items)
        places.append(place)
    return list(task.join(found[0], found[1], "; ".join(places)))


def _of_one(
    task: Task[Frozen],
    spec: Mapping[str, Any],
    paths: Sequence[Path],
    about: tuple[str, str, Mapping[str, Any] | None],
) -> tuple[list[Item], str]:
    """Read the items of one language; also say where they are from.

    Args:
        task: that reads them.
        spec: of ``tasks.prepare``.
        paths: files; none where they are on the hub.
        about: the language, what is read in messages, and the hub's data set.
    """
    language, where, source = about
    found: Iterable[Item]
    if paths or source is None:
        place = f"{where}: {', '.join(map(str, paths))}"
        found = (item for path in paths for item in task.read_file(path))
    else:
        place = f"{where}: hub dataset {source['repo']}"
        split = source.get("split", spec["split"])
        found = task.read_hub(source, language, split)
    return Own(language, place).of_items(found), place


def cut(items: list[Item], spec: Mapping[str, Any], where: str) -> list[Item]:
    """Return the part of the items that is used; see ``tasks.prepare``.

    Raises:
        DataError: there are fewer than ``test_items``, or none.
    """
    if spec["split"] == "train":
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
