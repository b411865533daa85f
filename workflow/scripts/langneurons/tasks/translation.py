"""Translation: sentences translated in a prompt that names the target language.

As in the study of Rahmanisa et al. 2025, without examples; directly, or through a third
language into which the model itself translates first (docs/amplification.md 7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

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

TEMPLATE = "Translate from {source} to {target}.\n\n{source}: {text}\n{target}:"


class Parameters(Sentences):
    """How sentences are translated and scored.

    Files have the sentences of one language each: .txt, one per line, or .tsv or .jsonl
    with a column `sentence` or `text` and, to match them by, `id`.
    """

    template: str = Field(
        TEMPLATE,
        description="prompt; `{source}` and `{target}` are names of languages, "
        "`{text}` is the sentence",
    )

    @field_validator("template")
    @classmethod
    def _names_its_target(cls, text: str) -> str:
        return sentence_translations.template(text, ("target", "text"))


class Translation(OfSentences[Parameters]):
    """Sentences to translate into a language that is named; see the module."""

    PARAMETERS = Parameters
    TITLE = "Translation"
    METRICS = MappingProxyType(
        {
            "chrf": CHRF,
            "sentence_chrf": SENTENCE_CHRF,
            "in_target": IN_TARGET,
            "bleu": BLEU,
        }
    )
    NOTES = (
        "agreement with the reference in n-grams of characters, up to 6, and words, up "
        "to 2, recall counting twice, of all sentences together; as sacrebleu "
        "computes it, from 0 to 100.",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find languages that have no name, or that cannot be identified."""
        return parameters.unmet(languages, sentence_translations.named(languages))

    def wording(self, lm: LanguageModel, parameters: Parameters) -> str:
        return parameters.template


TASK = Translation()
