"""JSON whose strings are all Unicode text.

A JSON file may spell half of a surrogate pair, such as programs leave that cut text
between its UTF-16 units. No UTF-8 file can hold it, so that it would fail much later,
where the text is hashed or written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

SPELLED = re.compile(r"\\u[dD][89a-fA-F]")
HALF = re.compile("[\ud800-\udfff]")
HALF_OF_A_PAIR = (
    "half of a surrogate pair, such as a cut emoji, which is no character; take it "
    "out, or write \\ufffd instead"
)


def loads(text: str) -> Any:
    """Parse JSON, and refuse strings that are no text.

    Raises:
        ValueError: not JSON, nested too deeply, a number of thousands of digits, or
            half of a surrogate pair; says where.
    """
    try:
        value = json.loads(text)
        # Whole pairs are spelt so too, but most files spell none.
        place = _half(value) if SPELLED.search(text) else None
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if place is not None:
        spot = "".join(f"[{key!a}]" for key in reversed(place))
        raise ValueError(f"{spot + ': ' if spot else ''}{HALF_OF_A_PAIR}")
    return value


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8."""
    return not HALF.search(value)


def _half(value: Any) -> list[Any] | None:
    """Find a string that is no text; return the keys to it, the innermost first."""
    if isinstance(value, str):
        return None if is_text(value) else []
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        if bad := [key for key in value if not is_text(key)]:
            return [bad[0]]
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, one in inner:
        if (place := _half(one)) is not None:
            return [*place, key]
    return None
