"""Which language a text is in: by CLD2, or by the words that each language owns.

CLD2 (Compact Language Detector 2, package pycld2) knows natural languages. The words of
an artificial world it does not know; there a language is told by its lexicon.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from langneurons.config.errors import DataError, did_you_mean

from .corpora import read_lines

if TYPE_CHECKING:
    from types import ModuleType

Keep = Callable[[str], bool]
Details = tuple[tuple[str, str, int, float], ...]
"""Languages that CLD2 found: name, code, percent of the bytes, and a score."""

# Where the code of CLD2 is not the one used here.
OURS: Mapping[str, str] = {"zh-Hant": "zh", "iw": "he", "jw": "jv"}
# What CLD2 calls text that it finds no language for.
NOTHING = "un"
# Jokes and scripts of its tables, which are no language of a corpus.
NO_LANGUAGE = ("xx-", "zz", "tlh")

_CODES = """
    aa ab af ak am ar as ay az ba be bg bh bi bn bo br bs ca ceb chr co crs cs cy da
    de dv dz el en eo es et eu fa fi fj fo fr fy ga gd gl gn gu gv ha haw he hi hmn
    hr ht hu hy ia id ie ig ik is it iu ja jv ka kha kk kl km kn ko ks ku ky la lb
    lg lif ln lo lt lv mfe mg mi mk ml mn mr ms mt my na ne nl nn no nr nso ny oc om
    or pa pl ps pt qu rm rn ro ru rw sa sco sd sg si sk sl sm sn so sq sr ss st su
    sv sw syr ta te tg th ti tk tl tn to tr ts tt ug uk ur uz ve vi vo war wo xh yi
    yo za zh zu
"""
KNOWN: frozenset[str] = frozenset(_CODES.split())
"""Languages that CLD2 can find, by our codes; a plan is made without the package."""


class Identifier(Protocol):
    """One way to tell languages."""

    def known(self) -> frozenset[str]:
        """Return codes of the languages that it can find."""
        ...

    def identify(self, text: str) -> str | None:
        """Return the language of a text; None where it cannot be told."""
        ...

    def shares(self, text: str) -> dict[str, float]:
        """Return the share of a text's words in each language; at most 1 together."""
        ...


class Cld2:
    """Languages by CLD2."""

    @classmethod
    def opened(cls) -> Cld2:
        """Import the package now, and not with the first text.

        Raises:
            DataError: pycld2 is not installed.
        """
        _module()
        return cls()

    def known(self) -> frozenset[str]:
        """Return codes of the languages that it can find."""
        return KNOWN

    def identify(self, text: str) -> str | None:
        """Return the language of the largest part of a text.

        Args:
            text: of any length; below some 20 letters little is reliable.

        Returns:
            Its code; None where there is no letter or nothing that CLD2 calls reliable.
        """
        reliable, _, details = _detect(text)
        return _ours(details[0][1]) if reliable else None

    def shares(self, text: str) -> dict[str, float]:
        """Return the share of a text's words in each language, weighed by letters.

        Line by line, and within a line by the chunks that CLD2 parts it into. Letters
        are counted, as not all scripts part words; of a chunk those of its most
        frequent script, so that names in Latin letters are not taken for Chinese. In
        most short lines no chunk is reliable even where the whole line is: the letters
        left are of the line's language, if they are of the script that it has there.
        """
        total = sum(map(str.isalpha, text))
        found: Counter[str] = Counter()
        for line in text.splitlines():
            found += _letters(line)
        return {code: n / total for code, n in found.items()}


class Lexicon:
    """Languages by the words that each owns alone.

    Args:
        words: of each language, by its code; compared in small letters. Those that
            several languages have tell nothing.

    Raises:
        DataError: a language owns no word.
    """

    def __init__(self, words: Mapping[str, frozenset[str]]) -> None:
        folded = {code: {w.casefold() for w in own} for code, own in words.items()}
        times = Counter(word for own in folded.values() for word in own)
        self.owner: dict[str, str] = {}
        for code, own in folded.items():
            alone = [word for word in own if times[word] == 1]
            if not alone:
                raise DataError(
                    f"lexicon: {code} has {len(own):,} words, and none that no other "
                    f"language of {', '.join(folded)} has; it could never be found"
                )
            self.owner |= dict.fromkeys(alone, code)
        self._known = frozenset(folded)

    @classmethod
    def read(cls, paths: Mapping[str, Path | str]) -> Lexicon:
        """Read the words of each language from its file, one per line.

        Args:
            paths: files of plain text by language code.

        Raises:
            DataError: a file cannot be read, a line has several words, or see above.
        """
        return cls({code: frozenset(_words(path)) for code, path in paths.items()})

    def known(self) -> frozenset[str]:
        """Return codes of the languages that it can find."""
        return self._known

    def identify(self, text: str) -> str | None:
        """Return the language that owns the most words of a text.

        Returns:
            Its code; None where there is no owned word, or two languages have as many.
        """
        ranked = self._counts(text).most_common(2)
        if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
            return None
        return ranked[0][0]

    def shares(self, text: str) -> dict[str, float]:
        """Return the share of a text's words that each language owns."""
        total = len(text.split())
        return {code: n / total for code, n in self._counts(text).items()}

    def _counts(self, text: str) -> Counter[str]:
        """Count the words of a text that a language owns, by language."""
        found = (self.owner.get(_bare(word)) for word in text.split())
        return Counter(code for code in found if code is not None)


