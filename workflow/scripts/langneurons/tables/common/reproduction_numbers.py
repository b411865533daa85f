"""Ours beside every published number, and what difference is tolerated.

``published_numbers`` lists what the file of figures holds; ``table`` joins it with what
``reproduction_ours`` finds under the same keys in our tables and neuron files. Ours is
``within`` when it differs from the published number by no more than the tolerance:

- a cell of a task: ``1.96 sqrt(p (1 - p) / n_published + p (1 - p) / n_ours)``, the
  sampling error of two independent sets of items, plus half a unit of the last printed
  digit (none for the raw result files). p pools the two, so that a published 0 is not
  taken for a certainty. For F1 the same with n the number of items: no score between 0
  and 1 with that mean varies more. As both runs are tested on mostly the same items,
  this is wider than their real sampling error; what other training seeds change is not
  in it.
- Table 6 (activation statistics): 0.01.
- neurons: what the rates of the method fix (neurons selected, neurons of a language for
  ``ap90``) is exact; what depends on the sampled text (neurons of a language for LAPE,
  overlaps, neurons per layer) may differ by 10 %, or by 3 neurons if that is more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from langneurons.config.names import NO_TREATMENT
from langneurons.published import numbers

from . import columns
from .columns import HIDDEN, Column
from .metrics import PERCENT
from .words import NOTHING

COLUMNS = (
    Column("source", "table of the paper, or a file of its authors", key=True),
    Column("item", "a cell of a task, a raw file, Table 6 or neurons", key=True),
    Column("model", "published name", key=True),
    Column("method", "published name", key=True),
    Column("langset", "published name", key=True),
    Column("tuning", "published name", key=True),
    Column("task", "published name", key=True),
    Column("lang", "language", key=True),
    Column("statistic", "what is written into the neurons, or a layer", key=True),
    Column("metric", "what is measured or counted", key=True),
    Column("published", "the published number", "number"),
    Column("ours", "ours; empty: not run", "number"),
    Column("difference", "ours - published", "number"),
    Column("tolerance", "largest difference that is tolerated", "number"),
    Column("within", "whether ours is within the tolerance: yes or no"),
    Column("n_published", "test items behind it; tokens for Table 6", "count"),
    Column("n_ours", "test items behind ours", "count"),
    Column("not_compared", "field in which ours is not the published procedure"),
    Column("unit", "%: kept as a fraction", form=HIDDEN),
)
NAMES = columns.key(COLUMNS)
TASK, RAW_FILE, ACTIVATION, NEURONS = "task", "raw_file", "activation", "neurons"
"""Kinds of items: a printed cell, a raw result file, Table 6, a neuron set."""
PER_LAYER = "per_layer"
Z = 1.959964
ACTIVATION_TOLERANCE = 0.01
RELATIVE_TOLERANCE, FEW_NEURONS = 0.1, 3
MEAN_OVER_NEURONS = "mean_over_neurons"
LAPE, AP90 = "lape", "ap90"
BOTH = f"{LAPE}+{AP90}"
"""Method of the neurons that the two share."""
Key = tuple[str, ...]


class Number(NamedTuple):
    """A number of ours and how many items (or tokens) it is from."""

    value: float
    n: int | None = None


def table(
    figures: Mapping[str, Any],
    ours: Mapping[Key, Number],
    reasons: Mapping[Key, str] | None = None,
) -> pd.DataFrame:
    """Set every published number beside ours.

    Args:
        figures: content of ``config/published_results.json``.
        ours: from ``reproduction_ours.our_numbers``.
        reasons: from there: why a number of ours is not compared.

    Returns:
        ``COLUMNS``, one row for every published number, in the order of the file.
        Values of tasks are fractions. ``ours``, ``difference`` (ours minus published),
        ``tolerance`` and ``within`` ("yes" or "no") are empty where nothing was run.
        n: test items; for Table 6 tokens. For neurons ``metric`` says what is counted:
        ``selected`` (for all languages at once by LAPE, else for each), ``unique`` (in
        any language), ``count`` (of a language), ``overlap`` (of two languages, or of
        LAPE and AP90), ``per_layer`` (``statistic`` names the layer). ``not_compared``
        names the first field in which what the configuration has under these names is
        not the published procedure; empty where it has none, or one that is. ``unit``:
        ``%`` for fractions, else empty.
    """
    rows = []
    digits = numbers.printed_digits(figures)
    for row in published_numbers(figures):
        found = ours.get(key_of(row))
        row["not_compared"] = (reasons or {}).get(key_of(row), "")
        if found is not None:
            digit = digits[row["metric"]] if row["item"] == TASK else 0.0
            tolerance = _tolerance(row, found, digit)
            difference = found.value - row["published"]
            # Sums of the same fractions may differ in the last digits.
            within = "yes" if abs(difference) <= tolerance + 1e-9 else "no"
            row |= {"ours": found.value, "n_ours": found.n, "within": within}
            row |= {"difference": difference, "tolerance": tolerance}
        rows.append({"within": ""} | row)
    return columns.frame(rows, COLUMNS)


def key_of(row: Mapping[str, Any]) -> Key:
    """Return what a published number and ours share."""
    names = {name: row[name] for name in NAMES[2:]}
    if row["task"] != NOTHING and row["statistic"] == NO_TREATMENT:
        # "No Int" is one run, printed once for each method.
        names["method"] = names["langset"] = NOTHING
    return tuple(names.values())


def published_numbers(figures: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for every result in the file of figures, in its order.

    No results are numbers that say what was measured on: layers, neurons in a layer
    (``intermediate_size``) and test items (``n``).
    """
    empty = dict.fromkeys(NAMES, NOTHING)
    for item, part in ((TASK, "cells"), (RAW_FILE, "raw_files")):
        for cell in numbers.records(figures[part]):
            row = empty | {k: cell[k] or NOTHING for k in NAMES if k in cell}
            value, n, unit = cell["value"], cell.get("n"), ""
            if cell["task"] is None:
                row["item"] = ACTIVATION
            else:
                sets = figures["language_sets_used"].get(cell["method"], {})
                row |= {"item": item, "langset": sets.get(cell["lang"], NOTHING)}
                n = n or _test_items(figures, cell)
                value = value if item == RAW_FILE else round(value / 100, 6)
                unit = PERCENT
            yield row | {"published": value, "n_published": n, "unit": unit}
    for entry in figures["neuron_sets"]:
        head = empty | {"item": NEURONS, "langset": entry["language_set"]}
        head |= {k: entry[k] for k in ("source", "model", "method")}
        for key, value in _published_counts(entry).items():
            axes = zip(("lang", "statistic", "metric"), key, strict=True)
            yield head | dict(axes) | {"published": value, "unit": ""}
    both = figures["lape_ap90_overlaps"]
    head = empty | {"item": NEURONS, "method": BOTH, "metric": "overlap"}
    head |= {"source": both["source"]}
    for cell in numbers.records(both):
        names = {"model": cell["model"], "lang": cell["lang"]}
        names["langset"] = cell["lape_language_set"]
        yield head | names | {"published": cell["neurons"], "unit": ""}


