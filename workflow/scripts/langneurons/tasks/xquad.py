"""XQuAD: answer a question about a passage, in words that the model generates.

Mondal et al. 2025, section 4 (methods.md 2.4). The items are parallel: row i asks the
same in every language. Trained on English, tested zero-shot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from langneurons.config.catalogue import Frozen
from langneurons.config.errors import DataError
from langneurons.jobs import files, json_text
from langneurons.text import hub, row_languages

from . import Item, Metric, Size, Task
from .common.items import read_jsonl

COLUMNS = ("context", "question", "answers")
SPLITS = {"train": ("train", "validation"), "test": ("test", "validation")}
"""Splits of a hub data set, in order of preference; XQuAD has the last only."""

# The wording of Alpaca's prompt, as in the paper; a blank follows the context there.
ALPACA = (
    "Below is an instruction that describes a task, paired with an input that provides "
    "further context. Write a response that appropriately completes the request.",
    "",
    "### Instruction:",
    "Answer the question based on the given context.",
    "",
    "### Input:",
    "Context: {context} ",
    "Question: {question}",
    "",
    "### Response:",
)
INDENT = " " * 12


class Parameters(Frozen):
    """How an item becomes a prompt, what is learnt from it, and how answers are made.

    Files have the layout of SQuAD 1.1.

    A text task's parameters have ``prompt``, and the fields ``max_length``,
    ``long_test``, ``max_new_tokens``, ``window`` and ``loss``.
    """

    max_length: int = Field(
        512,
        ge=8,
        description="tokens of an item (paper: 512). Training items of max_length - 1 "
        "tokens or more, answer and EOS included, are left out",
    )
    long_test: Literal["skip", "cut"] = Field(
        "skip",
        description="test items whose prompt has max_length - 1 tokens or more:\n"
        "`skip`: are left out (paper)\n"
        "`cut`: lose the end of the context, so that the question stays",
    )
    max_new_tokens: int = Field(
        100, ge=1, description="tokens generated at most, EOS included (paper: 100)"
    )
    window: int | None = Field(
        512,
        ge=1,
        description="while it generates, the model sees the last so many tokens "
        "(paper: 512); null: all of them",
    )
    loss: Literal["full", "answer_only"] = Field(
        "full",
        description="tokens learnt:\n`full`: the prompt, the answer and EOS (paper)\n"
        "`answer_only`: the answer and EOS",
    )
    template: Literal["alpaca", "plain"] = Field(
        "alpaca",
        description="words around an item:\n`alpaca`: Alpaca's instruction (paper)\n"
        "`plain`: question, context and EOS, for small models that know no "
        "instructions",
    )
    prompt_indent: Literal["paper", "dedent"] = Field(
        "paper",
        description="with template alpaca:\n`paper`: 12 blanks before every line but "
        "the first, and a blank after the context\n`dedent`: neither",
    )

    @model_validator(mode="after")
    def _indented_is_alpaca(self) -> Parameters:
        if self.template != "alpaca" and self.prompt_indent != "paper":
            raise ValueError(
                f"template {self.template} has no indented lines; 'prompt_indent' "
                "would have no effect"
            )
        return self

    def prompt(self, item: Mapping[str, Any], eos: str) -> str:
        """Write the text that the answer follows.

        Args:
            item: with ``context`` and ``question``; blanks around them are dropped.
            eos: the tokenizer's end-of-text token.
        """
        texts = {key: item[key].strip() for key in ("context", "question")}
        if self.template == "plain":
            return f"{texts['question']} {texts['context']} {eos}"
        lines = [line.format_map(texts) for line in ALPACA]
        if self.prompt_indent == "dedent":
            return "\n".join(line.rstrip() for line in lines)
        # Empty lines have no blanks in the released code either.
        first, *others = (INDENT * bool(line) + line for line in lines)
        return "\n".join([first.lstrip(), *others])


def read_file(path: Path | str) -> Iterator[dict[str, Any]]:
    """Read a JSON file in the layout of SQuAD 1.1.

    Yields:
        ``id`` (row number from 0), ``context``, ``question``, ``answers`` (texts);
        ``language`` if the file names one: as a whole, or for an article, a passage or
        a question.

    Raises:
        DataError: not such a file, or a question without an answer.
    """
    whole, row = files.read_json(path), 0
    for a, article in enumerate(_list(whole, "data", f"{path}: ")):
        where = f"{path}: data[{a}]."
        for p, paragraph in enumerate(_list(article, "paragraphs", where)):
            spot = f"{where}paragraphs[{p}]."
            for q, asked in enumerate(_list(paragraph, "qas", spot)):
                at = f"{spot}qas[{q}]"
                answers = _list(asked, "answers", f"{at}.")
                texts = [a.get("text") for a in answers if isinstance(a, dict)]
                cells = {
                    "context": paragraph.get("context"),
                    "question": asked.get("question"),
                    "answers": texts,
                }
                blocks = (whole, article, paragraph, asked)
                yield _item(row, cells | _languages(blocks, at), at)
                row += 1


def _languages(blocks: Iterable[Mapping[str, Any]], where: str) -> dict[str, Any]:
    """Return the language that a question is in, if the file says it; see ``_item``."""
    said = [row_languages.of(block, where) for block in blocks]
    given = [language for language in said if language is not None]
    if not all(row_languages.same(given[0], other) for other in given):
        raise DataError(f"{where}: the languages around it differ: {', '.join(given)}")
    return {"language": given[-1]} if given else {}


def _list(block: Any, key: str, where: str) -> list[Any]:
    found = block.get(key) if isinstance(block, dict) else None
    if not isinstance(found, list):
        raise DataError(
            f"{where}{key} is not a list. A file in the layout of SQuAD 1.1 is "
            "expected: data > paragraphs (context) > qas (question) > answers (text)"
        )
    return found


def read_hub(
    source: Mapping[str, Any], language: str, split: str
) -> Iterator[dict[str, Any]]:
    """Stream a hub data set with columns context, question, answers (with ``text``).

    Args:
        source: a ``HubSource`` as a mapping.
        language: replaces ``{lang}`` in its configuration.
        split: ``train`` or ``test``. Where the data set has none of that name, the
            ``validation`` split is read: XQuAD has no other, SQuAD hides its test.
    """
    for row, cells in enumerate(_rows(source, language, SPLITS[split])):
        where = f"hub dataset {source['repo']}, {language} {split}, row {row + 1:,}"
        if absent := [name for name in COLUMNS if name not in cells]:
            raise DataError(
                f"{where}: no column {', '.join(absent)}; has {list(cells)}"
            )
        answers = cells["answers"]
        texts = answers.get("text") if isinstance(answers, dict) else None
        yield _item(row, {**cells, "answers": texts}, where)


def _rows(
    source: Mapping[str, Any], language: str, splits: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    for split in splits:
        stream = iter(hub.rows(source, language, split))
        try:
            first = next(stream, None)
        except DataError as error:
            # A ValueError is what ``datasets`` says of a split that is not there.
            if split == splits[-1] or not isinstance(error.__cause__, ValueError):
                raise
            continue
        if first is not None:
            yield first
            yield from stream
        return


def _item(row: int, cells: Mapping[str, Any], where: str) -> dict[str, Any]:
    for name in COLUMNS[:2]:
        if not isinstance(cells[name], str) or not cells[name].strip():
            raise DataError(f"{where}: {name} is {cells[name]!r}; a text is expected")
    answers = cells["answers"]
    if not isinstance(answers, list) or not answers:
        raise DataError(
            f"{where}: no answer; every question needs one (SQuAD 1.1, not 2.0)"
        )
    if bad := [a for a in answers if not isinstance(a, str) or not a.strip()]:
        raise DataError(f"{where}: answer {bad[0]!r}; a text is expected")
    if not all(map(json_text.is_text, (*(cells[k] for k in COLUMNS[:2]), *answers))):
        raise DataError(f"{where}: its text holds {json_text.HALF_OF_A_PAIR}")
    item = {"id": row, **{name: cells[name] for name in COLUMNS}}
    said = row_languages.of(cells, where)
    return item if said is None else item | {"language": said}


def read_items(path: Path | str) -> list[dict[str, Any]]:
    """Read prepared items (JSON lines, as ``tasks.prepare`` writes them)."""
    items = read_jsonl(path, keys=("id", *COLUMNS))
    return [
        _item(item["id"], item, f"{path}: line {number:,}")
        for number, item in enumerate(items, start=1)
    ]


class Xquad(Task[Parameters]):
    """Questions about passages; see the module."""

    PARAMETERS = Parameters
    TITLE = "XQuAD"
    # The first two compare token ids (paper), the others words; see ``answers``.
    METRICS = MappingProxyType(
        {
            "em": Metric("binary", "EM", group="token ids", about="exact match"),
            "f1": Metric("score", "F1", group="token ids"),
            "squad_em": Metric("binary", "SQuAD EM", group="squad", drawn=False),
            "squad_f1": Metric("score", "SQuAD F1", group="squad", drawn=False),
            "mlqa_em": Metric("binary", "MLQA EM", group="mlqa", drawn=False),
            "mlqa_f1": Metric("score", "MLQA F1", group="mlqa", drawn=False),
        }
    )
    TEST_ONLY = ("long_test", "max_new_tokens", "window")
    PUBLISHED = "xquad"
    SIZE = Size(
        1_190,
        1_190,
        280,
        400,
        "Artetxe et al. 2020; 142 words a passage in 865 letters, Alpaca's instruction",
    )
    DEMO = "qa"
    NOTES = (
        "share of answers that match exactly, and overlap of answer tokens; on token "
        "ids including the end sign, as in the paper, unless named squad or mlqa.",
    )

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return read_file(path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return read_hub(source, language, split)

    def read_items(self, path: Path | str) -> list[Item]:
        return read_items(path)

    def generates(self, parameters: Parameters) -> int:
        return parameters.max_new_tokens

    def longest(self, parameters: Parameters) -> int:
        return parameters.max_length


TASK = Xquad()
