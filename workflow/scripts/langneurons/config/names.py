"""Names of selections, tunings, pairs and treatments: read and written here only.

``.`` separates parts, ``+`` joins languages, ``-`` numbers a random draw.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import ConfigError

NO_TREATMENT = "none"
"""Name of the treatment that is none, and statistic of its rows in tables."""
MASKED = "masked"
"""Entry of ``tunings`` that a name need not mention: LoRA masked to neurons."""
BASE = "base"
"""Entry of ``tunings`` of kind ``none``, the only one: the model as it is."""
BASE_SEED = 0
"""Seed of ``base`` and of others' adapters, for which nothing is drawn here."""
C = TypeVar("C")
JOIN = "+"
"""Between languages that are taken together, in names and in tables."""
HASH = "_hash"

PART = r"[a-z0-9][a-z0-9_-]*"
LANGUAGE = r"[a-z][a-zA-Z_]*"
LANGUAGES = rf"{LANGUAGE}(?:\+{LANGUAGE})*"


def hashed(name: type[C]) -> type[C]:
    """Make a frozen dataclass compute its hash once: large grids ask for it often."""
    compute = name.__hash__

    def kept_hash(self: Any) -> int:
        found: int | None = self.__dict__.get(HASH)
        if found is None:
            found = compute(self)
            object.__setattr__(self, HASH, found)
        return found

    def state(self: Any) -> dict[str, Any]:
        # Hashes of texts differ from process to process.
        return {key: value for key, value in vars(self).items() if key != HASH}

    name.__hash__ = kept_hash  # type: ignore[method-assign]
    name.__getstate__ = state  # type: ignore[method-assign]
    return name


@hashed
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


@hashed
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

    @property
    def is_base(self) -> bool:
        """Whether it is the model as it is."""
        return self.entry == BASE

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
        return cls(entry or MASKED, parsed, together(languages))

    def __str__(self) -> str:
        if self.selection is None:
            return self.entry
        front = "" if self.entry == MASKED else f"{self.entry}."
        return f"{front}{self.selection}.{'+'.join(self.languages)}"


@hashed
@dataclass(frozen=True, order=True)
class Pair:
    """From which language into which: ``zh-sw``. Stands where a language stands.

    Attributes:
        source: code of the language one comes from.
        target: code of the language one goes to.
    """

    source: str
    target: str

    @classmethod
    def parse(cls, text: str) -> Pair:
        match = re.fullmatch(rf"({LANGUAGE})-({LANGUAGE})", text)
        if not match or match[1] == match[2]:
            raise ConfigError(
                f"pair {text!r} is not of the form source-target, two codes of "
                "languages, for example zh-sw"
            )
        return cls(*match.groups())

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


def together(joined: str) -> tuple[str, ...]:
    """Split the codes of languages that stand for one, as in ``en+zh``."""
    return tuple(joined.split(JOIN))


def target_of(lang: str) -> str:
    """Return the language that is tested: of a pair its target, else the language."""
    return Pair.parse(lang).target if "-" in lang else lang


def languages_of(lang: str) -> tuple[str, ...]:
    """Return the languages of a name: of a pair source and target, else one."""
    if "-" not in lang:
        return (lang,)
    pair = Pair.parse(lang)
    return pair.source, pair.target


class Treatment:
    """What is done to a model when it is tested; each form is a class of its own.

    ``str()`` gives its name in paths and JSON, ``parse`` reads it; nothing else does.
    """

    @staticmethod
    def parse(text: str) -> Treatment:
        """Read the name of a treatment of any form.

        Raises:
            ConfigError: another form.
        """
        for form in (Untreated, Prompted, Steered, Bridged, Overwritten):
            found = form._read(text)
            if found is not None:
                return found
        raise ConfigError(
            f"treatment {text!r} is neither {UNTREATED} nor of the form "
            "method.language_set.statistic, such as lape.set1.p90, "
            "method.language_set.languages.statistic (en, en+zh), prompt[.language], "
            "diffmean-l12-s2[.language] (layer, strength) or via_en"
        )

    @classmethod
    def _read(cls, text: str) -> Treatment | None:
        """Read a name of this form; None: it is of another."""
        raise NotImplementedError


