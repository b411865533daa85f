"""Errors that are meant for the person who runs the workflow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LangneuronsError(Exception):
    """Something the user can mend; shown without a traceback.

    The message says what failed, where, what was given, what is allowed, and a hint.
    """


class ConfigError(LangneuronsError):
    """The configuration, or a name taken from it, is not valid."""


class DataError(LangneuronsError):
    """A text, label, token, neuron or model file does not hold what it should."""


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` when a known name is close to ``given``."""
    close = difflib.get_close_matches(str(given), sorted(map(str, allowed)), n=1)
    return f" - did you mean {close[0]!r}?" if close else ""


def unknown_name(what: str, given: str, allowed: Iterable[str], where: str) -> str:
    """Build the message for a name that is not in its catalogue."""
    known = sorted(map(str, allowed))
    listed = ", ".join(known) if known else "(none defined)"
    hint = did_you_mean(given, known)
    return f"{where}: unknown {what} {given!r}{hint or '.'} Known: {listed}"
