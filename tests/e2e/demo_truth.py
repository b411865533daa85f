"""What holds in every demo, whatever processor trained it: numbers and their bounds.

The tests and ``python -m benchmarks.demo_spread``, which measures how much the numbers
vary, take them from here; docs/demo.md has the table that it prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bridge_truth
import translation_truth
from demo_tables import read
from truths import Truth


def untreated(folder: Path, task: str, metric: str) -> pd.DataFrame:
    """Return the rows without any treatment, by language."""
    table = read(folder, task)
    chosen = (table["statistic"] == "none") & (table["metric"] == metric)
    return table[chosen].set_index("lang")


def transfer(folder: Path) -> pd.DataFrame:
    """Return the rows of inference in the languages that were not tuned on."""
    return untreated(folder, "xnli", "accuracy").drop(index="en")


def _answered_at_home(folder: Path) -> float:
    found = untreated(folder, "xquad", "em")["value"]
    return float(found["en"] - found.drop(index="en").mean())


@dataclass(frozen=True)
class Damage:
    """How much worse texts get when neurons are off, nats per token.

    Where many numbers are one here, it is their median: in some models a single neuron
    carries much of a text, and whatever set has it does great harm.

    Attributes:
        lape: [languages, languages] neurons of a language, text of a language.
        random: the same for as many random neurons, median over the draws.
    """

    lape: np.ndarray
    random: np.ndarray

    @property
    def own(self) -> np.ndarray:
        """[languages] each text without the neurons of its language."""
        return np.diag(self.lape)

    @property
    def others(self) -> np.ndarray:
        """[languages, languages - 1] other texts without the neurons of a language."""
        n = len(self.lape)
        return self.lape[~np.eye(n, dtype=bool)].reshape(n, n - 1)


def damage(folder: Path) -> Damage:
    """Read what switching off LAPE's neurons, and random ones, does to each text."""
    table = read(folder, "perplexity")
    # The planted model's text is beside it, and is none of these languages' pairs.
    zeroed = table[(table["model"] == NATURAL) & (table["statistic"] == "zero")]
    pairs = zeroed.groupby(["method", "neuron_lang", "lang"])["delta_nll"].median()
    return Damage(*(pairs[m].unstack().to_numpy() for m in ("lape", "random")))


def share(of: np.ndarray, whole: np.ndarray) -> float:
    return float(np.median(of) / np.median(whole))


def fewest_neurons(folder: Path) -> float:
    """Return the size of LAPE's smallest set."""
    table = read(folder, "perplexity")
    counts = table[(table["method"] == "lape") & (table["statistic"] == "zero")]
    return float(counts["n_neurons"].min())


NATURAL, PLANTED = "demo", "demo_control"
"""The model as it is trained, and the one with neurons that control its language."""
OWN = "lape_sentences"
"""The method whose neurons should steer the planted model."""


def steered(
    folder: Path, model: str, method: str, statistic: str | None, metric: str
) -> float:
    """Return a mean over all pairs of languages, from the table of amplification.

    Args:
        folder: of the demo.
        model: ``NATURAL`` or ``PLANTED``.
        method: of neurons, ``random`` or a control without neurons.
        statistic: the factor; None: whatever there is, the largest (of DiffMean's
            settings).
        metric: ``lss_plus``, ``delta_t`` in nats, or ``spec``.
    """
    table = read(folder, "amplification")
    chosen = (table["model"] == model) & (table["method"] == method)
    # A shift in nats is tested against no shift, so it says against what.
    chosen &= (table["metric"] == metric) & table["against"].isin(["-", "none"])
    chosen &= (table["facts"] == "all") & (table["task"] == "mlama")
    if statistic is not None:
        chosen &= table["statistic"] == statistic
    return float(table[chosen]["value"].max())


def planted(folder: Path, statistic: str, metric: str, method: str = OWN) -> float:
    return steered(folder, PLANTED, method, statistic, metric)


def chosen_right(folder: Path) -> float:
    """Return the accuracy of choices by the planted model, mean of the languages."""
    table = read(folder, "xcopa")
    chosen = (table["statistic"] == "none") & (table["metric"] == "correct")
    return float(table[chosen & (table["model"] == PLANTED)]["value"].mean())


