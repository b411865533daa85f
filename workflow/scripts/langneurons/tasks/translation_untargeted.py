"""Untargeted translation: the prompt asks for one, and not into which language.

As in the study of Rahmanisa et al. 2025: the neurons that are amplified alone decide in
which language a model writes, so that the share of translations in the target language
is the main outcome (docs/amplification.md 7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from langneurons.config.names import Pair

from .common import sentence_translations
from .common.of_sentences import OfSentences
from .common.sentence_translations import (
    BLEU,
    CHRF,
    IN_TARGET,
    SENTENCE_CHRF,
    Sentences,
)

if TYPE_CHECKING:
    from langneurons.nn.evaluation.language_model import LanguageModel

TEMPLATES = {
    "gemma": "Translate from {source} into the target language.\n\n"
    "{source}: {text}\nTarget language: ",
    "qwen": "Translate from {source} into target language.\n"
    "{source}: {text}\nTarget language: ",
}
BY_FAMILY = "by_family"


class Parameters(Sentences):
    """How sentences are translated and scored. Files are as those of `translation`."""

    wording: Literal["by_family", "gemma", "qwen"] = Field(
        "by_family",
        description="prompt of the study:\n`gemma`: that for Gemma, with an empty line "
        "and 'the target language'\n`qwen`: that for Qwen and SeaLLM, with neither\n"
        "`by_family`: for models of Gemma the one, for any other the other (paper)",
    )
    template: str | None = Field(
        None,
        description="prompt in place of these; `{source}` is the name of a language, "
        "`{text}` the sentence; null: as `wording` says",
    )

    @field_validator("template")
    @classmethod
    def _names_no_target(cls, text: str | None) -> str | None:
        if text is None:
            return None
        return sentence_translations.template(text, ("text",), ("target",))

    @model_validator(mode="after")
    def _one_prompt(self) -> Parameters:
        if self.template is not None and self.wording != BY_FAMILY:
            raise ValueError("'template' takes the place of 'wording'; give one")
        return self


class Untargeted(OfSentences[Parameters]):
    """Sentences to translate, into which language is not said; see the module."""

    PARAMETERS = Parameters
    TITLE = "Untargeted translation"
    METRICS = MappingProxyType(
        {
            "in_target": replace(IN_TARGET, steered=True),
            "chrf": CHRF,
            "sentence_chrf": SENTENCE_CHRF,
            "bleu": BLEU,
        }
    )
    NOTES = (
        "share of translations that are identified as of the pair's target language, "
        "which the prompt does not name; chrF++ is as for targeted translation.",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find languages without a name, or that cannot be identified; and bridges."""
        pairs = [each for each in languages if "-" in each]
        if len(pairs) < len(languages):
            yield (
                "is not tested through a bridge, since its prompt names no language to "
                "translate into; take kind translation"
            )
        sources = [Pair.parse(each).source for each in pairs]
        yield from parameters.unmet(pairs, sources)

    def wording(self, lm: LanguageModel, parameters: Parameters) -> str:
        if parameters.template is not None:
            return parameters.template
        named = parameters.wording
        if named == BY_FAMILY:
            kind = str(lm.model.config.model_type)
            named = "gemma" if kind.startswith("gemma") else "qwen"
        return TEMPLATES[named]


TASK = Untargeted()
