"""XNLI answered by a model that was not tuned on it.

Conneau et al. 2018; the likeliest of three texts in which a word says how premise and
hypothesis belong together, as Lin et al. 2022 (XGLM) and lm-evaluation-harness have it
(docs/methods.md 2.7).
"""

from __future__ import annotations

from . import Size
from .common import entailment
from .common.entailment import Entailment


class Parameters(entailment.Parameters):
    """How an item is written; see ``common/entailment.py``.

    Files have the columns ``premise``, ``hypothesis`` and ``label``, separated by tabs.
    """


class XnliPrompt(Entailment[Parameters]):
    """Three classes of sentence pairs, by likelihood; see the module."""

    PARAMETERS = Parameters
    TITLE = "XNLI, untuned"
    SIZE = Size(
        0,
        5_010,
        0,
        71,
        "Conneau et al. 2018; the premise once and three hypotheses with Gemma 3's "
        "tokenizer, the mean of 10 languages",
    )


TASK = XnliPrompt()