TRUTHS = {
    "nli": Truth(
        "inference, accuracy, mean of six languages (chance .33)",
        lambda f: untreated(f, "xnli", "accuracy")["value"].mean(),
        "over",
        0.6,
    ),
    "nli_transfer": Truth(
        "inference, accuracy, mean of the five not tuned on (chance .33)",
        lambda f: transfer(f)["value"].mean(),
        "over",
        0.55,
    ),
    "nli_above_chance": Truth(
        "of these five: how many are above chance by their interval",
        lambda f: float((transfer(f)["ci_low"] > 1 / 3).sum()),
        "over",
        3.5,
    ),
    "qa_em": Truth(
        "questions, exact match, mean of three languages",
        lambda f: untreated(f, "xquad", "em")["value"].mean(),
        "over",
        0.2,
    ),
    "qa_f1": Truth(
        "questions, F1 without EOS, mean of three languages",
        lambda f: untreated(f, "xquad", "squad_f1")["value"].mean(),
        "over",
        0.2,
    ),
    "qa_gap": Truth(
        "questions, exact match in the language of training minus mean of the others",
        _answered_at_home,
        "over",
        0.15,
    ),
    "own_minus_others": Truth(
        "neurons off: harm to the own text minus harm to others (nats per token)",
        lambda f: float(np.median(damage(f).own) - np.median(damage(f).others)),
        "over",
        0.0,
    ),
    "others_share": Truth(
        "neurons off: harm to other texts over harm to the own text",
        lambda f: share(damage(f).others, damage(f).own),
        "under",
        1 / 3,
    ),
    "random_share": Truth(
        "harm by as many random neurons over harm to the own text",
        lambda f: share(damage(f).random, damage(f).own),
        "under",
        0.5,
    ),
    "own_over_others": Truth(
        "neurons off: share of 30 pairs in which the own text is harmed more (luck .5)",
        lambda f: float((damage(f).own[:, None] > damage(f).others).mean()),
        "over",
        0.6,
    ),
    "fewest_neurons": Truth(
        "LAPE's neurons, of the language with fewest",
        fewest_neurons,
        "over",
        4.5,
    ),
    "planted_plus": Truth(
        "planted model, own neurons at p_max: LSS+, mean of pairs",
        lambda f: planted(f, "p_max", "lss_plus"),
        "over",
        0.7,
    ),
    "planted_gap": Truth(
        "the same minus LSS+ of random neurons of no language",
        lambda f: (
            planted(f, "p_max", "lss_plus") - planted(f, "p_max", "lss_plus", "random")
        ),
        "over",
        0.2,
    ),
    "planted_nats": Truth(
        "the same neurons: how much likelier the target's word gets (nats)",
        lambda f: planted(f, "p_max", "delta_t"),
        "over",
        1.5,
    ),
    "planted_spec": Truth(
        "the same: share of facts where the target's word gains most (chance .2)",
        lambda f: planted(f, "p_max", "spec"),
        "over",
        0.6,
    ),
    "random_nats": Truth(
        "random neurons of no language: how much likelier the target's word gets",
        lambda f: planted(f, "p_max", "delta_t", "random"),
        "under",
        0.8,
    ),
    "zero_plus": Truth(
        "own neurons at zero: LSS+, mean of pairs",
        lambda f: planted(f, "zero", "lss_plus"),
        "over",
        0.4,
    ),
    "zero_share": Truth(
        "own neurons at zero: nats of the target's word over those at p_max",
        lambda f: planted(f, "zero", "delta_t") / planted(f, "p_max", "delta_t"),
        "under",
        0.25,
    ),
    "p10_plus": Truth(
        "own neurons at eq_p10: LSS+, mean of pairs",
        lambda f: planted(f, "eq_p10", "lss_plus"),
        "under",
        0.3,
    ),
    "natural_diffmean": Truth(
        "natural model, DiffMean: LSS+, mean of pairs",
        lambda f: steered(f, NATURAL, "diffmean", None, "lss_plus"),
        "over",
        0.9,
    ),
    "natural_gap": Truth(
        "the same minus LSS+ of LAPE's neurons at p_max",
        lambda f: (
            steered(f, NATURAL, "diffmean", None, "lss_plus")
            - steered(f, NATURAL, OWN, "p_max", "lss_plus")
        ),
        "over",
        0.1,
    ),
    "choices": Truth(
        "choices of the planted model, not tuned: accuracy, mean of three (chance .5)",
        chosen_right,
        "over",
        0.7,
    ),
    **translation_truth.TRUTHS,
    **bridge_truth.TRUTHS,
}
