"""Signs that stand in cells of tables of several kinds."""

from __future__ import annotations

from .document import DRAWN, Cell, Sign, bullet
from .document import OWN as BOLD
from .words import ABSENT, NO_NEURONS

MARKS = "▲ ▼"
SIGNIFICANT = "p < 0.05 after Holm's correction"
INTERVAL = "[low, high]"
SPREAD = "±"


def is_marked(title: str, cell: Cell) -> bool:
    """Tell whether a cell has a mark."""
    return "▲" in cell.text or "▼" in cell.text


def has_interval(title: str, cell: Cell) -> bool:
    """Tell whether a cell has brackets that are no range of random draws."""
    return "[" in cell.text and cell.style != DRAWN


def is_drawn(title: str, cell: Cell) -> bool:
    """Tell whether a cell is about random neurons."""
    return cell.style == DRAWN


def is_bold(title: str, cell: Cell) -> bool:
    """Tell whether a cell is in bold letters."""
    return cell.style == BOLD


def has_parentheses(title: str, cell: Cell) -> bool:
    """Tell whether something stands in parentheses."""
    return "(" in cell.text


def has_spread(title: str, cell: Cell) -> bool:
    """Tell whether a cell has a standard error."""
    return SPREAD in cell.text


def is_any(title: str, cell: Cell) -> bool:
    """Tell whether a cell says anything; for what all cells of a grid mean."""
    return cell.text != ""


EMPTY = Sign(
    f"*{NO_NEURONS}*",
    "the method selected none of the language, so that nothing was overwritten",
    lambda _, cell: cell.text == NO_NEURONS,
    ". That is no test, and counts nowhere",
)

NOT_RUN = Sign(ABSENT, "not run", lambda _, cell: cell.text.startswith(ABSENT))
HOW_TESTED = (
    "exact McNemar test for right or wrong answers, paired permutation test for "
    "scores. No mark: no such difference was found"
)
OF_ITEMS = Sign(
    INTERVAL,
    "95 % interval",
    has_interval,
    ", Wilson's for right or wrong answers, a bootstrap over items for scores",
)
LEFT_OUT = bullet(
    "A treatment that overwrites nothing, since the method selected no neuron of the "
    "language, is left out."
)
