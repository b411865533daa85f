"""Paths as a user writes them: ``~`` and ``$VARIABLES`` stand for what a shell says.

One place reads them for the configuration and for scripts that are called by hand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from string import Formatter

from .errors import ConfigError, did_you_mean

VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|(\w+))")
PLACEHOLDER = "lang"
CODE = "code"
"""Placeholder of what a data set calls the language (``codes:`` of a corpus)."""


def expand(text: str) -> str:
    """Replace ``~``, ``~user``, ``$NAME`` and ``${NAME}`` as a shell does.

    Args:
        text: a path; other text, such as ``{lang}``, stays as it is.

    Raises:
        ConfigError: an unknown user, or a variable that is not set or empty.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] if match[1] is not None else match[2]
        found = os.environ.get(name, "")
        if not found:
            hint = did_you_mean(name, os.environ)
            raise ConfigError(
                f"path {text!r} cannot be expanded: the environment variable {name!r} "
                f"is not set, or empty{hint or '.'} Set it, or write the path in full"
            )
        return found

    opened = os.path.expanduser(text)
    if opened.startswith("~"):
        user = opened.partition("/")[0]
        raise ConfigError(
            f"path {text!r} cannot be expanded: no home directory is known for "
            f"{user!r}; write the path in full, or ./{opened} for a file of that name"
        )
    return VARIABLE.sub(value, opened)


def check_placeholders(text: str, allowed: Iterable[str] = (PLACEHOLDER,)) -> None:
    """Refuse placeholders that nothing fills, such as ``{language}``.

    Args:
        text: a path or the name of a data set's configuration.
        allowed: names that are filled; none: braces have no place at all.

    Raises:
        ConfigError: another placeholder, a format in one, or braces that do not match.
    """
    known = [f"{{{name}}}" for name in allowed]
    listed = f"allowed: {', '.join(known)}" if known else "none is filled here"
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ConfigError(f"{text!r}: {error} ({listed})") from None
    for literal, name, form, conversion in parts:
        if name is None:
            if "{" in literal or "}" in literal:
                raise ConfigError(f"{text!r}: doubled braces are not read ({listed})")
            continue
        if f"{{{name}}}" not in known or form or conversion:
            shown = name + (f"!{conversion}" if conversion else "")
            shown += f":{form}" if form else ""
            raise ConfigError(f"{text!r}: unknown placeholder {{{shown}}} ({listed})")


def has_placeholder(text: str | None) -> bool:
    """Tell whether a path or name differs from language to language."""
    return f"{{{PLACEHOLDER}}}" in (text or "") or has_code(text)


def has_code(text: str | None) -> bool:
    """Tell whether a path or name holds the data set's own code of a language."""
    return f"{{{CODE}}}" in (text or "")
