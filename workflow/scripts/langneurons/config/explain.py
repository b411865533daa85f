"""What pydantic finds wrong with the configuration, in the words of YAML.

Each problem becomes one line: where it is, what is wanted, what was given and, for a
mistyped key or name, the closest known one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .errors import did_you_mean
from .fields import UNQUOTED

Problem = Mapping[str, Any]
LIST = "a list is needed, as in [a, b]"
BLOCK = "a block of keys and values is needed"
WHOLE = "a whole number is needed"
NUMBER = "a number is needed"
TEXT = "text is needed"
TRUTH = "true or false is needed"
# Types of pydantic's errors -> what the key wants; {} is filled from the error.
WANTED: dict[str, str] = {
    "tuple_type": LIST,
    "list_type": LIST,
    "dict_type": BLOCK,
    "mapping_type": BLOCK,
    "model_type": BLOCK,
    "model_attributes_type": BLOCK,
    "string_type": TEXT,
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE + " that is not that large",
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": "a finite number is needed",
    "bool_type": TRUTH,
    "bool_parsing": TRUTH,
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "at most {max_length} signs are allowed",
    "too_short": "at least {min_length} entry is needed, {actual_length} given",
    "too_long": "at most {max_length} entries are allowed, {actual_length} given",
}
UNION = ("literal", "tuple")
"""How pydantic begins to name the forms that a value may have."""
PATTERNS = {
    "[a-z][a-zA-Z_]*": "is not a language code: a lower case letter, then letters or "
    "'_' (it becomes a file name)",
    "[0-9a-f]{40}": "is not a full commit hash: 40 of the digits 0-9 and a-f; a branch "
    "or tag would not be reproducible",
    "[0-9a-f]{64}": "is not a SHA-256 hash: 64 of the digits 0-9 and a-f",
    "[\\w.-]+(/[\\w.-]+)?": "is not a repository: owner/name",
}


def explain(
    failed: ValidationError, root: type[BaseModel], above: tuple[str, ...] = ()
) -> list[str]:
    """Explain each error of a validation in one line.

    Args:
        failed: what pydantic raised.
        root: the block that was validated.
        above: the path of that block in the configuration.
    """
    errors = [one for error in failed.errors() for one in _of_choice(error)]
    # A key that is no text gives its entry an error too, at a place of another name.
    bad = {e["loc"][:-1] for e in errors if e["loc"] and e["loc"][-1] == "[key]"}
    return [
        _line(error, root, above)
        for error in errors
        if error["loc"][-1:] == ("[key]",)
        or not any(error["loc"][: len(place)] == place for place in bad)
    ]


def _of_choice(error: Any) -> Iterator[Any]:
    """Put an error where its key is, if that holds one of some words, or a list.

    Pydantic tells what is wrong as a word, and what is wrong as a list; one of both was
    meant.
    """
    location = error["loc"]
    kinds = [str(part).partition("[")[0] for part in location]
    spot = next((i for i, x in enumerate(kinds) if x in UNION and x != location[i]), -1)
    if spot < 0:
        yield error
        return
    is_list = isinstance(error.get("input"), (list, tuple))
    inside = location[spot + 1 :]
    if kinds[spot] == "tuple" and (inside or is_list):
        yield {**error, "loc": (*location[:spot], *inside)}
    elif kinds[spot] == "literal" and not is_list:
        expected = f"{error['ctx']['expected']}, nor a list"
        yield {**error, "loc": location[:spot], "ctx": {"expected": expected}}


def _line(error: Any, root: type[BaseModel], above: tuple[str, ...]) -> str:
    location, given = error["loc"], error.get("input")
    if location and location[-1] == "[key]":
        where = ".".join(map(str, (*above, *location[:-2]))) or "(top level)"
        return f"{where}: the key {yaml(given)} is no text: {_quote(given)}"
    where = ".".join(map(str, (*above, *location))) or "(top level)"
    if error["type"] == "invalid_key":
        return f"{where}: this key is no text: {_quote(location[-1])}"
    special = SPECIAL.get(error["type"])
    if special:
        return f"{where}: {special(error, root)}"
    wanted = WANTED.get(error["type"])
    if wanted is None:
        message = error["msg"].removeprefix("Value error, ")
        said = _shown(given) in message or isinstance(given, bool)
        return f"{where}: {message}{'' if said else _given(given)}"
    if wanted == TEXT and given is not None and not isinstance(given, (dict, list)):
        return f"{where}: {wanted}: {_quote(given)}"
    context = {key: _number(value) for key, value in error.get("ctx", {}).items()}
    return f"{where}: {wanted.format(**context)}{_given(given, wanted)}"


def _unknown_key(error: Problem, root: type[BaseModel]) -> str:
    block = _block_at(root, error["loc"][:-1])
    allowed = sorted(block.model_fields) if block else []
    hint = did_you_mean(str(error["loc"][-1]), allowed)
    return f"unknown key{hint or '.'} Known: {', '.join(allowed) or '(none)'}"


def _missing(error: Problem, root: type[BaseModel]) -> str:
    if isinstance(error["loc"][-1], int):
        return f"the list is too short{_given(error.get('input'), LIST)}"
    return "this key is required"


def _choice(error: Problem, root: type[BaseModel]) -> str:
    expected = error["ctx"]["expected"]
    given = error.get("input")
    hint = did_you_mean(str(given), re.findall(r"'([^']*)'", expected))
    return f"{_shown(given)} is not one of {expected}{hint}"


def _pattern(error: Problem, root: type[BaseModel]) -> str:
    pattern = str(error["ctx"]["pattern"]).strip("^$")
    text = PATTERNS.get(pattern, f"does not match {pattern}")
    return f"{error.get('input')!r} {text}"


SPECIAL: dict[str, Callable[[Problem, type[BaseModel]], str]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "literal_error": _choice,
    "string_pattern_mismatch": _pattern,
}


def yaml(value: Any) -> str:
    """Write a plain value as YAML has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return str(value)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _quote(given: Any) -> str:
    """Say how what YAML read as no text is written as text."""
    if isinstance(given, bool):
        return f"{yaml(given)} is a truth value. {UNQUOTED}"
    return f"quote it, as in '{yaml(given)}'"


def _shown(given: Any) -> str:
    return repr(given) if isinstance(given, str) else yaml(given)


def _given(given: Any, wanted: str = "") -> str:
    if given is None:
        return " (nothing is given: the key is empty or null)"
    if isinstance(given, (dict, list, tuple)):
        kind = "a block" if isinstance(given, dict) else "a list"
        return f" (given: {kind})" if wanted and "entr" not in wanted else ""
    return f" (given: {_shown(given)})"


def _block_at(root: type[BaseModel], location: tuple[Any, ...]) -> Any:
    """Find the block that describes a place of the configuration; None: not found."""
    current: Any = root
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        elif get_origin(current) is dict:
            current = get_args(current)[1]
        current = _block_in(current)
    return current if isinstance(current, type) else None


def _block_in(annotation: Any) -> Any:
    """Return the block in ``Block``, ``Block | None`` or ``dict[str, Block]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is dict:
        return annotation  # one more part of the path leads to an entry
    return next(filter(None, map(_block_in, get_args(annotation))), None)
