"""Words with their translations: files of two columns, and a third language between.

As MUSE lays them out (Lample et al. 2018): a row per translation, the word before a tab
or one blank, its translation behind it, frequent words first. For most pairs there is
no such file. Their words are translated into a pivot and from there on, which finds too
much: every sense of each translation (docs/deviations.md).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.config.names import Pair
from langneurons.jobs import files

from .corpora import read_lines

FORMAT = "langneurons/dictionary/1"
Translations = dict[str, dict[str, None]]
"""By word, in the order of the file, its translations, each once."""


def rows(path: Path | str) -> Iterator[tuple[str, str]]:
    """Read the rows of a file, in NFC; empty lines are left out.

    Args:
        path: UTF-8, two columns parted by a tab or, where a line has none, one blank.

    Yields:
        What the columns say; a cell may be empty, as in lists from Wiktionary.

    Raises:
        DataError: a line has another layout, the file is not UTF-8, or it is empty.
    """
    empty = True
    for number, _, line in read_lines(path):
        if not line.strip():
            continue
        empty = False
        cells = line.split("\t") if "\t" in line else line.strip().split(" ")
        if len(cells) != 2:
            raise DataError(
                f"{path}: line {number:,} has {len(cells)} columns: {line[:80]!r}. Two "
                "are read, a word and its translation, parted by a tab or by one blank "
                "(the layout of MUSE); words with a blank in them need the tab"
            )
        word, translation = (unicodedata.normalize("NFC", x.strip()) for x in cells)
        yield word, translation
    if empty:
        raise DataError(f"{path}: has no words; every line is empty")


@dataclass
class Words:
    """The words of one leg.

    Attributes:
        translations: of the words of both files.
        test: words of the test file, in small letters.
        counts: rows, rows with an empty cell, and words, by name.
    """

    translations: Translations = field(default_factory=dict)
    test: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, probe: Path, test: Path, swapped: bool) -> Words:
        """Read the two files of a leg.

        Args:
            probe: file of the words that probes are taken from.
            test: file of the words that tests are made of.
            swapped: whether the second column has the words, and the first their
                translations.
        """
        found = cls(counts={"rows": 0, "blank": 0})
        for path in (probe, test):
            for cells in rows(path):
                word, translation = reversed(cells) if swapped else cells
                found.counts["rows"] += 1
                if not word or not translation:
                    found.counts["blank"] += 1
                    continue
                found.translations.setdefault(word, {})[translation] = None
                if path == test:
                    found.test.add(word.lower())
        found.counts["words"] = len(found.translations)
        return found


def read(
    legs: Sequence[Mapping[str, Any]], paths: Sequence[Path], identical: str
) -> dict[str, Any]:
    """Translate the words of a pair, directly or through a third language.

    Which words are tested is said by the files of the first leg; their translations
    are from both files of every leg. No word that is tested is among those of probes,
    in any case of letters.

    Args:
        legs: one, or two with the pivot between; each ``pair`` and ``swapped``.
        paths: of each leg the file of probe words and that of test words.
        identical: ``drop`` leaves out translations that are the very word, or the word
            of the language between that they translate; ``keep``.

    Returns:
        ``probe`` and ``test``: ``word`` and ``gold``, its translations, in the order of
        the source's files; ``counts``: of each leg, and of what became of its words.

    Raises:
        DataError: a file has another layout, or no word is left for probes or tests.
    """
    read_in = [
        Words.read(paths[2 * i], paths[2 * i + 1], leg["swapped"])
        for i, leg in enumerate(legs)
    ]
    first = read_in[0]
    found: dict[str, list[dict[str, Any]]] = {"probe": [], "test": []}
    same = alone = lost = 0
    for word, given in first.translations.items():
        ways = _through(word, given, [one.translations for one in read_in[1:]])
        other = {
            text: None for text, of in ways.items() if of - {text} and text != word
        }
        same += len(ways) > len(other)
        alone += bool(ways) and not other
        gold = other if identical == "drop" else dict.fromkeys(ways)
        if not gold:
            lost += 1
            continue
        part = "test" if word.lower() in first.test else "probe"
        found[part].append({"word": word, "gold": list(gold)})
    both = [*found["probe"], *found["test"]]
    counts = {
        "legs": {
            str(leg["pair"]): one.counts for leg, one in zip(legs, read_in, strict=True)
        },
        "probe": len(found["probe"]),
        "test": len(found["test"]),
        "translations": sum(len(one["gold"]) for one in both),
        "identical": same,
        "only_identical": alone,
        "untranslated": lost,
    }
    for part in ("probe", "test"):
        if not found[part]:
            raise DataError(_none_left(part, legs, paths, counts))
    return {**found, "counts": counts}


def _through(
    word: str, given: Iterable[str], further: Sequence[Translations]
) -> dict[str, set[str]]:
    """Translate a word on, leg by leg; a word that is not there has no translation.

    Returns:
        Its translations, each with the words that the last leg has it for.
    """
    found = {text: {word} for text in given}
    for translations in further:
        on: dict[str, set[str]] = {}
        for between in found:
            for text in translations.get(between, ()):
                on.setdefault(text, set()).add(between)
        found = on
    return found


def _none_left(
    part: str,
    legs: Sequence[Mapping[str, Any]],
    paths: Sequence[Path],
    counts: Mapping[str, Any],
) -> str:
    ways = " and ".join(str(leg["pair"]) for leg in legs)
    return (
        f"dictionary {ways}: no {part} word is left of {', '.join(map(str, paths))}; "
        f"counts: {files.canonical(dict(counts))}. Words of a test file are none of "
        "probes; words without a translation are left out. Do the files have the "
        "languages in this order (else see 'column'), and is the third language of "
        "both the same?"
    )


def write(path: Path | str, name: str, pair: str, found: Mapping[str, Any]) -> None:
    """Write the words of a pair, whole or not at all.

    Args:
        path: of the file.
        name: the dictionary's in the configuration.
        pair: source and target language.
        found: from ``read``.
    """
    said = {"format": FORMAT, "dictionary": name, "pair": pair}
    files.write_json(path, {**said, **found})


@dataclass(frozen=True)
class Word:
    """A word with its translations."""

    word: str
    gold: tuple[str, ...]


@dataclass(frozen=True)
class PairDictionary:
    """The words of a pair, as ``prepare_dictionary`` wrote them.

    Attributes:
        pair: from which language into which.
        probe: words for probes, in the order of the source's files (frequent first).
        test: words for tests, none of them in ``probe``.
    """

    pair: Pair
    probe: tuple[Word, ...]
    test: tuple[Word, ...]

    @classmethod
    def read(cls, path: Path | str) -> PairDictionary:
        """Read a file of ``prepare_dictionary``.

        Raises:
            DataError: it is damaged or of another format.
        """
        keys: dict[str, type] = {"format": str, "pair": str, "probe": list}
        found = files.read_object(path, keys=keys | {"test": list})
        try:
            if found["format"] != FORMAT:
                raise ValueError(f"format {found['format']!r}, not {FORMAT!r}")
            parts = [_words(found[part]) for part in ("probe", "test")]
            return cls(Pair.parse(found["pair"]), *parts)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}: damaged, or not the words of a pair ({error})"
                f"{files.redo(path)}"
            ) from error


def _words(given: Sequence[Mapping[str, Any]]) -> tuple[Word, ...]:
    return tuple(Word(str(one["word"]), tuple(map(str, one["gold"]))) for one in given)
