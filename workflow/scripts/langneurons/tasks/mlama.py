"""Facts of mLAMA: how likely an object is, in each language, after a prompt in one.

Kassner et al. 2021; Rahmanisa et al. 2025 score it to see whether a treatment shifts a
model from the prompt's language to another (LSS, docs/amplification.md 5). Here the
objects' log-probabilities are kept; shifts are between two runs, and the tables'
business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from langneurons.config.errors import DataError, unknown_name
from langneurons.config.fields import Frozen, Language
from langneurons.nn.evaluation.examples import Likelihood

from . import Item, Metric, Size, Task
from .common import facts
from .common.continuations import BOUNDARY, Boundary, Continued, blank, score

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel

SUBJECT, OBJECT = "[X]", "[Y]"
WRONG: dict[str, tuple[str, ...]] = {"ja": ("P36",), "zh": ("P36",)}
"""Their templates ask for a capital letter, not for a capital."""


class Parameters(Frozen):
    """Whose objects are scored, and how a prompt is written.

    A local file is `facts.jsonl`, a JSON object per fact with `relation`, `sub` and
    `obj` (texts by language); beside it lies `templates.tsv`, a row per relation and a
    column per language. One pair of files has all languages.
    """

    languages: tuple[Language, ...] = Field(
        min_length=2,
        description="whose objects are scored after each prompt; each tested language "
        "is among them",
    )
    prompt: Literal["prefix", "remove", "final_only"] = Field(
        "prefix",
        description="text before the object:\n"
        "`prefix`: the template up to its [Y]\n"
        "`remove`: the whole template without ' [Y]' (paper), so that words behind it "
        "stand before the object\n"
        "`final_only`: as prefix, but only of relations whose [Y] is the last word of "
        "the template in the prompt's language",
    )
    join: Literal["space", "by_language"] = Field(
        "by_language",
        description="between prompt and object:\n`space`: a blank (paper)\n"
        "`by_language`: a blank, but nothing after prompts in ja, zh and th",
    )
    items: Literal["distinct_pair", "distinct_all", "all"] = Field(
        "distinct_pair",
        description="objects that are scored; those that are the same word, in any "
        "case, cannot shift:\n"
        "`distinct_pair`: those that are not the object in the prompt's language\n"
        "`distinct_all`: only of facts whose objects differ in all of `languages`\n"
        "`all`: all",
    )
    relations_left_out: dict[Language, tuple[str, ...]] = Field(
        WRONG,
        description="relations that are not asked, by the prompt's language, because "
        "their template is wrong there; by default P36 in ja and zh",
    )
    boundary: Boundary = Field("offsets", description=BOUNDARY)


class Mlama(Task[Parameters]):
    """Objects of facts in several languages; see the module."""

    PARAMETERS = Parameters
    TITLE = "mLAMA"
    METRICS = MappingProxyType(
        {
            "own": Metric(
                "binary",
                "own object likeliest",
                about="of the objects in all languages",
            ),
            "nats": Metric(
                "real",
                "log-probability of the own object",
                unit="nats",
                decimals=2,
                matters=0.1,
            ),
        }
    )
    SIZE = Size(
        0,
        185,
        0,
        41,
        "Rahmanisa et al. 2025; 15 objects of 2.3 tokens behind 6, counted on mLAMA "
        "with Gemma 3's tokenizer",
    )
    CONTINUES = True
    SHIFTS = True
    BESIDE = (facts.TEMPLATES,)
    ALL_LANGUAGES = True
    NOTES = (
        "share of facts whose object in the prompt's language is likelier than in any "
        "other, and the log-probability of that object.",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find tested languages whose own objects are not scored."""
        for lang in languages:
            if lang not in parameters.languages:
                known = parameters.languages
                yield unknown_name("language", lang, known, "parameters.languages")

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return facts.read_file(path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return facts.read_hub(source, language, split)

    def read_items(self, path: Path | str) -> list[Item]:
        return facts.read_items(path)

    def evaluate(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
    ) -> pd.DataFrame:
        """Score the objects of every fact that is asked; see ``table``."""
        asked = [one for one in items if _is_asked(one, parameters, language)]
        if not asked:
            raise DataError(
                f"{language}: no fact is left of {len(items)}: none has a subject, a "
                f"prompt ({parameters.prompt}) and objects ({parameters.items}) there; "
                "see the task's parameters"
            )
        join = blank(language, parameters.join)
        scored = [_scored(one, parameters, language) for one in asked]
        given = [
            Continued.of(
                one["id"],
                prompt(one, parameters.prompt),
                [join + text for text in dict.fromkeys(objects.values())],
            )
            for one, objects in zip(asked, scored, strict=True)
        ]
        found = score(lm, given, boundary=parameters.boundary)
        return table(asked, scored, found, parameters.languages, language)

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``table``."""
        return {
            "item": "whole number: the fact, numbered from 0 as in its file; the same "
            "in all languages",
            "own": "true or false: whether the object in the prompt's language is "
            "likelier than every other object that is scored",
            "nats": "number, in nats: sum of the log-probabilities of the tokens of "
            "the object in the prompt's language",
            "relation": "text: which relation of Wikidata the fact is of",
            "logprob_{lang}": "number, in nats: the same sum for the object in this "
            "language; empty where there is none, or it is not scored (`items`)",
            "tokens_{lang}": "whole number: tokens of that object; empty likewise",
            "object_{lang}": "text: the object in this language; empty where there is "
            "none",
        }


def prompt(item: Item, way: str) -> str:
    """Write the text that an object follows.

    Args:
        item: with ``template`` and ``subject``.
        way: ``prompt`` of the parameters.
    """
    template, subject = item["template"], item["subject"]
    if way == "remove":
        return str(template.replace(SUBJECT, subject).replace(f" {OBJECT}", ""))
    return str(template.partition(OBJECT)[0].replace(SUBJECT, subject).strip())


def _is_asked(item: Item, parameters: Parameters, language: str) -> bool:
    """Whether a fact has a prompt, and the objects that are to differ."""
    if item["subject"] is None or language not in item["objects"]:
        return False
    if item["relation"] in parameters.relations_left_out.get(language, ()):
        return False
    before, _, behind = item["template"].partition(OBJECT)
    # Elsewhere the prompt would not say whom it is about.
    if parameters.prompt != "remove" and SUBJECT not in before:
        return False
    if parameters.prompt == "final_only" and re.search(r"\w", behind):
        return False
    if parameters.items != "distinct_all":
        return True
    objects = [item["objects"].get(code) for code in parameters.languages]
    told = {text.casefold() for text in objects if text is not None}
    return len(told) == len(objects)


def _scored(item: Item, parameters: Parameters, language: str) -> dict[str, str]:
    """Return the objects that are scored, by language; the prompt's own is first."""
    objects = item["objects"]
    own = objects[language]
    found = {language: own}
    for code in parameters.languages:
        text = objects.get(code)
        same = text is not None and text.casefold() == own.casefold()
        if text is not None and not (same and parameters.items == "distinct_pair"):
            found[code] = text
    return found


def table(
    items: Sequence[Item],
    scored: Sequence[Mapping[str, str]],
    found: Sequence[Likelihood],
    languages: Sequence[str],
    language: str,
) -> pd.DataFrame:
    """Lay the scores of objects out, one row per fact.

    Args:
        items: facts that were asked.
        scored: of each, the objects that were scored, by language.
        found: of each, the likelihoods of these objects, equal ones once.
        languages: whose objects have columns.
        language: of the prompts.

    Returns:
        DataFrame: item int32, own bool, nats float64, relation text; for every
        language logprob_ float64 (NaN where none), tokens_ Int32 and object_ text.
    """
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    for item, objects, one in zip(items, scored, found, strict=True):
        places = {text: i for i, text in enumerate(dict.fromkeys(objects.values()))}
        own = objects[language]
        nats = float(one.logprob[places[own]])
        others = [i for t, i in places.items() if t.casefold() != own.casefold()]
        row = {
            "item": item["id"],
            "own": bool((one.logprob[others] < nats).all()),
            "nats": nats,
            "relation": item["relation"],
        }
        for code in languages:
            place = places[objects[code]] if code in objects else None
            row[f"logprob_{code}"] = np.nan if place is None else one.logprob[place]
            row[f"tokens_{code}"] = None if place is None else int(one.tokens[place])
            row[f"object_{code}"] = item["objects"].get(code)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    kinds = {"item": "int32", "own": "bool", "nats": "float64"}
    kinds |= {f"logprob_{code}": "float64" for code in languages}
    kinds |= {f"tokens_{code}": "Int32" for code in languages}
    return pd.DataFrame(
        {n: pd.Series(v, dtype=kinds.get(n, "string")) for n, v in columns.items()}
    )


TASK = Mlama()
