"""Open prompts, answered under steering: which language an answer is in, line by line.

Language forcing, as in CLaS-Bench (Gurgurov et al. 2026, arXiv 2601.08331), but nobody
judges what is said: damage is what can be counted, repetition, loops, length and
answers without a letter (docs/amplification.md 11).
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from langneurons.config import user_paths
from langneurons.config.errors import DataError, unknown_name
from langneurons.config.fields import Language

from . import Item, Metric, Size, Task
from .common import columns, open_answers, questions, rows
from .common.identifying import Identifying
from .common.items import read_jsonl
from .common.open_answers import (
    GRAM,
    LINES,
    LOOP_TIMES,
    LOOP_TOKENS,
    NONE,
    OTHER,
    WORDS,
)

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel

COLUMNS = ("prompt", "question", "inputs", "instruction")
"""Columns that a prompt may stand in; the first that is there."""


def _template(text: str) -> str:
    """Check the words around a prompt."""
    try:
        parts = [part[1:] for part in string.Formatter().parse(text)]
    except ValueError as error:
        raise ValueError(f"{text!r} is no template ({error})") from None
    if [part for part in parts if part[0] is not None] != [("prompt", "", None)]:
        raise ValueError(f"{text!r} - {{prompt}} must stand in it once, and no other")
    return text


class Parameters(Identifying):
    """How prompts are asked, and which languages their answers are searched for.

    A local file is `.txt`, a prompt per line; `.tsv` or `.jsonl` with a column `prompt`
    (or `question`, `inputs`, `instruction`, the first that is there); or `.json` in the
    layout of SQuAD 1.1, of which the questions are taken.
    """

    languages: tuple[Language, ...] = Field(
        min_length=1,
        description="whose share of each answer is kept; each tested language is among "
        "them, and only to these can a treatment be seen to steer",
    )
    template: Annotated[str, AfterValidator(_template)] | None = Field(
        None,
        description="words around a prompt, which stands for `{prompt}`; null: none",
    )
    max_new_tokens: int = Field(
        64, ge=1, description="tokens generated at most, EOS included"
    )


class Forcing(Task[Parameters]):
    """Answers to open prompts; see the module."""

    PARAMETERS = Parameters
    TITLE = "open prompts"
    METRICS = MappingProxyType(
        {
            "words": Metric(
                "score",
                "words of the prompt's language",
                about="share of an answer's words, weighed by their letters",
            ),
            "lines": Metric(
                "score",
                "lines of it",
                about="share of an answer's lines in the prompt's language",
                drawn=False,
            ),
            "repetition": Metric(
                "score",
                "repetition",
                about=f"share of an answer's {GRAM}-grams of tokens that stood in it "
                "before",
            ),
            "loops": Metric(
                "binary",
                "loops",
                about=f"answers that end in a block of tokens {LOOP_TIMES} times or "
                f"more in a row, over {LOOP_TOKENS} tokens or more",
                drawn=False,
            ),
            "empty": Metric(
                "binary", "empty", about="answers without a letter", drawn=False
            ),
            "length": Metric(
                "real",
                "length",
                unit="tokens",
                about="tokens of an answer, its end not counted",
                drawn=False,
            ),
        }
    )
    SIZE = Size(0, 70, 0, 30, "Gurgurov et al. 2026; tokens of a prompt assumed")
    OPEN = True
    NAMED_ROWS = True
    NOTES = (
        "answers to open prompts: which language they are in, by words and by lines, "
        "how much they repeat, how long they are; what they say is not judged.",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find languages that cannot be told, and tested ones that are not kept."""
        yield from parameters.unidentified(parameters.languages)
        for lang in languages:
            if lang not in parameters.languages:
                kept = parameters.languages
                yield unknown_name("language", lang, kept, "parameters.languages")

    def read_file(self, path: Path | str) -> Iterator[Item]:
        read = {".txt": _texts, ".tsv": _cells, ".jsonl": _objects, ".json": _squad}
        if (ending := Path(path).suffix) not in read:
            raise DataError(
                f"{path}: {ending or 'a name without an ending'} is no format of "
                f"prompts; allowed: {', '.join(read)}"
            )
        return read[ending](path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        for row, cells, where in rows.of_hub(source, language, split, ()):
            item = _item(row, cells, where)
            if "language" not in item and not user_paths.has_placeholder(
                source.get("config")
            ):
                raise DataError(
                    f"{where}: it names no language (column 'language_code' or "
                    "'language'), and hub.config is the same for all; write {lang} "
                    "where the data set has a configuration for each"
                )
            yield item

    def read_items(self, path: Path | str) -> list[Item]:
        return read_jsonl(path, keys=("id", "prompt"))

    def files(self, parameters: Parameters) -> Mapping[str, str]:
        return {f"lexicon ({x})": path for x, path in parameters.lexica().items()}

    def generates(self, parameters: Parameters) -> int:
        return parameters.max_new_tokens

    def evaluate(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
    ) -> pd.DataFrame:
        """Answer every prompt; see ``open_answers.table``."""
        identifier = parameters.identifier()
        template = parameters.template or "{prompt}"
        asked = [template.format(prompt=item["prompt"].strip()) for item in items]
        coded = lm.encode(asked, beginning=True)
        made = lm.generate(coded, parameters.max_new_tokens)
        stopped = [lm.eos in tokens[-1:] for tokens in made]
        kept = [
            tokens[: len(tokens) - ended]
            for tokens, ended in zip(made, stopped, strict=True)
        ]
        texts = [lm.decode(tokens) for tokens in kept]
        found = open_answers.table(
            items, kept, texts, told=parameters.languages, language=language,
            identifier=identifier,
        )  # fmt: skip
        return found.assign(stopped=stopped)

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``evaluate``."""
        return {
            "item": "whole number: the prompt, numbered from 0 as in its file",
            "words": "number from 0 to 1: words_{lang} of the prompt's language",
            "lines": "number from 0 to 1: lines_{lang} of the prompt's language",
            "repetition": f"number from 0 to 1: share of the {GRAM}-grams of tokens "
            "that stood in the answer before; 0 of an answer too short to have one",
            "loops": "true or false: whether the answer ends in a block of tokens that "
            f"stands there {LOOP_TIMES} times or more in a row, {LOOP_TOKENS} tokens "
            "or more together",
            "empty": "true or false: whether the answer has no letter",
            "length": "number: tokens of the answer, the end sign not counted",
            f"{WORDS}{{lang}}": "number from 0 to 1: share of the answer's words, "
            "weighed by their letters, that are in this language of `languages`",
            f"{WORDS}{OTHER}": "number from 0 to 1: likewise, in any other language",
            f"{WORDS}{NONE}": "number from 0 to 1: likewise, in no language that is "
            "found; 1 where there is no letter",
            f"{LINES}{{lang}}": "number from 0 to 1: share of the answer's lines with "
            "a letter that are, for the most part, in this language of `languages`",
            f"{LINES}{OTHER}": "number from 0 to 1: likewise, in any other language",
            f"{LINES}{NONE}": "number from 0 to 1: likewise, in no language that is "
            "found; 1 where there is no letter",
            "prompt": "text: the prompt as it is in the file",
            "answer": "text: what the model wrote, without control tokens",
            "stopped": "true or false: whether the model ended its answer itself",
        }


def _item(row: int, cells: Mapping[str, Any], where: str) -> Item:
    """Read a row that has a prompt in one of the columns.

    Raises:
        DataError: it has none, or an empty one.
    """
    name = next((x for x in COLUMNS if x in cells), None)
    if name is None:
        raise DataError(
            f"{where}: no column with a prompt; allowed: {', '.join(COLUMNS)}; has "
            f"{list(cells)}"
        )
    # A column of names (English) may stand beside that of codes.
    codes = {k: v for k, v in cells.items() if k == "language_code"}
    said = columns.language(codes or cells, where)
    return {"id": row, "prompt": columns.text(cells, name, where), **said}


def _texts(path: Path | str) -> Iterator[Item]:
    for row, line, where in columns.read_parallel(path):
        yield _item(row, {"prompt": line}, where)


def _cells(path: Path | str) -> Iterator[Item]:
    return (_item(*each) for each in columns.read_tsv(path, ()))


def _objects(path: Path | str) -> Iterator[Item]:
    return (_item(*each) for each in rows.of_file(path, ()))


def _squad(path: Path | str) -> Iterator[Item]:
    for asked in questions.read_file(path):
        said = {k: v for k, v in asked.items() if k == "language"}
        yield {"id": asked["id"], "prompt": asked["question"], **said}


TASK = Forcing()
