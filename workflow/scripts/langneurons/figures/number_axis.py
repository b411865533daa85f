"""A logarithmic axis of numbers of neurons, with plain round numbers."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.ticker import MaxNLocator, NullLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def number_axis(axes: Axes, numbers: pd.Series, least: float, inches: float) -> None:
    """Make the axis of numbers of neurons logarithmic, with plain round numbers.

    Args:
        axes: any panel.
        numbers: of neurons, of all panels.
        least: the lowest that is drawn.
        inches: length of the axis.
    """
    low, high = least, float(numbers.max())
    stretch = max(1.25, (high / low) ** 0.12)
    low, high = low / stretch, high * stretch
    # A round number just before the first is worth the room.
    ten = 10 ** math.floor(math.log10(low))
    start = max(s * ten for s in (1, 2, 5) if s * ten <= low)
    low = 0.97 * start if low < 1.35 * start else low
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(round_numbers(low, high, inches))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.0f}")


def round_numbers(low: float, high: float, inches: float) -> list[int]:
    """Choose ticks of a logarithmic axis whose labels do not touch each other.

    Args:
        low: where the axis starts.
        high: where it ends.
        inches: its length.
    """
    tens = [10**power for power in range(15)]
    choices = [[s * ten for ten in tens for s in subs] for subs in ((1, 2, 5), (1, 3))]
    choices += [tens[::step] for step in (1, 2, 3, 4)]
    # Between numbers of one size there may be no such tick.
    for most in (4, 3, 2, 1):
        even = MaxNLocator(most, steps=[1, 2, 5, 10], integer=True)
        choices.append([int(tick) for tick in even.tick_values(low, high) if tick >= 1])
    per_log = 72 * inches / math.log(high / low)
    fallback: list[int] = []
    for choice in choices:
        ticks = [tick for tick in choice if low <= tick <= high]
        fallback = fallback or ticks[:1]
        gaps = [
            per_log * math.log(b / a) - 2.3 * (len(f"{a:,}") + len(f"{b:,}"))
            for a, b in itertools.pairwise(ticks)
        ]
        if gaps and min(gaps) >= 4:
            return ticks
    return fallback
