"""XNLI across languages: a hypothesis in one about a premise in another.

One of the two tasks of BridgeX-ICL (Xu et al. 2025) whose form is not known: the
hypothesis is in the target language of a pair, and the premise is in its source
language. Through a bridge the model first translates the premise into a third language
(docs/bridges.md). Scored as ``xnli_prompt``, with words of the target language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.config.names import Pair

from . import Item, Size
from .common import entailment
from .common.choices import Option
from .common.entailment import Entailment
from .common.translating import Translated, translated

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel


class Parameters(Translated, entailment.Parameters):
    """How premises are translated, and how an item is written.

    Files have the columns ``premise``, ``hypothesis`` and ``label``, separated by tabs;
    one file per language, with the same items in the same rows.
    """

    called: Literal["code", "name"] = Field(
        "name",
        description="what the prompt for a translation calls languages:\n`code`: by "
        "their codes in FLORES-200, such as zho_Hans\n`name`: by their English names",
    )
    max_new_tokens: int = Field(
        128, ge=1, description="tokens of a translation at most"
    )


class NliBridged(Entailment[Parameters]):
    """Sentence pairs of two languages; see the module."""

    PARAMETERS = Parameters
    TITLE = "XNLI across languages"
    PAIRS = True
    SIZE = Size(0, 5_010, 0, 71, "as xnli_prompt", texts=1_670)
    NOTES = (
        "share of pairs whose class is the one of the likeliest text; the premise is "
        "in the source language of the pair, or is the model's translation of it into "
        "the bridge, and the hypothesis and the words between them are in its target "
        "language.",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find languages without words, or without a name in prompts."""
        targets = dict.fromkeys(Pair.parse(x).target for x in languages if "-" in x)
        yield from super().unmet(parameters, list(targets))
        yield from parameters.nameless(languages)

    def join(
        self, source: Sequence[Item], target: Sequence[Item], where: str
    ) -> Iterator[Item]:
        """Put premises of one language before hypotheses of the other, row by row."""
        if len(source) != len(target):
            raise DataError(
                f"{where}: {len(source):,} items in the source language and "
                f"{len(target):,} in the target language; both need the same items in "
                "the same rows"
            )
        for row, (one, other) in enumerate(zip(source, target, strict=True), start=1):
            if one["label"] != other["label"]:
                names = (self.OPTIONS[x["label"]] for x in (one, other))
                raise DataError(
                    f"{where}: item {row:,} is {' and '.join(names)}; both languages "
                    "need the same items in the same rows"
                )
            yield other | {"premise": one["premise"]}

    def generates_via(self, parameters: Parameters) -> int:
        return parameters.max_new_tokens

    def wording(
        self, item: Item, parameters: Parameters, language: str
    ) -> Sequence[Option]:
        """Write an item of a pair with the words of its target language."""
        return super().wording(item, parameters, Pair.parse(language).target)

    def evaluate(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
    ) -> pd.DataFrame:
        """Score hypotheses behind the premise as it is."""
        return super().evaluate(lm, items, parameters, language).assign(aid="")

    def evaluate_via(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
        bridge: str,
    ) -> pd.DataFrame:
        """Score hypotheses behind the model's own translation of the premise."""
        given = [item["premise"] for item in items]
        both = Pair.parse(language).source, bridge
        premises = translated(lm, given, both, parameters)
        changed = [
            item | {"premise": premise}
            for item, premise in zip(items, premises, strict=True)
        ]
        made = super().evaluate(lm, changed, parameters, language)
        return made.assign(aid=premises)

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of the tables."""
        return {
            **super().per_item(),
            "aid": "text: the model's translation of the premise; empty where it was "
            "asked directly",
        }


TASK = NliBridged()
