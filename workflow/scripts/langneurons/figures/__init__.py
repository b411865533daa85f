"""Figures: the paper's (2-19), perplexity changes, and those that show the controls.

Each figure has a function that takes tidy data and returns a matplotlib figure, and is
written by :func:`save` as SVG (text stays text), as PNG, and as TSV (its data). Sizes
are those of print: a column is 3.4 inches wide, a page 7, and letters have 7 points.
Colours stay apart for colour-blind readers, and no fact is told by colour alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import pandas as pd

from langneurons.config.errors import DataError, unknown_name
from langneurons.jobs import files
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.tables.common import columns

from . import captions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE, TALLEST = 3.4, 7.0, 9.2  # inches
LEVEL = 0.05  # of significance, after Holm's correction

# Okabe and Ito's colours, those that are dark enough on white first.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY = "#E69F00", "#56B4E9"
GREY, PALE = "0.55", "0.92"
RANDOM, BAND = "0.3", "0.78"
"""Marks of random neurons, and of the range of their draws."""

STYLE: dict[str, Any] = {
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "savefig.bbox": "standard",
    "svg.fonttype": "none",
    "svg.hashsalt": "langneurons",
    "svg.id": None,
    # Text is laid out with a wide font, so that one that replaces it has room.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7,
    "figure.titlesize": 8,
    "figure.labelsize": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 0.9,
    "hatch.linewidth": 0.5,
}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw in the common style, whatever style the user has set."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        import matplotlib

        with matplotlib.rc_context(_style()):
            return draw(*args, **kwargs)

    return wrapper


def _style() -> Any:
    import matplotlib

    default = matplotlib.rcParamsDefault
    return {k: v for k, v in default.items() if not k.startswith("backend")} | STYLE


def new(width: float, height: float, title: str) -> Figure:
    """Make an empty figure of a size in inches.

    A title that is too long for the width is broken, after its colon if it has one.
    """
    from matplotlib.figure import Figure

    letters = letters_in(width, 8)
    parts = [title] if len(title) <= letters else re.split("(?<=:) ", title)
    lines = [line for part in parts for line in textwrap.wrap(part, letters)]
    figure = Figure(figsize=(width, height + 0.14 * (len(lines) - 1)))
    figure.suptitle("\n".join(lines))
    return figure


def letters_in(inches: float, points: float = 7) -> int:
    """Tell how many letters of a size fit into a width, with words of usual letters."""
    return max(8, int(inches * 72 / (points * 0.6)))


def wrapped(text: str, inches: float, points: float = 7) -> str:
    """Break a text into lines that fit into a width."""
    return "\n".join(textwrap.wrap(text, letters_in(inches, points)))


@styled
def message(title: str, text: str) -> Figure:
    """Make a figure that says why there is nothing to draw."""
    figure = new(COLUMN, 1.2, title)
    figure.text(0.5, 0.4, "\n".join(textwrap.wrap(text, 55)), ha="center", va="center")
    return figure


def save(figure: Figure, data: pd.DataFrame, stem: Path | str) -> None:
    """Write a figure as ``stem`` + .svg and .png, and its data as .tsv.

    Each file is written whole or not at all. The same data give the same bytes: files
    have no dates and no versions, and identifiers inside them are not random.

    Args:
        figure: from a drawing function of this package.
        data: what the figure shows.
        stem: the path without ending; the part of its name before the first full stop
            is the kind of figure, a key of ``captions.CAPTIONS``.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    about = {"Title": figure.get_suptitle().replace("\n", " ")}
    about["Description"] = captions.caption(kind_of(stem), data)
    with matplotlib.rc_context(_style()):
        with files.atomic(f"{stem}.svg") as part:
            nothing = dict.fromkeys(("Date", "Creator"))
            FigureCanvasSVG(figure).print_svg(part, metadata=about | nothing)
        with files.atomic(f"{stem}.png") as part:
            FigureCanvasAgg(figure)
            figure.savefig(part, format="png", metadata={"Software": None})
    columns.write_tsv(Path(f"{stem}.tsv"), data)


def kind_of(stem: Path | str) -> str:
    """Tell the kind of a figure from its path: ``.../nll.lape.set1.zero`` is ``nll``.

    Raises:
        DataError: no such kind.
    """
    kind = Path(stem).name.split(".")[0]
    if kind not in captions.CAPTIONS:
        raise DataError(unknown_name("figure", kind, captions.CAPTIONS, str(stem)))
    return kind


def stems(paths: Iterable[Path]) -> list[str]:
    """List the figures that files belong to: each path without ending, once."""
    return list(dict.fromkeys(str(path.with_suffix("")) for path in paths))


def only(kind: str, drawable: Mapping[str, Any] | Sequence[str], stem: str) -> None:
    """Refuse a figure that a script cannot draw.

    Raises:
        DataError: names those that it can.
    """
    if kind not in drawable:
        raise DataError(unknown_name("figure", kind, drawable, stem))


def neuron_sets(
    paths: Sequence[Path], model: str, names: Sequence[str]
) -> list[NeuronSets]:
    """Read neuron files and check that they are those that are to be drawn.

    Args:
        paths: neuron files.
        model: of all of them.
        names: their selections, in this order.

    Raises:
        DataError: they are of another model or selection.
    """
    sets = [NeuronSets.read(path) for path in paths]
    given = [(s.model, f"{s.method}.{s.language_set}") for s in sets]
    if given != [(model, name) for name in names]:
        raise DataError(f"neuron files of {given}, but asked to draw {model}, {names}")
    return sets


def robust_limit(values: Iterable[float], share: float = 0.9) -> float:
    """Choose the end of a scale from zero that single huge values do not stretch.

    Args:
        values: what is shown; signs and numbers that are not finite do not count.
        share: of the values that are taken as they are, 0 to 1.

    Returns:
        The largest magnitude, unless it is more than four times that of the given
        quantile: then the largest that is not. Of up to five values, the largest; 1 if
        there is nothing but zero.
    """
    import numpy as np

    sizes = np.sort(np.abs(np.asarray(list(values), float)))
    sizes = sizes[np.isfinite(sizes)]
    if not sizes.size or sizes[-1] == 0:
        return 1.0
    usual = sizes[int(share * (len(sizes) - 1))]
    # A quantile of few values, or one that is zero, does not tell what is usual.
    if len(sizes) < 6 or usual == 0:
        return float(sizes[-1])
    return float(sizes[sizes <= 4 * usual][-1])
