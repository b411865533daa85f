"""The studies that a page may be of: what each asks, and its hypotheses.

A study is told by the kinds of experiments in ``run``; a page without a configuration
is of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import inputs

ANY = "Language-specific neurons"
"""Title of a page of several studies, or of none of them."""


@dataclass(frozen=True)
class Study:
    """A study, and what it is told by.

    Attributes:
        kinds: of its experiments.
        title: its question, in words that may stand as a title.
        lead: what it is about.
        source: whom it follows.
        hypotheses: their keys.
    """

    kinds: tuple[str, ...]
    title: str
    lead: str
    source: str
    hypotheses: tuple[str, ...]


TRANSFER = Study(
    ("interventions", "finetuning", "perplexity", "neurons"),
    "Do language-specific neurons help cross-lingual transfer?",
    "If a model that was fine-tuned on one language is tested in another, does it help "
    "to overwrite these neurons at test time, or to fine-tune them?",
    "Mondal et al. 2025 (arXiv 2503.17456)",
    ("H1", "H2", "H3", "H4"),
)
AMPLIFICATION = Study(
    ("amplification",),
    "Do amplified language-specific neurons steer a model to their language?",
    "If a language's neurons are amplified, does the model answer in that language, "
    "more than with random neurons, a prompt or DiffMean; and what does it do to the "
    "tasks and the text of this language and of others?",
    "Rahmanisa et al. 2025 (arXiv 2507.22581)",
    ("H5", "H6", "H7"),
)
BRIDGES = Study(
    ("bridges",),
    "Which language should a model go through from one to another?",
    "Where a model is weak from one language to another, does it help to go through a "
    "third one, and do the neurons that languages share tell which?",
    "Xu et al. 2025 (arXiv 2508.17078)",
    ("H8", "H9"),
)
ALIGNMENT = Study(
    ("alignment",),
    "Do sentences of one meaning end in the same neurons, whatever their language?",
    "How alike are the states of neurons on sentences and on their translations, and "
    "do languages that are alike transfer better, or make better bridges?",
    "Huang et al. 2025 (arXiv 2507.14900)",
    (),
)
STUDIES = (TRANSFER, AMPLIFICATION, BRIDGES, ALIGNMENT)


def running(config: Mapping[str, Any]) -> list[Study]:
    """List the studies whose experiments a configuration runs, in the order of them."""
    if "run" not in config:
        return list(STUDIES)
    kinds = {one["kind"] for one in inputs.experiments(config)}
    return [study for study in STUDIES if kinds & set(study.kinds)]


def title(studies: Sequence[Study]) -> str:
    """Give a page of studies a title."""
    return studies[0].title if len(studies) == 1 else ANY


def others(studies: Sequence[Study]) -> str:
    """Name the hypotheses of the other studies: ``H1 to H4, H8 and H9``; or ""."""
    left = [study.hypotheses for study in STUDIES if study not in studies]
    named = [f"{keys[0]} to {keys[-1]}" for keys in left if len(keys) > 2]
    named += [key for keys in left if len(keys) <= 2 for key in keys]
    *front, last = sorted(named) or [""]
    return f"{', '.join(front)} and {last}" if front else last
