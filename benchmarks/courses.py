"""Items that this project and lm-evaluation-harness score in a race.

Made-up ones, as long as the real ones are with Gemma 3's tokenizer, for models with
random weights; or real files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from langneurons import tasks

LETTERS = ("A", "B", "C", "D")
SPECIAL = ("<pad>", "<bos>", "<eos>")
OBJECTS = 15
LANGUAGES = (
    *("en", "nl", "id", "ms", "vi", "ja", "zh", "fr", "pt", "ru", "et", "it", "ta"),
    *("th", "tr"),
)
"""In which all facts of mLAMA that are asked here have an object."""
WORDING = {"wording": "harness"}
FACTS = {"languages": LANGUAGES, "items": "distinct_all", "boundary": "alone"}

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Course:
    """Items of a task in one language.

    Attributes:
        kind: of the task here.
        lang: of the items, as the task here calls it.
        theirs: the harness's task; empty: it has none.
        rows: of the items' file.
        parameters: of the task here.
        beside: names of further files -> text.
    """

    kind: str
    lang: str
    theirs: str
    rows: Rows
    parameters: dict[str, Any] = field(default_factory=lambda: WORDING)
    beside: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the items as both read them, and what belongs beside them."""
        path = folder / f"{self.kind}.jsonl"
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows]
        path.write_text("".join(lines), encoding="utf-8")
        for name, text in self.beside.items():
            (folder / name).write_text(text, encoding="utf-8")
        return path


def made_up(items: Sequence[int], vocabulary: int) -> list[Course]:
    """Make items of all four tasks up.

    Args:
        items: of XCOPA, XWinograd, Belebele and mLAMA.
        vocabulary: words that there are; see ``tokenizer``.
    """
    rng = np.random.default_rng(0)
    first = len(SPECIAL) + len(LETTERS)

    def text(shortest: int, longest: int) -> str:
        count = rng.integers(shortest, longest + 1)
        return " ".join(f"w{i}" for i in rng.integers(first, vocabulary, count))

    def different(count: int, shortest: int, longest: int) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            found[text(shortest, longest)] = None
        return list(found)

    choices: Rows = []
    for i in range(items[0]):
        one, two = different(2, 4, 13)
        about = {"question": ("cause", "effect")[i % 2], "label": i % 2}
        own = {"premise": f"{text(6, 15)} .", "choice1": one, "choice2": two}
        choices.append({**own, **about, "idx": i, "changed": False})
    pronouns: Rows = []
    for i in range(items[1]):
        one, two = different(2, 1, 3)
        sentence = f"{text(6, 20)} _ {text(2, 14)}"
        own = {"sentence": sentence, "option1": one, "option2": two}
        pronouns.append({**own, "answer": str(1 + i % 2)})
    passages: Rows = []
    for i in range(items[2]):
        own = {f"mc_answer{n}": x for n, x in enumerate(different(4, 2, 10), 1)}
        own |= {"flores_passage": text(70, 150), "question": text(8, 18)}
        about = {"correct_answer_num": str(1 + i % 4), "question_number": 1}
        passages.append({**own, **about, "link": f"{i}", "dialect": "eng_Latn"})
    facts: Rows = []
    for _ in range(items[3]):
        objects = dict(zip(LANGUAGES, different(OBJECTS, 1, 4), strict=True))
        subjects = dict.fromkeys(LANGUAGES, text(1, 3))
        facts.append({"relation": "P1", "sub": subjects, "obj": objects})
    words = " ".join(f"w{first + i}" for i in range(3))
    template = [f"[X] {words} [Y]"] * OBJECTS
    table = ["\t".join(["relation", *LANGUAGES]), "\t".join(["P1", *template])]
    return [
        Course("xcopa", "it", "xcopa_it", choices),
        Course("xwinograd", "en", "xwinograd_en", pronouns),
        Course("belebele", "eng_Latn", "belebele_eng_Latn", passages),
        Course(
            *("mlama", "en", "", facts, FACTS),
            beside={"templates.tsv": "\n".join([*table, ""])},
        ),
    ]


def real(data: Path, items: Sequence[int]) -> list[Course]:
    """Read real files.

    Args:
        data: folder with ``xcopa``, ``xwinograd``, ``belebele`` and ``mlama``.
        items: of each, the first so many that are asked.
    """
    winograd = tasks.load("xwinograd").read_file(data / "xwinograd/dataset.tsv")
    pronouns = (
        {name: row[name] for name in ("sentence", "option1", "option2")}
        | {"answer": str(row["label"] + 1)}
        for row in winograd
        if row["language"] == "en"
    )
    templates = data / "mlama/templates.tsv"
    facts = (row for row in _objects(data / "mlama/facts.jsonl") if _is_told(row))
    given = (
        ("xcopa", "it", "xcopa_it", _objects(data / "xcopa/it/test.it.jsonl")),
        ("xwinograd", "en", "xwinograd_en", pronouns),
        (
            *("belebele", "eng_Latn", "belebele_eng_Latn"),
            _objects(data / "belebele/eng_Latn.jsonl"),
        ),
    )
    found = [
        Course(kind, lang, theirs, list(islice(rows, count)))
        for (kind, lang, theirs, rows), count in zip(given, items, strict=False)
    ]
    beside = {"templates.tsv": templates.read_text(encoding="utf-8")}
    asked = list(islice(facts, items[3]))
    return [*found, Course("mlama", "en", "", asked, FACTS, beside=beside)]


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _is_told(fact: dict[str, Any]) -> bool:
    """Whether a fact has an English subject, and another object in each language."""
    objects = {fact["obj"].get(code, "").casefold() for code in LANGUAGES}
    return "en" in fact["sub"] and "" not in objects and len(objects) == OBJECTS


def tokenizer(vocabulary: int) -> Any:
    """Make one of which each word is a token, and which puts a BOS in front.

    Args:
        vocabulary: tokens that there are: special ones, letters, then ``w7``, ``w8``
            and so on; whatever else is in a text is the last.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = [*SPECIAL, *LETTERS]
    known += [f"w{i}" for i in range(len(known), vocabulary)]
    words = models.WordLevel({word: i for i, word in enumerate(known)}, known[-1])
    inner = Tokenizer(words)
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token=known[-1],
    )
