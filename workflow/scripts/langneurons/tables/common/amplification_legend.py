"""How the table of amplification is to be read: signs in its cells, and its words."""

from __future__ import annotations

from dataclasses import replace

from langneurons.stats.steering import (
    DELTA_B,
    DELTA_T,
    LSS,
    LSS_PLUS,
    SPEC,
)

from .document import Sign, bullet
from .signs import (
    INTERVAL,
    MARKS,
    SIGNIFICANT,
    has_interval,
    is_any,
    is_drawn,
    is_marked,
)
from .ways import OWN

SHOWN = {
    LSS: "LSS, %", LSS_PLUS: "LSS+, %", DELTA_T: "t, nats", DELTA_B: "b, nats",
    SPEC: "spec, %",
}  # fmt: skip
"""Measures of the compact layout, and their titles."""

OF_ITEMS = Sign(
    INTERVAL,
    "95 % interval over items",
    has_interval,
    ", each resampled with all its pairs of languages",
)
SHIFT = Sign(
    "*LSS*",
    "share of facts whose object in the language that is steered to, t, gains on that "
    "in the language of the prompt, b; *LSS+*: gains on it, and itself becomes "
    "likelier",
    lambda title, _: title.startswith("LSS"),
)
OBJECTS = Sign(
    "*t*, *b*",
    "mean change of the log-probability of these two objects",
    lambda title, _: title in (SHOWN[DELTA_T], SHOWN[DELTA_B]),
)
SPECIFIC = Sign(
    "*spec*",
    "share of facts whose object in the language that is steered to gains most of all "
    "but that in the language of the prompt",
    lambda title, _: title == SHOWN[SPEC],
    "; by chance 1 of the number of languages but that of the prompt",
)
DRAWN_CELLS = Sign(
    "*random*", "as many random neurons, mean [lowest, highest] draw", is_drawn
)
CHANGED = Sign(
    "*own*",
    "change where the language that is amplified is tested; *other*: where another one "
    "is; of text nats per token, above 0 where it has become harder",
    lambda title, _: f" {OWN}," in title,
)
MARKED = Sign(
    MARKS,
    f"change or difference above or below 0, {SIGNIFICANT}",
    is_marked,
    " over the comparisons of the same model and metric; sign-flip test over items",
)
PILOT = Sign(
    "*(pilot ...)*",
    "from the released pilot of Rahmanisa et al. 2025",
    lambda _, cell: "(pilot " in cell.text,
    ", where the procedure is the same",
)
SIGNS = (SHIFT, OBJECTS, SPECIFIC, CHANGED, OF_ITEMS, MARKED, DRAWN_CELLS, PILOT)
COMPARED = (
    *(replace(sign, seen=is_any) for sign in (SHIFT, OBJECTS)),
    OF_ITEMS,
    MARKED,
)
"""Signs where measures are names of lines."""
LEGEND = (
    SHIFT.bullet,
    OBJECTS.bullet,
    SPECIFIC.bullet,
    OF_ITEMS.bullet,
    DRAWN_CELLS.bullet,
    bullet(
        "*prompt*: the prompt names t; *diffmean*: the mean difference between "
        "languages is added to the residual stream, in the layer and strength with the "
        "largest LSS on the first half of the facts (of equals, the largest LSS+)."
    ),
    "- The second half of the facts chooses nothing: it shows what the chosen settings "
    "are worth. A\n  fact is of the first half if the first byte of the SHA-256 of its "
    "number is even.",
    MARKED.bullet,
    CHANGED.bullet,
    "- A task has its first metric: of translation chrF++, of untargeted translation "
    "the share in\n  the target language. A score of all sentences together has its "
    "interval and test from a\n  paired bootstrap of their statistics.",
    PILOT.bullet,
    "- The `.tsv` file beside this one has every draw and setting, and what each test "
    "could have found.",
)
