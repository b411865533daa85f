"""The tables of results, as numbers (TSV) and laid out for reading (Markdown).

One module per table (``task``, ``perplexity``, ``activations``, ``profiles``) and one
beside it with the layout (``*_text``). Here: what all of them share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import NO_TREATMENT, Treatment, split_draw
from langneurons.jobs import files

RANDOM = "random"
"""Name of every count-matched random method in the tables."""

NOTHING = "-"
"""Method and language set of a row without an intervention."""

POOLED = "pooled"
"""Seed of a row in which several seeds are taken together."""

ATTENTION = "attention"
"""The tuning that every other tuning is set against; itself against ``base``."""

NO_NEURONS = "no neurons"
"""What a cell says where a method selected no neuron to overwrite."""

EMPTY_LEGEND = (
    f"- *{NO_NEURONS}*: the method selected none of the language, so that nothing was "
    "overwritten.\n  That is no test, and counts nowhere."
)

TASK_COLUMNS = (
    "model", "method", "langset", "draw", "matched", "tuning", "seed", "lang",
    "statistic", "metric", "n", "value", "ci_low", "ci_high", "against", "delta",
    "delta_ci_low", "delta_ci_high", "p_value", "p_holm", "detectable", "n_neurons",
    "published", "task_title", "metric_title", "metric_about", "metric_kind",
    "metric_group", "unit", "decimals", "matters",
)  # fmt: skip
PERPLEXITY_COLUMNS = (
    "model", "method", "langset", "draw", "matched", "neuron_lang", "lang", "statistic",
    "n_chunks", "n_tokens", "nll", "perplexity", "delta_nll", "delta_se",
    "delta_perplexity", "n_neurons",
)  # fmt: skip
ACTIVATION_COLUMNS = (
    "model", "corpus", "lang", "site", "quantile", "statistic", "n_tokens", "value",
    "sd", "published",
)  # fmt: skip
PROFILE_COLUMNS = (
    "task", "model", "tuning", "seed", "lang", "method", "langset", "draw",
    "matched", "value_name", "metric", "n", "none", "paper", "paper_delta",
    "consistent", "consistent_delta", "difference", "diff_ci_low", "diff_ci_high",
    "p_value", "p_holm", "n_neurons", "task_title", "metric_title", "metric_about",
    "metric_kind", "metric_group", "unit", "decimals", "matters",
)  # fmt: skip

TASK_KEY = TASK_COLUMNS[: TASK_COLUMNS.index("n")]
PERPLEXITY_KEY = PERPLEXITY_COLUMNS[: PERPLEXITY_COLUMNS.index("n_chunks")]
ACTIVATION_KEY = ACTIVATION_COLUMNS[: ACTIVATION_COLUMNS.index("n_tokens")]
PROFILE_KEY = PROFILE_COLUMNS[: PROFILE_COLUMNS.index("n")]
"""Columns that name a row: no two rows of a table agree in all of them."""


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table; a number that does not exist is an empty field."""
    text = table.copy()
    for column in text.select_dtypes("float"):
        digits = ".4g" if str(column).startswith("p_") else ".6f"
        text[column] = [
            "" if math.isnan(value) else format(value, digits) for value in text[column]
        ]
    with files.atomic(path) as part:
        text.to_csv(part, sep="\t", index=False, lineterminator="\n")


def write_markdown(path: Path, text: str) -> None:
    """Write the layout of a table."""
    with files.atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def check_number(rows: Sequence[Any], results: Sequence[Any]) -> None:
    """Refuse a table whose files are not one per row.

    Raises:
        DataError: another number of files than of rows, or no rows.
    """
    if len(rows) != len(results):
        raise DataError(f"{len(results)} result files for a table of {len(rows)} rows")
    if not rows:
        raise DataError("the table has no rows")


