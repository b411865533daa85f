"""Reading tables that the demo made."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

TABLES = "results/demo/tables"
"""Where the study of config/demo.yaml has its tables."""


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read a table of the demo that was made in a folder, without its means.

    Raises:
        FileNotFoundError: it was not made.
    """
    path = folder / TABLES / f"{name}.tsv"
    return of_languages(
        pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])
    )


def of_languages(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out means over languages, ``vi+zh``, of a task's table."""
    if not {"lang", "langset", "delta"} <= set(table):
        return table
    return table[~table["lang"].astype(str).str.contains("+", regex=False)]
