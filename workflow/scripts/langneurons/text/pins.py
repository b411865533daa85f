"""Sources on the hub whose revision a configuration does not say, and their newest.

``revision: null`` plans like any other, but is never fetched: a result would be of
whatever stood there that day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langneurons.config.errors import DataError

from . import hub


def unpinned(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the sources without a revision, in the order of the configuration.

    Args:
        config: as plain JSON values.

    Returns:
        For each its ``place`` (keys down to the source), ``kind`` (``model`` or
        ``dataset``) and ``repo``.
    """
    return [
        {
            "place": list(place),
            "kind": "model" if place[0] == "models" else "dataset",
            "repo": source["repo"],
        }
        for place, source in _sources(config, ())
        if source["revision"] is None
    ]


def _sources(
    value: Any, place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    if not isinstance(value, Mapping):
        return
    if {"repo", "revision"} <= value.keys():
        yield place, value
        return
    for key, inner in value.items():
        yield from _sources(inner, (*place, str(key)))


def as_yaml(sources: Sequence[Mapping[str, Any]]) -> str:
    """Ask the hub for the newest commits, and write them as a configuration would.

    Args:
        sources: from :func:`unpinned`.

    Returns:
        YAML, to be copied into the configuration or given as one more ``--configfile``.

    Raises:
        DataError: the hub knows some of them not; the others stand in the message.
    """
    import yaml

    found: dict[str, Any] = {}
    faults = []
    for source in sources:
        try:
            newest = hub.newest(source["kind"], source["repo"])
        except DataError as error:
            faults.append(f"{'.'.join(source['place'])}: {error}")
            continue
        block = found
        for key in source["place"]:
            block = block.setdefault(key, {})
        block["revision"] = newest
    text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True) if found else ""
    if faults:
        raise DataError("\n".join([*faults, *text.splitlines()]))
    return text or "# every source on the hub has a revision\n"