def check_unique(table: pd.DataFrame, key: Sequence[str]) -> None:
    """Refuse a table in which two rows have the same names.

    Whoever reads it would take one for the other, or average them.

    Args:
        table: of results.
        key: the columns that name a row.

    Raises:
        DataError: two rows agree in all of them; names the first such pair.
    """
    again = table.duplicated(list(key))
    if again.any():
        first = table.loc[again, list(key)].iloc[0]
        names = ", ".join(f"{k} {v}" for k, v in first.items() if not pd.isna(v))
        raise DataError(
            f"the table has {int(again.sum())} rows whose names another row has too, "
            f"the first: {names}. Two entries of the configuration have one name there"
        )


def is_empty(row: Mapping[Any, Any]) -> bool:
    """Tell whether a row is an intervention on no neuron, which can change nothing."""
    number = row["n_neurons"]
    treated = row["statistic"] != NO_TREATMENT
    return bool(treated and not pd.isna(number) and number == 0)


def check_fit(row: Mapping[str, Any], record: Mapping[str, Any], path: Path) -> None:
    """Refuse a result that was made for another row than the one it is put into.

    Args:
        row: ``model``, ``lang``, ``method``, ``langset``, ``draw``, ``statistic`` and,
            where the table has them, ``tuning``, ``seed`` and ``neuron_language``.
        record: content of the result's JSON file.
        path: of that file, for the message.

    Raises:
        DataError: the record names other axes or another treatment.
    """
    keys = ("model", "tuning", "seed", "lang", "neuron_language")
    wanted = {key: row[key] for key in keys if key in row}
    wanted["statistic"] = row["statistic"]
    given = {**record, "statistic": NO_TREATMENT, "neuron_language": None}
    if record["treatment"] != NO_TREATMENT:
        treatment = Treatment.parse(record["treatment"])
        method, draw = split_draw(treatment.selection.method)
        given |= {"draw": draw, "langset": treatment.selection.languages}
        given |= {"method": method, "statistic": treatment.statistic}
        given["neuron_language"] = treatment.language
        wanted |= {key: row[key] for key in ("draw", "langset")}
        if row["method"] != RANDOM:  # one name in the tables for all random methods
            wanted["method"] = row["method"]
    wrong = [
        f"{key} is {given.get(key)!r}, not {value!r}"
        for key, value in wanted.items()
        if given.get(key) != value
    ]
    if wrong:
        raise DataError(f"{path}: not the result of this row: {'; '.join(wrong)}")


def row_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that say which treatment of which model a row shows."""
    names = {key: row[key] or NOTHING for key in ("method", "langset", "matched")}
    return names | {key: row[key] for key in ("model", "draw", "statistic")}


def perplexity_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up whether switching a language's neurons hurts that language most.

    Args:
        table: with ``PERPLEXITY_COLUMNS``.

    Returns:
        One row for each selection and language whose neurons are switched:
        ``own``, the change of nats per token of that language's own text; ``others``,
        the mean over texts of other languages; ``random_median``, ``random_low``,
        ``random_high`` and ``draws``, the change of the own text when as many random
        neurons are switched instead (NaN without such controls). A language without
        neurons has changes of NaN, and no draws.
    """
    keys = ["model", "method", "langset", "statistic", "neuron_lang"]
    treated = table[table["statistic"] != NO_TREATMENT]
    control = treated[treated["method"] == RANDOM]
    found = []
    for values, part in treated[treated["method"] != RANDOM].groupby(keys, sort=False):
        named = dict(zip(keys, values, strict=True))
        lang = named["neuron_lang"]
        same = control["matched"] == named["method"]
        for key in ("model", "langset", "statistic", "neuron_lang"):
            same &= control[key] == named[key]
        drawn = control.loc[same & (control["lang"] == lang), "delta_nll"].dropna()
        is_own = part["lang"] == lang
        found.append(
            named
            | {
                "n_neurons": int(part["n_neurons"].iloc[0]),
                "own": part.loc[is_own, "delta_nll"].mean(),
                "others": part.loc[~is_own, "delta_nll"].mean(),
                "random_median": drawn.median(),
                "random_low": drawn.min(),
                "random_high": drawn.max(),
                "draws": len(drawn),
            }
        )
    more = ["n_neurons", "own", "others"]
    more += ["random_median", "random_low", "random_high", "draws"]
    return pd.DataFrame(found, columns=[*keys, *more])
