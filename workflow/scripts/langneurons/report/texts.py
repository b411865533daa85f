"""Words of the page: the hypotheses, and the rules by which they are judged."""

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
    "supported; or something is significant but there is one model-language pair in "
    "all. Not supported: anything else."
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
    "anything else. Text is shown, not judged; and the language of translations whose "
    "target is not named is what one steers, not a help."
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
