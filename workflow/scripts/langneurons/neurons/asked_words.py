"""Words that a model was asked to translate: what it said, and which are probes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files

FORMAT = "langneurons/probes/1"
NO_PROBES = "none"
"""``keep`` of a pair whose answers alone are read."""
KEYS: dict[str, type] = {
    **dict.fromkeys(("format", "model", "pair", "dictionary", "keep"), str),
    **dict.fromkeys(("words", "kept"), list),
}


@dataclass(frozen=True)
class AskedWords:
    """The words of a pair that a model was asked.

    Attributes:
        model: name of the model.
        pair: of languages, ``zh-sw``.
        dictionary: that the words are from.
        keep: which of them are probes: ``correct``, ``both``, ``all`` or ``none``.
        words: in the order in which they were asked, each with ``word``, ``gold`` (a
            list of translations), ``answer`` and ``correct`` (null where the model was
            not asked); with keep ``both`` also ``back`` and ``back_correct``.
        kept: places of the probes in ``words``.
    """

    model: str
    pair: str
    dictionary: str
    keep: str
    words: Sequence[Mapping[str, Any]]
    kept: Sequence[int]

    def without(self, words: Iterable[str]) -> AskedWords:
        """Leave words out, in any case of letters: those that a test asks, say."""
        left_out = {word.lower() for word in words}
        places = [
            i for i, x in enumerate(self.words) if x["word"].lower() not in left_out
        ]
        kept = [new for new, old in enumerate(places) if old in set(self.kept)]
        return replace(self, words=[self.words[i] for i in places], kept=kept)

    def write(self, path: Path | str) -> None:
        """Write the file."""
        whole = {"format": FORMAT, **vars(self)}
        files.write_json(path, {key: whole[key] for key in KEYS})

    @classmethod
    def read(cls, path: Path | str) -> AskedWords:
        """Read and check a file.

        Raises:
            DataError: it is damaged, or something else.
        """
        raw = files.read_object(path, "a file of words that were asked", KEYS)
        if raw["format"] != FORMAT:
            raise DataError(
                f"{path}: format {raw['format']!r}, not {FORMAT}{files.redo(path)}"
            )
        for place in raw["kept"]:
            if type(place) is not int or not 0 <= place < len(raw["words"]):
                raise DataError(f"{path}: kept has {place!r}, no place of a word")
        return cls(**{key: raw[key] for key in KEYS if key != "format"})
