"""Terms of the page, each of all studies or of some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .studies import ALIGNMENT, AMPLIFICATION, BRIDGES, TRANSFER, Study


class Term(NamedTuple):
    """A term, what it means, and the studies that it is of; none: of all."""

    term: str
    meaning: str
    studies: tuple[Study, ...] = ()


GLOSSARY = (
    Term(
        "neuron",
        "one of the inner dimensions of an MLP block; its activation is the output of "
        "the activation function on the gate projection.",
    ),
    Term(
        "selection",
        "the neurons of every language of a set by one method, such as lape.set1.",
    ),
    Term(
        "LAPE",
        "language activation probability entropy: neurons that are active in few "
        "languages (Tang et al. 2024).",
    ),
    Term(
        "Act Prob 90p",
        "the neurons that exceed the 90th percentile of their activation most often.",
        (TRANSFER,),
    ),
    Term(
        "intervention (Int)",
        "overwriting a language's neurons at test time with a statistic of their own "
        "activations in that language. No Int: the same model left alone.",
    ),
    Term(
        "random neurons",
        "the control: as many random neurons in each layer as the method selected, in "
        "several draws. An effect that they have too is none of the language.",
    ),
    Term(
        "LSS, LSS+",
        "language steering shift: the share of facts, asked in a base language, whose "
        "object in the target language gains on that in the base language when the "
        "target's neurons are amplified. LSS rises where both are harmed, the "
        "likelier one more; LSS+ counts only facts whose target object becomes "
        "likelier, too.",
        (AMPLIFICATION,),
    ),
    Term(
        "factor",
        "what is written into amplified neurons, a statistic of the configuration. The "
        "best factor has the largest LSS on the first half of the facts; the second "
        "half shows what it is worth.",
        (AMPLIFICATION,),
    ),
    Term(
        "prompt, DiffMean",
        "two controls of steering without neurons: a text in front of every prompt "
        "names the language; the mean difference between the language and others is "
        "added to the residual stream after one layer.",
        (AMPLIFICATION,),
    ),
    Term(
        "bridge",
        "a third language on the way from one into another: the model gives the word, "
        "or the text, in it first. A similarity chooses it among candidates, which are "
        "all tested; regret is what the choice lacks to the best of them.",
        (BRIDGES,),
    ),
    Term(
        "HSIC",
        "Hilbert-Schmidt independence criterion: how far two neurons depend on each "
        "other over the words of a dictionary; high for a bridge whose neurons do as "
        "those that both languages of a pair share.",
        (BRIDGES,),
    ),
    Term(
        "alignment",
        "how alike the states of neurons are on a sentence and on its translation: "
        "mutual is the share of sentences that are each other's nearest by cosine, gap "
        "the mean cosine of translations minus that of other pairs.",
        (ALIGNMENT,),
    ),
    Term(
        "zero-shot transfer",
        "tuned on the training language only, tested in another one (target language).",
        (TRANSFER,),
    ),
    Term(
        "paper's sites, equal sites",
        "the profiles paper and consistent: values measured before the activation "
        "function and written after it, or measured and written after it.",
        (TRANSFER,),
    ),
    Term(
        "tuning",
        "which weights fine-tuning may change: attention (LoRA on the attention "
        "projections alone), or also selected neurons of the source, the target or "
        "both languages. base: none, the model as it is, not fine-tuned.",
        (TRANSFER,),
    ),
    Term(
        "change",
        "in percentage points against the same items without the intervention; of a "
        "tuning against the attention tuning, which is set against base where that "
        "was run.",
    ),
    Term(
        "[low, high]",
        "95 % interval: Wilson's for a share of items; paired bootstrap over items for "
        "a change; Student's over model-language pairs for the means of the verdicts. "
        "For random neurons: the lowest and the highest draw.",
    ),
    Term(
        "Holm p",
        "p-value of the paired test over items, after Holm's correction for all "
        "comparisons of the same experiment, model and metric that its table may mark.",
    ),
    Term(
        "detectable",
        "the smallest difference that the test could have seen with 80 % power at "
        "p < 0.05, in points, before the correction.",
    ),
    Term(
        "nats per token",
        "negative log-likelihood of a text; perplexity is its exponential.",
    ),
)
OTHER_UNITS = (
    "unit",
    "a metric that is no share of something is shown as it is, in the unit that its "
    "title names; so is its change.",
)


def terms(running: Sequence[Study]) -> list[tuple[str, str]]:
    """List the terms of studies that run, with their meanings."""
    return [
        (one.term, one.meaning)
        for one in GLOSSARY
        if not one.studies or set(one.studies) & set(running)
    ]
