"""Words of the page: hypotheses, rules, titles of tables, and terms."""

from __future__ import annotations

from typing import NamedTuple


class Hypothesis(NamedTuple):
    """A hypothesis, and what the paper says to it."""

    key: str
    text: str
    paper: str


AMPLIFICATION = "Rahmanisa et al. 2025"
BRIDGES = "Xu et al. 2025"
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
        Hypothesis(
            "H5",
            "Amplifying a language's neurons steers a model to that language, more "
            "than random neurons, a prompt and DiffMean do.",
            f"it steers; no controls ({AMPLIFICATION})",
        ),
        Hypothesis(
            "H6",
            "Amplification helps where the amplified language is tested.",
            f"in some languages ({AMPLIFICATION})",
        ),
        Hypothesis(
            "H7",
            "Amplification harms where other languages are tested.",
            f"mostly ({AMPLIFICATION})",
        ),
        Hypothesis(
            "H8",
            "Where a model is weak from one language to another, it helps to go "
            "through a third one.",
            f"yes ({BRIDGES})",
        ),
        Hypothesis(
            "H9",
            "HSIC of shared neurons chooses a better bridge than English, chance and "
            "the plain overlap of neurons.",
            f"it chooses well; no such comparison is public ({BRIDGES})",
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
_CHANGE = (
    "Per model, selection (with its best factor on the first half of the facts) and "
    "task: mean change over languages where {which} is tested. Supported: "
    "significantly {good} zero, and significantly {good} random neurons. Contradicted: "
    "significantly {bad} zero. Undecided: {good} zero, but random neurons were not "
    "run; or not significant where 2 points could not have been shown. Not supported: "
    "anything else. Text is shown, not judged."
)
RULES |= {
    "H5": "Per model and selection, with the factor that has the largest LSS on the "
    "first half of the facts; judged on the second half. The target's object must "
    "become likelier (95 % interval above zero), and LSS+ be significantly higher than "
    "that of random neurons, of the prompt that names the language, and of DiffMean "
    "(whose layer and strength are chosen in the same way). Contradicted: the "
    "interval lies below zero, or LSS+ is significantly lower than a control's. "
    "Undecided: a control was not run, or one that is not clear could not have shown "
    "2 points, or both are the same on every fact. Not supported: anything else.",
    "H6": _CHANGE.format(which="the amplified language", good="above", bad="below"),
    "H7": _CHANGE.format(which="another language", good="below", bad="above"),
}
RULES |= {
    "H8": "Per task and model, mean over pairs of languages: accuracy through "
    "English, and through the choice of the first similarity of kind hsic, minus that "
    "of the direct way. Clear: the 95 % interval (over pairs and words) is on one side "
    "of zero and the sign-flip test over pairs has p < 0.05 after Holm's correction "
    "over the two. Supported: one is clearly above zero and none clearly below. "
    "Contradicted: the opposite. Undecided: none is clear, and the pairs are too few "
    "for p < 0.05, or an interval reaches beyond 2 points. Not supported: anything "
    "else.",
    "H9": "Per similarity of kind hsic, task and model: accuracy through its choice "
    "minus that through English, of a candidate at random, and through the choice of "
    "the first similarity of kind overlap, means over pairs; clear as in H8, corrected "
    "over the three. Supported: all three clearly above zero. Contradicted: one "
    "clearly below. Undecided: one is missing, or not clear where the pairs are too "
    "few for p < 0.05 or its interval reaches beyond 2 points. Not supported: anything "
    "else. Kinship of languages is a confound that the rule does not see.",
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
        "LSS, LSS+",
        "language steering shift: the share of facts, asked in a base language, whose "
        "object in the target language gains on that in the base language when the "
        "target's neurons are amplified. LSS rises where both are harmed, the "
        "likelier one more; LSS+ counts only facts whose target object becomes "
        "likelier, too.",
    ),
    (
        "factor",
        "what is written into amplified neurons, a statistic of the configuration. The "
        "best factor has the largest LSS on the first half of the facts; the second "
        "half shows what it is worth.",
    ),
    (
        "prompt, DiffMean",
        "two controls of steering without neurons: a text in front of every prompt "
        "names the language; the mean difference between the language and others is "
        "added to the residual stream after one layer.",
    ),
    (
        "bridge",
        "a third language on the way from one into another: the model gives the word, "
        "or the text, in it first. A similarity chooses it among candidates, which are "
        "all tested; regret is what the choice lacks to the best of them.",
    ),
    (
        "HSIC",
        "Hilbert-Schmidt independence criterion: how far two neurons depend on each "
        "other over the words of a dictionary; high for a bridge whose neurons do as "
        "those that both languages of a pair share.",
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
