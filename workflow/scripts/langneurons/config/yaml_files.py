"""Configuration files as they are written, before anything is merged.

Snakemake reads them too, but it keeps the last of two equal keys without a word, and
does not say which file or line is broken.

``make check CONFIG=my.yaml`` checks files without Snakemake.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError

BASE = Path("config/config.yaml")
# libyaml is ten times faster; not every build of PyYAML has it.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEMPLATED = "__use_yte__"
"""Key of Snakemake's template language, whose loops and conditions repeat keys."""


def check(paths: Iterable[Path | str]) -> None:
    """Check that files hold keys and values, each key once.

    Raises:
        ConfigError: with file, line and column where they are known.
    """
    for path in dict.fromkeys(map(Path, paths)):
        read(path)


def read(path: Path) -> dict[str, Any]:
    """Read one file of a configuration, YAML or JSON.

    Raises:
        ConfigError: not there, not UTF-8, neither YAML nor JSON, not a mapping, or a
            key that stands twice in one block.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    found = _json(path, text)
    if found is None:
        found = _yaml(path, text)
    if not isinstance(found, dict):
        kind = "nothing" if found is None else "no keys"
        raise ConfigError(
            f"{path}: has {kind} at the top level; a configuration is a block of keys "
            "and values, such as run: [...]"
        )
    return found


def _json(path: Path, text: str) -> Any:
    """Read JSON, which Snakemake tries first; None where it is none."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, times in Counter(key for key, _ in pairs).items():
            if times > 1:
                raise ConfigError(f"{path}: the key {key!r} stands twice in one block")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None


def _yaml(path: Path, text: str) -> Any:
    loader = None
    try:
        loader = LOADER(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if TEMPLATED not in _keys(node):
            _each_key_once(path, node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}{_explained(error, text)}") from None
    except yaml.YAMLError as error:  # a sign that YAML does not allow at all
        shown = str(error).splitlines()[0]
        raise ConfigError(f"{path}: is not valid YAML: {shown}") from None
    except (ValueError, RecursionError) as error:
        # Such as 2024-13-01, which looks like a date and is none.
        raise ConfigError(f"{path}: a value cannot be read: {error}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _explained(error: yaml.MarkedYAMLError, source: str) -> str:
    """Say where a file is broken, and what was being read."""
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    text = f"{place}: is not valid YAML: {error.problem or error.context}"
    if error.context and error.problem:
        begun = error.context_mark
        text += f", {error.context}"
        text += f" that begins in line {begun.line + 1}" if begun else ""
    line = source.splitlines()[mark.line : mark.line + 1] if mark else []
    if line and "\t" in line[0][: len(line[0]) - len(line[0].lstrip())]:
        text += ". Indent with blanks, not with tabs"
    return text


def _keys(node: Any) -> list[str]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode)]


def _each_key_once(path: Path, top: Any) -> None:
    """Refuse a key that stands twice in one block.

    Raises:
        ConfigError: with both lines.
    """
    waiting, done = [top], set()
    while waiting:
        node = waiting.pop()
        if id(node) in done:  # an alias stands for a block that was seen
            continue
        done.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        if not isinstance(node, yaml.MappingNode):
            continue
        seen: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            waiting += [key, value]
            if not isinstance(key, yaml.ScalarNode):
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in seen:
                raise ConfigError(
                    f"{path}, line {line}: the key {key.value!r} stands twice in one "
                    f"block (first in line {seen[name]}); only the last would count"
                )
            seen[name] = line
