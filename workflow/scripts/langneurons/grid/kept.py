"""Answers of functions of a configuration, kept: a start of Snakemake asks often."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar

from langneurons.config.schema import Config

A = TypeVar("A")
CONFIGURATIONS = 2
"""Of so many the answers are kept: of the whole, and of one experiment alone."""
_answers: list[tuple[Config, dict[Hashable, Any]]] = []


def kept(function: Callable[..., A]) -> Callable[..., A]:
    """Make a function of a configuration, and perhaps of names, remember its answers.

    Whoever is given an answer must not change it.
    """

    @wraps(function)
    def asked(config: Config, *names: Hashable) -> A:
        answers = _of(config)
        key = (function, *names)
        if key not in answers:
            answers[key] = function(config, *names)
        found: A = answers[key]
        return found

    return asked


def _of(config: Config) -> dict[Hashable, Any]:
    # By identity: comparing whole configurations costs more than most answers.
    for place, (known, answers) in enumerate(_answers):
        if known is config:
            if place:
                _answers.insert(0, _answers.pop(place))
            return answers
    _answers.insert(0, (config, {}))
    del _answers[CONFIGURATIONS:]
    return _answers[0][1]
