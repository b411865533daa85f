"""Notes in lines below a panel, on scores beyond its scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.transforms import ScaledTranslation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOTE = 0.11  # inches of a line


def beyond(values: pd.Series, shown: tuple[float, float], decimals: int) -> str:
    """Say how many scores a method has beyond the scale, and how far they go."""
    below, number = values < shown[0], len(values)
    least, most = (f"{end:.{decimals}f}" for end in (values.min(), values.max()))
    if number == 1:
        return f"1 {'below' if below.all() else 'above'}: {least}"
    if below.all():
        return f"{number} below, lowest {least}"
    if below.any():
        return f"{number} beyond, {least} to {most}"
    return f"{number} above, highest {most}"


def note(axes: Axes, text: str, mark: dict[str, Any], line: int) -> None:
    """Write a text in a line below a panel."""
    height = 72 * NOTE * (line + 0.65)
    lift = ScaledTranslation(0, height / 72, axes.figure.dpi_scale_trans)
    spot = axes.transAxes + lift
    axes.plot([0.045], [0], transform=spot, **mark)
    written = axes.annotate(
        text,
        (0, 0),
        (0.085, height),
        xycoords="axes fraction",
        textcoords=("axes fraction", "offset points"),
        va="center_baseline",
        fontsize=6,
    )
    written.set_in_layout(False)
