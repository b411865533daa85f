"""Parameters of tasks that tell in which language a model wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field, model_validator

from langneurons.config import user_paths
from langneurons.config.errors import unknown_name
from langneurons.config.fields import Frozen, Language, LanguagePath
from langneurons.text.language_identity import CLD2, Cld2, Identifier, Lexicon


class Identifying(Frozen):
    """How the language of a text is told."""

    lexicon: LanguagePath | None = Field(
        None,
        description="files of the words of each language, one per line, `{lang}` is "
        "replaced: a text is in the language that owns the most of its words alone, as "
        "in an artificial world; null: CLD2 tells, which knows natural languages",
    )
    lexicon_languages: tuple[Language, ...] = Field(
        (), description="languages that have such a file, two or more; with `lexicon`"
    )

    @model_validator(mode="after")
    def _lexicon_is_of_languages(self) -> Identifying:
        if self.lexicon is None:
            if self.lexicon_languages:
                raise ValueError("'lexicon_languages' goes with 'lexicon'")
            return self
        if not user_paths.has_placeholder(self.lexicon):
            raise ValueError(
                f"lexicon: {self.lexicon!r} is the same file for all languages; write "
                "{lang} where the code of the language stands"
            )
        if len(self.lexicon_languages) < 2:
            raise ValueError(
                "lexicon: needs two 'lexicon_languages' or more; between them it tells"
            )
        return self

    def lexica(self) -> dict[str, str]:
        """Return the file of each language of the lexicon."""
        pattern = self.lexicon or ""
        return {code: pattern.format(lang=code) for code in self.lexicon_languages}

    def identifier(self) -> Identifier:
        """Open what tells languages: a lexicon is read, or CLD2's package imported.

        To be called before a model writes what is to be told.

        Raises:
            DataError: see ``Lexicon``; or the package is not installed.
        """
        return Lexicon.read(self.lexica()) if self.lexicon else Cld2.opened()

    def unidentified(self, languages: Iterable[str]) -> Iterator[str]:
        """Say which languages can never be found, before the first job."""
        known = frozenset(self.lexicon_languages) if self.lexicon else CLD2.known()
        place = "parameters.lexicon_languages" if self.lexicon else "CLD2"
        for code in dict.fromkeys(languages):
            if code not in known:
                yield unknown_name("language", code, known, place)
