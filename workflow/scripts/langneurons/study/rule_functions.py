"""The functions of rules with their signatures worked out beforehand.

Snakemake looks at the signature of each function of a rule some thirty times per job:
a sixth of the time in which it plans ten thousand jobs.
"""

from __future__ import annotations

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
