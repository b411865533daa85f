"""Names of selections, tunings and treatments: the one place that reads, writes them.

``.`` separates parts, ``+`` joins languages, ``-`` numbers a random draw.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ConfigError

NO_TREATMENT = "none"
MASKED = "masked"
"""Entry of ``tunings`` that a name need not mention: LoRA masked to neurons."""
BASE = "base"
"""Entry of ``tunings`` of kind ``none``, the only one: the model as it is."""
BASE_SEED = 0
"""Seed of ``base``, in which nothing is drawn, whatever seeds the others have."""
PART = r"[a-z0-9][a-z0-9_-]*"
LANGUAGE = r"[a-z][a-zA-Z_]*"
LANGUAGES = rf"{LANGUAGE}(?:\+{LANGUAGE})*"


@dataclass(frozen=True, order=True)
class Selection:
    """Neurons of every language of a set by one method: ``lape.indic``.

    Attributes:
        method: a method's name; ``random-2`` is the second draw of ``random``.
        languages: the name of a language set.
    """

    method: str
    languages: str

    @classmethod
    def parse(cls, text: str) -> Selection:
        match = re.fullmatch(rf"({PART})\.({PART})", text)
        if not match:
            raise ConfigError(
                f"selection {text!r} is not of the form method.language_set, "
                "for example lape.set1"
            )
        return cls(*match.groups())

    @classmethod
    def beside(cls, text: str, other: Selection) -> Selection:
        """Read a selection, or a method, which has the language set of another one."""
        return cls.parse(text if "." in text else f"{text}.{other.languages}")

    def __str__(self) -> str:
        return f"{self.method}.{self.languages}"


@dataclass(frozen=True, order=True)
class TuningName:
    """Which weights a fine-tuning may change: ``attention``, ``lape.set6.en+hi``.

    ``base`` changes none: the model as it is.

    Attributes:
        entry: key of the ``tunings`` catalogue.
        selection: where the tuned neurons come from, or None.
        languages: whose neurons are tuned (their union); empty without a selection.
    """

    entry: str
    selection: Selection | None = None
    languages: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> TuningName:
        """Read ``entry``, ``method.set.languages`` or ``entry.method.set.languages``.

        Raises:
            ConfigError: another form.
        """
        if re.fullmatch(PART, text):
            return cls(text)
        match = re.fullmatch(rf"(?:({PART})\.)?({PART}\.{PART})\.({LANGUAGES})", text)
        if not match:
            raise ConfigError(
                f"tuning {text!r} is neither an entry of tunings, such as 'attention', "
                "nor of the form method.language_set.languages, such as "
                "lape.set6.en+hi, with or without the entry in front"
            )
        entry, selection, languages = match.groups()
        parsed = Selection.parse(selection)
        return cls(entry or MASKED, parsed, tuple(languages.split("+")))

    def __str__(self) -> str:
        if self.selection is None:
            return self.entry
        front = "" if self.entry == MASKED else f"{self.entry}."
        return f"{front}{self.selection}.{'+'.join(self.languages)}"


@dataclass(frozen=True, order=True)
class Treatment:
    """A selection whose neurons are overwritten: ``lape.indic.p90``.

    Attributes:
        selection: where the neurons come from.
        statistic: what is written into them.
        language: whose neurons, when that is not the statistic's own
            ``neuron_language``: ``lape.indic.hi.zero``.
    """

    selection: Selection
    statistic: str
    language: str | None = None

    @classmethod
    def parse(cls, text: str) -> Treatment:
        """Read ``method.set.statistic`` or ``method.set.language.statistic``."""
        match = re.fullmatch(rf"({PART}\.{PART})\.(?:({LANGUAGE})\.)?({PART})", text)
        if not match:
            raise ConfigError(
                f"treatment {text!r} is neither {NO_TREATMENT!r} nor of the form "
                "method.language_set.statistic, for example lape.set1.p90"
            )
        selection, language, statistic = match.groups()
        return cls(Selection.parse(selection), statistic, language)

    def __str__(self) -> str:
        middle = f".{self.language}" if self.language else ""
        return f"{self.selection}{middle}.{self.statistic}"


def split_draw(method: str) -> tuple[str, int | None]:
    """Split ``random-2`` into ``("random", 2)``; ``lape`` gives ``("lape", None)``."""
    base, dash, number = method.rpartition("-")
    if dash and number.isdigit():
        return base, int(number)
    return method, None


def draw(method: str, number: int) -> str:
    """Name the ``number``-th draw (from 1) of a random method."""
    return f"{method}-{number}"
