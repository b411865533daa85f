"""Means over all neurons of what each neuron does: Table 6 (methods.md 1.5)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.catalogue import PERCENTILES
from langneurons.config.errors import DataError
from langneurons.grid.rows import measured
from langneurons.neurons.activation_layout import SITES
from langneurons.neurons.recorded_activations import QUANTILES, Activations
from langneurons.published.numbers import means_over_neurons
from langneurons.published.partners import Partners

from . import Table
from .common import columns, inputs
from .common.columns import Column
from .common.document import (
    Bullets,
    Document,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    grid,
    number,
)
from .common.inputs import Reads
from .common.signs import has_parentheses

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

PUBLISHED_SITE, PUBLISHED_QUANTILE = "gate_pre", "batch_mean"
COLUMNS = (
    Column("model", "name in the configuration", key=True),
    Column("corpus", "text that the model read", key=True),
    Column("lang", "language of the text", key=True),
    Column("site", "gate_pre: before the activation function; act_post", key=True),
    Column("quantile", "how percentiles were taken over tokens", key=True),
    Column("statistic", "of each neuron over tokens", key=True),
    Column("n_tokens", "tokens of text", "count"),
    Column("value", "mean over all neurons", "number", form=".4f"),
    Column("sd", "standard deviation over neurons", "number", form=".4f"),
    Column("published", "the mean in the paper", "number", form=".4f"),
)
MEAN = "mean"
STATISTICS = (MEAN, *(f"p{percent}" for percent in PERCENTILES))
Array = npt.NDArray[np.float32]


def activation_table(
    rows: Sequence[Mapping[str, Any]],
    recorded: Sequence[Activations],
    published_site: str,
    published_quantile: str,
) -> pd.DataFrame:
    """Average every statistic over all neurons of a model, language by language.

    Args:
        rows: one mapping per file: ``model``, ``corpus``, ``lang`` and ``published``
            (statistic -> value, or None).
        recorded: the activations of each row, in the order of the rows.
        published_site: where the published values were measured.
        published_quantile: how their percentiles were pooled.

    Returns:
        ``COLUMNS``: for each file, site and kind of quantile that was
        recorded, a row per statistic. ``value`` is the mean and ``sd`` the standard
        deviation over all layers and neurons. The mean over tokens does not depend on
        the kind of quantile; it stands beside each.

    Raises:
        DataError: files do not fit the rows.
    """
    if not rows:
        raise DataError("the table has no rows")
    found = []
    for row, activations in zip(rows, recorded, strict=True):
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
    return columns.frame(found, COLUMNS)


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


ABOUT = """\
Mean over all neurons of the model of a statistic of each neuron over the tokens of the
language."""
PUBLISHED = Sign(
    "(in parentheses)",
    "the value published for the same cell, where there is one",
    has_parentheses,
)
LEGEND = """\
- `gate_pre`: before the activation function; `act_post`: after it.
- `batch_mean`: percentiles within batches of chunks, averaged over the batches (the
  paper's released code); `pooled`: percentiles over all tokens.
- The `.tsv` file beside this one has the standard deviation over neurons and the number
  of tokens."""


def layout(table: pd.DataFrame) -> Document:
    """Lay out a block for each site and kind of quantile.

    Args:
        table: from ``activation_table``.
    """
    parts: list[Part] = [Paragraph(ABOUT), Bullets.of(PUBLISHED.bullet, LEGEND)]
    heads = ["model", "corpus", "lang"]
    if table["corpus"].nunique() == 1:
        heads.remove("corpus")
    statistics = list(dict.fromkeys(table["statistic"]))
    for (site, quantile), part in table.groupby(["site", "quantile"], sort=False):
        lines = []
        for names, rows in part.groupby(heads, sort=False):
            own = rows.set_index("statistic")
            cells = [
                _cell(own["value"].get(s, math.nan), own["published"].get(s, math.nan))
                for s in statistics
            ]
            model, *corpus, lang = map(str, names)
            lines.append([model, *map(code, corpus), lang, *cells])
        parts.append(Heading(f"{code(site)}, percentiles {code(quantile)}"))
        titles = [*heads, *map(code, statistics)]
        parts.append(grid(titles, lines, len(heads), signs=[PUBLISHED]))
    parts += [Heading("In short"), Bullets.of(_in_short(table))]
    return Document("Activation statistics, mean over neurons", tuple(parts))


def _cell(value: float, published: float) -> str:
    text = number(value, ".4f")
    return text if math.isnan(published) else f"{text} ({number(published, '.4f')})"


def _in_short(table: pd.DataFrame) -> str:
    # The mean over tokens stands beside each kind of quantile; count it once.
    beside = table[table["published"].notna()]
    names = ["model", "corpus", "lang", "site", "statistic"]
    beside = beside.drop_duplicates(names)
    if beside.empty:
        return "- There are no published values to compare with."
    distance = (beside["value"] - beside["published"]).abs()
    row = beside.iloc[int(distance.argmax())]
    return (
        f"- {len(beside)} values have a published one beside them; they are "
        f"{distance.mean():.4f} apart on the mean and {distance.max():.4f} at most "
        f"({row['model']} {row['lang']}, `{row['site']}`, {row['statistic']})."
    )


class ActivationStatistics(Table):
    """Means over all neurons of what each neuron does."""

    NAME = "activation_statistics"
    COLUMNS = COLUMNS
    SHOWS = "means over all neurons of their activation statistics (Table 6)"
    PLACE = 50
    MEMORY = 8000

    def names(self, config: Config) -> list[str]:
        return [self.NAME]

    def reads(self, config: Config, name: str) -> Reads:
        return Reads(activations=measured(config))

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        known = Partners(config).activations
        partners = {(x.model, x.corpus): x.key for x in known if x.why is None}
        rows = []
        for model, corpus, lang in measured(config):
            key = partners.get((model, corpus))
            published = means_over_neurons(key, lang) if key else {}
            axes = {"model": model, "corpus": corpus, "lang": lang}
            rows.append(axes | {"published": published})
        return {"rows": rows}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        rows = spec["rows"]
        recorded = inputs.read_activations(read, len(rows))
        return activation_table(rows, recorded, PUBLISHED_SITE, PUBLISHED_QUANTILE)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


TABLE = ActivationStatistics()
