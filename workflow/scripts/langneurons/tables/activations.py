"""Means over all neurons of what each neuron does: Table 6 (methods.md 1.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.catalogue import PERCENTILES
from langneurons.config.errors import DataError
from langneurons.neurons.activation_layout import SITES
from langneurons.neurons.recorded_activations import QUANTILES, Activations

from . import ACTIVATION_COLUMNS, ACTIVATION_KEY, check_number, check_unique

MEAN = "mean"
STATISTICS = (MEAN, *(f"p{percent}" for percent in PERCENTILES))
Array = npt.NDArray[np.float32]


def activation_table(
    rows: Sequence[Mapping[str, Any]],
    measured: Sequence[Activations],
    published_site: str,
    published_quantile: str,
) -> pd.DataFrame:
    """Average every statistic over all neurons of a model, language by language.

    Args:
        rows: one mapping per file: ``model``, ``corpus``, ``lang`` and ``published``
            (statistic -> value, or None).
        measured: the activations of each row, in the order of the rows.
        published_site: where the published values were measured.
        published_quantile: how their percentiles were pooled.

    Returns:
        ``ACTIVATION_COLUMNS``: for each file, site and kind of quantile that was
        recorded, a row per statistic. ``value`` is the mean and ``sd`` the standard
        deviation over all layers and neurons. The mean over tokens does not depend on
        the kind of quantile; it stands beside each.

    Raises:
        DataError: files do not fit the rows.
    """
    check_number(rows, measured)
    found = []
    for row, activations in zip(rows, measured, strict=True):
        _check(row, activations)
        names = {key: row[key] for key in ("model", "corpus", "lang")}
        published = row.get("published") or {}
        for site in SITES:
            mean = _over_neurons(activations.value(MEAN, site, QUANTILES[0]))
            for quantile in QUANTILES:
                percentiles = _percentiles(activations, site, quantile)
                if percentiles is None:
                    continue
                values = [mean, *map(_over_neurons, percentiles)]
                for statistic, (value, spread) in zip(STATISTICS, values, strict=True):
                    same = quantile == published_quantile or statistic == MEAN
                    line = names | {"site": site, "quantile": quantile}
                    line |= {"statistic": statistic, "n_tokens": activations.n}
                    line |= {"value": value, "sd": spread}
                    if site == published_site and same:
                        line["published"] = published.get(statistic)
                    found.append(line)
    table = pd.DataFrame(found).reindex(columns=[*ACTIVATION_COLUMNS])
    check_unique(table, ACTIVATION_KEY)
    return table.astype(dict.fromkeys(("value", "sd", "published"), float))


def _percentiles(
    activations: Activations, site: str, quantile: str
) -> Iterator[Array] | None:
    """Yield each percentile of all neurons, [L, F]; None where none was recorded."""
    if quantile == "pooled":
        # One pass over the histogram, the large part of the file, for all of them.
        fractions = [percent / 100 for percent in PERCENTILES]
        return iter(activations.quantiles(fractions, site))
    names = [f"p{percent}" for percent in PERCENTILES]
    try:
        activations.value(names[0], site, quantile)
    except DataError:
        return None  # not recorded here, or the corpus is shorter than one batch
    return (activations.value(name, site, quantile) for name in names)


def _over_neurons(values: Array) -> tuple[float, float]:
    """Return mean and standard deviation over all neurons, summed in float64."""
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))


def _check(row: Mapping[str, Any], activations: Activations) -> None:
    given = {key: activations.metadata.get(key) for key in ("model", "corpus")}
    given["lang"] = activations.metadata.get("language")
    wrong = [f"{k} is {v!r}, not {row[k]!r}" for k, v in given.items() if v != row[k]]
    if wrong:
        raise DataError(
            f"{activations.path}: not the activations of this row: {'; '.join(wrong)}"
        )