CLD2 = Cld2()


def of_lines(text: str, identifier: Identifier) -> dict[str, float]:
    """Return the share of a text's lines in each language; those without letters aside.

    Args:
        text: of any number of lines.
        identifier: tells the language of a line.
    """
    lines = [x for x in text.splitlines() if any(map(str.isalpha, x))]
    found = Counter(map(identifier.identify, lines))
    return {code: n / len(lines) for code, n in found.items() if code is not None}


def identify(text: str) -> str | None:
    """Return the language of a text by CLD2; see ``Cld2.identify``."""
    return CLD2.identify(text)


def known() -> frozenset[str]:
    """Return codes of the languages that CLD2 can find."""
    return CLD2.known()


def language_filter(language: str, minimum_percent: int) -> Keep:
    """Build a test for documents that CLD2 takes for the language.

    Args:
        language: code of the corpus language.
        minimum_percent: least share of the document's text in that language.

    Raises:
        DataError: pycld2 is not installed, or CLD2 does not know the language.
    """
    if language not in known():
        raise DataError(
            f"language_filter: pycld2 does not know language {language!r}"
            f"{did_you_mean(language, known())} Leave the filter off for this corpus."
        )

    def keep(text: str) -> bool:
        return _percents(text).get(language, 0) >= minimum_percent

    return keep


def _letters(line: str) -> Counter[str]:
    """Count the letters of a line that are in each language; see ``Cld2.shares``."""
    text, (reliable, _, details, chunks) = _detected(line, returnVectors=True)
    coded = text.encode("utf-8")
    found: Counter[str] = Counter()
    left: Counter[str] = Counter()
    written: dict[str, str] = {}
    for start, size, _, code in chunks:
        part = coded[start : start + size].decode("utf-8", "ignore")
        scripts = _scripts(part)
        if scripts and (language := _ours(code)) is not None:
            most = written.setdefault(language, _most(scripts))
            found[language] += scripts.pop(most, 0)
        left += scripts
    whole = _ours(details[0][1]) if reliable else None
    if whole is not None:
        found[whole] += left[written.get(whole) or _most(_scripts(text))]
    return +found


def _most(counted: Counter[str]) -> str:
    return counted.most_common(1)[0][0]


def _scripts(text: str) -> Counter[str]:
    """Count the letters of a text by their script."""
    return Counter(map(_script, filter(str.isalpha, text)))


@cache
def _script(letter: str) -> str:
    """Name the script of a letter; those of Chinese and Japanese are one."""
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA") else name


def _percents(text: str) -> Counter[str]:
    """Return percents of a text, in bytes, of each of up to three languages."""
    found: Counter[str] = Counter()
    for _, code, percent, _ in _detect(text)[2]:
        if (language := _ours(code)) is not None and percent:
            found[language] += percent
    return found


def _ours(code: str) -> str | None:
    """Return our code of a language of CLD2; None where it is none."""
    if code == NOTHING or code.startswith(NO_LANGUAGE):
        return None
    return OURS.get(code, code)


def _detect(text: str) -> tuple[bool, int, Details]:
    """Run CLD2 on plain text; see ``pycld2.detect``."""
    reliable, size, details = _detected(text)[1]
    return bool(reliable), int(size), tuple(details)


def _detected(text: str, **options: bool) -> tuple[str, Any]:
    """Run CLD2 on plain text; return also the text that it read, of equal length."""
    module = _module()
    # Unless told, it takes text for HTML, and skips what follows a "<".
    try:
        return text, module.detect(text, isPlainText=True, **options)
    except (module.error, UnicodeEncodeError):
        # It refuses control characters, which are valid UTF-8; and half of a
        # surrogate pair, which a model may write, is none.
        clean = "".join(c if c.isprintable() else " " for c in text)
        return clean, module.detect(clean, isPlainText=True, **options)


def _module() -> ModuleType:
    """Import pycld2.

    Raises:
        DataError: it is not installed.
    """
    try:
        import pycld2
    except ImportError as error:
        raise DataError(
            "telling languages needs the Python package 'pycld2', which is not "
            "installed; try: pip install pycld2"
        ) from error
    module: ModuleType = pycld2
    return module


def _words(path: Path | str) -> Iterator[str]:
    """Read a file with one word per line; blank lines are skipped."""
    for number, _, line in read_lines(path):
        parts = line.split()
        if len(parts) > 1:
            raise DataError(
                f"{path}: line {number:,} has {len(parts)} words ({line.strip()!r}); "
                "a lexicon has one per line"
            )
        yield from parts


def _bare(word: str) -> str:
    """Return a word in small letters, without the punctuation around it."""
    return word.strip(".,;:!?\"'()[]…。，、？！；：«»“”„").casefold()
