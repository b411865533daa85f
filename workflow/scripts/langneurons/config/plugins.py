"""Plug-ins: files of tasks, methods and tables, imported and checked.

What is wrong with what a file declares is told to its author before the first job, all
at once; no other file is looked at.
"""

from __future__ import annotations

import importlib
import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import ConfigError, did_you_mean, unknown_name
from .fields import Frozen

CAPITALS = re.compile(r"[A-Z][A-Z0-9_]*")

_checked: dict[str, object] = {}
"""By module, the plug-in in which nothing was found wrong."""


def kinds(face: str) -> list[str]:
    """List the plug-ins of a room, without importing them.

    Args:
        face: path of the room's ``__init__.py``.
    """
    files = Path(face).parent.glob("*.py")
    return sorted(path.stem for path in files if not path.stem.startswith("_"))


def load(
    room: str,
    kind: str,
    known: Sequence[str],
    *,
    what: str,
    protocol: type,
    required: Sequence[str],
    problems: Callable[[Any], Iterator[str]],
) -> Any:
    """Import a plug-in, and check what it declares the first time that it is asked for.

    Args:
        room: dotted name, such as ``langneurons.tasks``.
        kind: name of the plug-in, such as ``xnli``.
        known: those that there are.
        what: one of them is, such as ``task``.
        protocol: class that it must be of. The instance in the file is called like it,
            in capitals.
        required: methods that it must have of its own.
        problems: finds what else is wrong with an instance.

    Raises:
        ConfigError: there is no such file, or it names the file and each thing that is
            wrong.
    """
    if kind not in known:
        place = room.rpartition(".")[2]
        raise ConfigError(unknown_name(f"{what} kind", kind, known, place))
    module, name = f"{room}.{kind}", protocol.__name__.upper()
    where = f"workflow/scripts/{module.replace('.', '/')}.py"
    found = _instance(_imported(module, where), name, protocol, where)
    if _checked.get(module) is not found:
        wrong = [*_general(found, protocol, required), *problems(found)]
        if wrong:
            lines = "".join(f"\n  - {line}" for line in wrong)
            raise ConfigError(f"{where}: {type(found).__name__} is incomplete:{lines}")
        _checked[module] = found
    return found


def _imported(module: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f.lineno for f in frames if f.filename.endswith(where)]
        line = f" (line {own[-1]})" if own else ""
        raise ConfigError(
            f"{where}: cannot be imported{line}: {type(error).__name__}: {error}"
        ) from error


def _instance(module: ModuleType, name: str, protocol: type, where: str) -> Any:
    kind = protocol.__name__
    found = getattr(module, name, None)
    if found is None:
        classes = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type)
            and protocol in value.__mro__
            and value.__module__ == module.__name__
        ]
        example = classes[-1] if classes else f"My{kind}"
        raise ConfigError(
            f"{where}: there is no {name}; the last line of the file must make an "
            f"instance of its {kind}, as in {name} = {example}()"
        )
    if isinstance(found, type):
        raise ConfigError(
            f"{where}: {name} is the class {found.__name__} itself, but an instance "
            f"is needed: {name} = {found.__name__}()"
        )
    if protocol not in type(found).__mro__:
        of = "[Parameters]" if "PARAMETERS" in _attributes(protocol) else ""
        raise ConfigError(
            f"{where}: {name} is {found!r}, but an instance of a class that is a "
            f"{kind} is needed, as in class My{kind}({kind}{of})"
        )
    return found


def _general(found: Any, protocol: type, required: Sequence[str]) -> Iterator[str]:
    """Find what is wrong with any plug-in."""
    parameters = getattr(found, "PARAMETERS", None)
    if "PARAMETERS" in _attributes(protocol) and not (
        isinstance(parameters, type) and issubclass(parameters, Frozen)
    ):
        yield (
            f"PARAMETERS: {parameters!r} - must be a class of Frozen "
            "(langneurons.config.fields), even if it has no field"
        )
    own = type(found)
    known = {name for base in own.__mro__[1:] for name in _attributes(base)}
    known = {name for name in known if CAPITALS.fullmatch(name)}
    for name in _attributes(own):
        if CAPITALS.fullmatch(name) and name not in known:
            hint = did_you_mean(name, known) or "."
            yield (
                f"{name}: nothing reads it{hint} Known: {', '.join(sorted(known))}; "
                "constants of your own stand above the class"
            )
    for name in required:
        if getattr(own, name, None) is getattr(protocol, name):
            yield f"{name}(): is missing; see {protocol.__name__}.{name}"


def _attributes(of: type) -> list[str]:
    """Name what a class itself has or announces."""
    return list(dict.fromkeys([*vars(of), *inspect.get_annotations(of)]))


def texts(found: Any, name: str, least: int) -> Iterator[str]:
    """Check that an attribute is a tuple of texts, each once.

    Args:
        found: the plug-in.
        name: of the attribute.
        least: how many there must be.
    """
    given = getattr(found, name, None)
    if isinstance(given, str):
        yield (
            f"{name}: {given!r} is a text, but a tuple of texts is needed; one text "
            f"alone needs a comma behind it: ({given!r},)"
        )
    elif not isinstance(given, tuple) or not all(map(is_text, given)):
        yield f"{name}: {given!r} - must be a tuple of texts that are not empty"
    elif len(given) < least:
        yield f"{name}: {given!r} - at least {least} are needed"
    elif len(set(given)) < len(given):
        yield f"{name}: {given!r} - each must stand there once"


def limits(found: Any, name: str) -> Iterator[str]:
    """Check that an attribute says how many at least, and at most or None."""
    given = getattr(found, name)
    pair = isinstance(given, tuple) and len(given) == 2
    if not pair or type(given[0]) is not int or type(given[1]) not in (int, type(None)):
        yield (
            f"{name}: {given!r} - must be two numbers, at least and at most, as in "
            "(1, 1); (1, None) has no upper limit"
        )
    elif given[0] < 0 or (given[1] is not None and given[1] < given[0]):
        yield f"{name}: {given!r} - 'at most' is below 'at least', or a number below 0"


def truth_values(found: Any, *names: str) -> Iterator[str]:
    """Check that attributes are True or False."""
    for name in names:
        if not isinstance(given := getattr(found, name), bool):
            yield f"{name}: {given!r} - must be True or False"


def is_text(value: object) -> bool:
    """Tell whether a value is a text that shows something."""
    return isinstance(value, str) and bool(value.strip())
