"""Words of the page: hypotheses, rules, titles of tables, and terms."""

from __future__ import annotations

from typing import NamedTuple


class Hypothesis(NamedTuple):
    """A hypothesis, and what the paper says to it."""

    key: str
    text: str
    paper: str


HYPOTHESES = {
    h.key: h
    for h in (
        Hypothesis(
            "H1",
            "Overwriting language-specific neurons at test time improves zero-shot "
            "transfer.",
            "no",
        ),
        Hypothesis(
            "H2",
            "Fine-tuning language-specific neurons beats fine-tuning the attention "
            "alone, and random neurons.",
            "no",
        ),
        Hypothesis(
            "H3",
            "The identified neurons are language-specific: without them, text of their "
            "language suffers most.",
            "yes",
        ),
        Hypothesis(
            "H4",
            "Overwriting with low percentiles is something else than overwriting with "
            "zero.",
            "yes",
        ),
    )
}

_EFFECT = (
    "Primary metric, target languages. Supported: more significant rises than falls, "
    "and the mean change clearly above zero and above that of random neurons. "
    "Contradicted: more significant falls than rises, and the mean change clearly "
    "below zero. Undecided: nothing significant, and half of the cells could not have "
    "shown a difference of 2 points; or no random controls where it would be "
    "supported; or significant changes in one model-language pair only. Not supported: "
    "anything else."
)
RULES = {
    "H1": _EFFECT + " Fine-tuned models only: the model as it is transfers nothing.",
    "H2": _EFFECT + " Changes are against tuning the attention alone.",
    "H3": "Per model and selection, over its languages: a language's own text must "
    "suffer more than other languages' text, and more than from as many random neurons "
    "(one-sided exact sign-flip tests, both p < 0.05). Contradicted: p < 0.05 for the "
    "opposite of either. Undecided: fewer than five languages; or no random neurons "
    "where the first holds; or p < 0.2 in both but not p < 0.05. Not supported: "
    "anything else.",
    "H4": "Percentiles up to the 25th minus zero, over model-language pairs. "
    "Supported: clearly different where values are measured and written at the same "
    "site. Undecided: not clear there, and the interval reaches beyond 2 points. "
    "Contradicted: clear with the paper's sites only (measured before the activation "
    "function, written after it), and a cell differs significantly between the two. "
    "Not supported: anything else.",
}
OTHER_SIZES = (
    "Where a task declares another difference that matters, that one stands for the 2 "
    "points; where it declares none in its unit, it is taken as not shown."
)
GLOSSARY = (
    (
        "neuron",
        "one of the inner dimensions of an MLP block; its activation is the output of "
        "the activation function on the gate projection.",
    ),
    (
        "selection",
        "the neurons of every language of a set by one method, such as lape.set1.",
    ),
    (
        "LAPE",
        "language activation probability entropy: neurons that are active in few "
        "languages (Tang et al. 2024).",
    ),
    (
        "Act Prob 90p",
        "the neurons that exceed the 90th percentile of their activation most often.",
    ),
    (
        "intervention (Int)",
        "overwriting a language's neurons at test time with a statistic of their own "
        "activations in that language. No Int: the same model left alone.",
    ),
    (
        "random neurons",
        "the control: as many random neurons in each layer as the method selected, in "
        "several draws. An effect that they have too is none of the language.",
    ),
    (
        "zero-shot transfer",
        "tuned on the training language only, tested in another one (target language).",
    ),
    (
        "paper's sites, equal sites",
        "the profiles paper and consistent: values measured before the activation "
        "function and written after it, or measured and written after it.",
    ),
    (
        "tuning",
        "which weights fine-tuning may change: attention (LoRA on the attention "
        "projections alone), or also selected neurons of the source, the target or "
        "both languages. base: none, the model as it is, not fine-tuned.",
    ),
    (
        "change",
        "in percentage points against the same items without the intervention, or "
        "against the attention tuning, which is set against base where that was run.",
    ),
    (
        "[low, high]",
        "95 % interval: Wilson's for a share of items; paired bootstrap over items for "
        "a change; Student's over model-language pairs for the means of the verdicts. "
        "For random neurons: the lowest and the highest draw.",
    ),
    (
        "Holm p",
        "p-value of the paired test over items, after Holm's correction for all "
        "comparisons of the same experiment, model and metric that its table may mark.",
    ),
    (
        "detectable",
        "the smallest difference that the test could have seen with 80 % power at "
        "p < 0.05, in points, before the correction.",
    ),
    (
        "nats per token",
        "negative log-likelihood of a text; perplexity is its exponential.",
    ),
)
OTHER_UNITS = (
    "unit",
    "a metric that is no share of something is shown as it is, in the unit that its "
    "title names; so is its change.",
)
