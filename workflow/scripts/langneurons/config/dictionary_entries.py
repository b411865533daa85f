"""What the entries of ``dictionaries:`` mean, and which files a pair is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from .fields import Codes, Frozen, Language, PairPath
from .names import Pair

COLUMNS = (
    "`{source}` is the language of the first column and `{target}` that of the second, "
    "`{source_code}` and `{target_code}` what `codes` calls them"
)


class WordFiles(Frozen):
    """Two files of words with translations: those of probes, and those of tests."""

    probe: PairPath = Field(
        description="words that probes are taken from, but for those of `test`; "
        f"two columns, parted by a tab or one blank. {COLUMNS}"
    )
    test: PairPath = Field(
        description="words that tests are made of, likewise; may be a part of `probe`"
    )

    @model_validator(mode="after")
    def _two_files(self) -> WordFiles:
        if self.probe == self.test:
            raise ValueError(
                "'probe' and 'test' are one file, of which no word would be left for "
                "probes; give two"
            )
        return self


class WordFilesOfLanguage(WordFiles):
    """Files of one language with another one, read in both directions."""

    column: Literal["first", "second"] = Field(
        "first",
        description="column that has the words of this language. From the other "
        "language into it (`first`), or from it into the other (`second`), the "
        "columns are read the other way round",
    )


@dataclass(frozen=True)
class Leg:
    """From one language into the next, by one dictionary's files.

    Attributes:
        pair: the two languages.
        probe: file of the words that probes are taken from.
        test: file of the words that tests are made of.
        swapped: whether the second column has the words of the pair's source.
    """

    pair: Pair
    probe: str
    test: str
    swapped: bool

    @property
    def files(self) -> tuple[str, str]:
        """Both files, in the order in which they are read."""
        return self.probe, self.test


class Dictionary(WordFiles):
    """Words and their translations, pair by pair of languages."""

    pivot: Language | None = Field(
        None,
        description="third language through which words are translated where a pair "
        "has no files of its own: all translations of each of a word's translations. "
        "Pairs with it need none. null: every pair has files",
    )
    by_language: dict[Language, WordFilesOfLanguage] = Field(
        default_factory=dict,
        description="other files, of pairs with this language",
    )
    codes: Codes = Field(
        default_factory=dict,
        description="what files call each language, where it differs from its code "
        "here; stands for `{source_code}` and `{target_code}`",
    )
    identical: Literal["keep", "drop"] = Field(
        "keep",
        description="translations that are the very word, or the word of `pivot` that "
        "they translate (names, loans and noise):\n"
        "`keep`: stay, and are counted (as MUSE has them)\n`drop`: are left out",
    )

    @model_validator(mode="after")
    def _codes_are_of_one_language(self) -> Dictionary:
        if len(set(self.codes.values())) < len(self.codes):
            raise ValueError("'codes' gives two languages the same code")
        return self

    def legs(self, pair: Pair) -> tuple[Leg, ...]:
        """Return the way from a pair's source to its target: one leg, or two."""
        if self.pivot is None or self.pivot in (pair.source, pair.target):
            return (self._leg(pair),)
        through = Pair(pair.source, self.pivot), Pair(self.pivot, pair.target)
        return tuple(map(self._leg, through))

    def _leg(self, pair: Pair) -> Leg:
        files: WordFiles = self
        columns, swapped = pair, False
        for lang in (pair.source, pair.target):
            if lang not in self.by_language:
                continue
            files = own = self.by_language[lang]
            swapped = (own.column == "first") == (lang == pair.target)
            break
        if swapped:
            columns = Pair(pair.target, pair.source)
        filled = {
            "source": columns.source,
            "target": columns.target,
            "source_code": self.codes.get(columns.source, columns.source),
            "target_code": self.codes.get(columns.target, columns.target),
        }
        probe, test = (path.format(**filled) for path in (files.probe, files.test))
        return Leg(pair, probe, test, swapped=swapped)