@hashed
@dataclass(frozen=True)
class Untreated(Treatment):
    """The model as it is, or as it was tuned: ``none``."""

    @classmethod
    def _read(cls, text: str) -> Untreated | None:
        return cls() if text == NO_TREATMENT else None

    def __str__(self) -> str:
        return NO_TREATMENT


UNTREATED = Untreated()


@hashed
@dataclass(frozen=True)
class Overwritten(Treatment):
    """A selection whose neurons are overwritten: ``lape.indic.p90``.

    Attributes:
        selection: where the neurons come from.
        statistic: what is written into them.
        language: whose neurons, when that is not the statistic's own
            ``neuron_language``: ``lape.indic.hi.zero``; of several languages together
            ``hi+ta``.
    """

    selection: Selection
    statistic: str
    language: str | None = None

    @classmethod
    def _read(cls, text: str) -> Overwritten | None:
        match = re.fullmatch(rf"({PART}\.{PART})\.(?:({LANGUAGES})\.)?({PART})", text)
        if not match:
            return None
        selection, language, statistic = match.groups()
        found = cls(Selection.parse(selection), statistic, language)
        if len(set(found.languages)) < len(found.languages):
            return None
        return found

    @property
    def languages(self) -> tuple[str, ...]:
        """Each language of ``language``; none where the statistic says whose."""
        return together(self.language) if self.language else ()

    def __str__(self) -> str:
        middle = f".{self.language}" if self.language else ""
        return f"{self.selection}{middle}.{self.statistic}"


@hashed
@dataclass(frozen=True)
class Prompted(Treatment):
    """The prompt names a language: ``prompt``, ``prompt.hi``.

    Attributes:
        language: that it names; None: the tested one.
    """

    language: str | None = None

    @classmethod
    def _read(cls, text: str) -> Prompted | None:
        match = re.fullmatch(rf"prompt(?:\.({LANGUAGE}))?", text)
        return cls(match[1]) if match else None

    def __str__(self) -> str:
        return f"prompt.{self.language}" if self.language else "prompt"


@hashed
@dataclass(frozen=True)
class Steered(Treatment):
    """The mean difference between languages is added: ``diffmean-l12-s2.hi``.

    Attributes:
        layer: of the residual stream, from 0.
        strength: factor on the difference; ``s0_5`` is 0.5.
        language: towards which; None: the tested one.
    """

    layer: int
    strength: float
    language: str | None = None

    @classmethod
    def _read(cls, text: str) -> Steered | None:
        number = r"0|[1-9]\d*"
        match = re.fullmatch(
            rf"diffmean-l({number})-s((?:{number})(?:_\d*[1-9])?)(?:\.({LANGUAGE}))?",
            text,
        )
        if not match:
            return None
        layer, strength, language = match.groups()
        return cls(int(layer), float(strength.replace("_", ".")), language)

    def __str__(self) -> str:
        strength = f"{self.strength:.6f}".rstrip("0").rstrip(".").replace(".", "_")
        end = f".{self.language}" if self.language else ""
        return f"diffmean-l{self.layer}-s{strength}{end}"


@hashed
@dataclass(frozen=True)
class Bridged(Treatment):
    """The model passes through another language: ``via_en``.

    Attributes:
        language: code of the bridge.
    """

    language: str

    @classmethod
    def _read(cls, text: str) -> Bridged | None:
        match = re.fullmatch(rf"via_({LANGUAGE})", text)
        return cls(match[1]) if match else None

    def __str__(self) -> str:
        return f"via_{self.language}"


def split_draw(method: str) -> tuple[str, int | None]:
    """Split ``random-2`` into ``("random", 2)``; ``lape`` gives ``("lape", None)``."""
    base, dash, number = method.rpartition("-")
    if dash and number.isdigit():
        return base, int(number)
    return method, None


def draw(method: str, number: int) -> str:
    """Name the ``number``-th draw (from 1) of a random method."""
    return f"{method}-{number}"
