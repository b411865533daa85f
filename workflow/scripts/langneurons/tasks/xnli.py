"""XNLI: does a premise entail a hypothesis? Three classes, parallel test sets.

Mondal et al. 2025, section 4 (methods.md 2.3). Trained on English, tested zero-shot.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from langneurons.config.errors import DataError

from . import Size
from .common import classifier, entailment
from .common.classifier import Classifier


class Parameters(classifier.Parameters):
    """How a pair becomes a sequence, and where the classifier reads it.

    Files have the columns ``premise``, ``hypothesis`` and ``label``, separated by tabs.
    """

    separator: Literal["eos", "space"] = Field(
        "eos",
        description="between premise and hypothesis:\n`eos`: EOS between blanks "
        "(paper)\n`space`: a blank",
    )
    template: str | None = Field(
        None,
        description="text with `{premise}`, then `{hypothesis}`, instead of the "
        "separator; an ending in one language makes the token that last_real_token "
        "reads the same in all",
    )

    @field_validator("template")
    @classmethod
    def _has_both(cls, template: str | None) -> str | None:
        if template is not None:
            first, second = template.find("{premise}"), template.find("{hypothesis}")
            counts = {template.count("{premise}"), template.count("{hypothesis}")}
            if not 0 <= first < second or counts != {1}:
                raise ValueError(
                    "must hold {premise} and then {hypothesis}, each once, "
                    f"but is {template!r}"
                )
        return template

    @model_validator(mode="after")
    def _template_or_separator(self) -> Parameters:
        if self.template is not None and self.separator != "eos":
            raise ValueError(
                "'template' says what stands between the texts; 'separator' would have "
                "no effect"
            )
        return self


class Xnli(Classifier[Parameters]):
    """Three classes of sentence pairs; see the module."""

    PARAMETERS = Parameters
    TITLE = "XNLI"
    COLUMNS = entailment.TEXTS
    LABELS = entailment.CLASSES
    PUBLISHED = "xnli"
    SIZE = Size(
        392_702,
        5_010,
        40,
        65,
        "Conneau et al. 2018 (MultiNLI's training set); 30 and 20 English words a pair",
    )
    DEMO = "nli"

    def template(self, parameters: Parameters, eos: str | None) -> str:
        """Return the wording; the released code joins a pair by EOS between blanks.

        Raises:
            DataError: EOS is needed and the tokenizer has none.
        """
        if parameters.template is not None:
            return parameters.template
        if parameters.separator == "space":
            return "{premise} {hypothesis}"
        if eos is None:
            raise DataError(
                "the tokenizer has no EOS token, which separator 'eos' needs; use "
                "separator: space and pool: last_real_token"
            )
        return f"{{premise}} {eos} {{hypothesis}}"


TASK = Xnli()
