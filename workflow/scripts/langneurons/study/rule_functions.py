"""What spares Snakemake time when it plans thousands of jobs.

It looks at the signature of each function of a rule some thirty times per job: a sixth
of the time, unless they are worked out beforehand. And Python's collector of garbage
looks again and again at all that is planned, of which nothing is garbage: a fifth.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import threading
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


def one_timer(scheduler: type[Any]) -> None:
    """Let a scheduler of Snakemake wait for one moment at a time.

    It looks at all open jobs again a second after it has looked at them, because of its
    limit of jobs per second, and whenever a job ends; and each time it sets another
    timer: after a hundred jobs it looks a hundred times per second, and works out the
    parameters of all open jobs each time.

    Args:
        scheduler: the class; one without such timers is left as it is.
    """
    if not hasattr(scheduler, "_schedule_reevalutation"):
        return

    def wait(self: Any, delay: float) -> None:
        if getattr(self, "_waits", False):
            return  # it looks again when that is over, and sets the next

        def look() -> None:
            self._waits = False  # before it looks, which may set the next
            self._open_jobs.release()

        self._waits = True
        timer = threading.Timer(delay, look)
        timer.daemon = True
        timer.start()

    scheduler._schedule_reevalutation = wait