def _test_items(figures: Mapping[str, Any], cell: Mapping[str, Any]) -> int:
    """Return the number of test items behind a cell: the last entry that fits."""
    fitting = [
        int(entry["n"])
        for entry in numbers.records(figures["test_items"])
        if all(entry[k] in (None, cell[k]) for k in ("task", "model", "lang"))
    ]
    return fitting[-1]


def _published_counts(entry: Mapping[str, Any]) -> dict[Key, int]:
    """Return the numbers of a neuron set: (lang, statistic, metric) -> neurons."""
    kinds = ("selected", "unique")
    found: dict[Key, int] = {
        (NOTHING, NOTHING, kind): entry[kind] for kind in kinds if kind in entry
    }
    found |= {(lang, NOTHING, "count"): n for lang, n in entry["counts"].items()}
    found |= {(f"{a}+{b}", NOTHING, "overlap"): n for a, b, n in entry["overlaps"]}
    for lang, layers in entry["neurons_per_layer"].items():
        found |= {(lang, f"layer_{i}", PER_LAYER): n for i, n in enumerate(layers)}
    return found


def _tolerance(row: Mapping[str, Any], ours: Number, digit: float) -> float:
    """Return by how much ours may differ; see the top of this module.

    Args:
        row: the published number.
        ours: beside it.
        digit: one unit of the last digit that was printed.
    """
    value = row["published"]
    if row["item"] == ACTIVATION:
        return ACTIVATION_TOLERANCE
    if row["item"] == NEURONS:
        fixed = ("selected", "unique" if row["method"] == LAPE else "count")
        if row["metric"] in fixed:
            return 0.0
        return max(RELATIVE_TOLERANCE * value, float(FEW_NEURONS))
    theirs, n = row["n_published"], ours.n or 1
    p = (theirs * value + n * ours.value) / (theirs + n)
    sampling = Z * math.sqrt(p * (1 - p) * (1 / theirs + 1 / n))
    return sampling + digit / 2
