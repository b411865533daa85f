"""Small evaluations as their rule writes them, and the rows that name them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langneurons import tables, tasks
from langneurons.jobs import files
from langneurons.tables.common import task_text
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.evaluations import Evaluation, Evaluations
from langneurons.tables.common.metrics import Shown
from langneurons.tasks import Metric

XNLI, XQUAD = tasks.load("xnli").METRICS, tasks.load("xquad").METRICS


def declared(metric: str, task: str = "xnli") -> dict[str, Any]:
    """Say of a metric and its task what every row of a table says."""
    shown = Shown.of(metric, {**XNLI, **XQUAD}[metric])
    return {"task_title": tasks.load(task).TITLE} | shown.columns


SCRIPTS = Path(tables.__file__).parent.parent.parent
Rows = list[dict[str, Any]]


def row(lang: str, treatment: str = "none", **changed: Any) -> dict[str, Any]:
    """Describe a row as the workflow does; ``treatment``: method.set.statistic.

    The method ``random_lape-3`` is the third draw that matches ``lape``.
    """
    method, langset, statistic = [None, None, *treatment.split(".")][-3:]
    matched = draw = None
    if method and "-" in method:
        name, number = method.split("-")
        matched, draw, method = name.removeprefix("random_"), int(number), "random"
    filled = {
        "experiment": "transfer", "task": "xnli", "model": "m", "tuning": "attention",
        "seed": 1, "lang": lang, "method": method,
        "langset": langset, "draw": draw, "matched": matched, "statistic": statistic,
        "neuron_lang": None if statistic == "none" else lang, "treatment": treatment,
        "published": {},
    }  # fmt: skip
    return filled | changed


def write(
    folder: Path,
    row: dict[str, Any],
    treatment: str = "none",
    *,
    task: str = "xnli",
    **scores: Any,
) -> Path:
    """Write an evaluation of ``row``, items numbered from 0, a column a metric.

    A single number is a metric of all items together, and stands in the index, which
    lists all treatments of one folder.

    Returns:
        The file of the treatment.
    """
    where = folder / row["model"] / row["tuning"] / f"seed{row['seed']}" / row["lang"]
    path = where / f"{treatment}.parquet"
    where.mkdir(parents=True, exist_ok=True)
    if not index_of(path).exists():
        axes = {k: row[k] for k in ("model", "tuning", "seed", "lang")}
        index_of(path).write_text(json.dumps(axes | {"task": task, "treatments": {}}))
    of_all = {k: v for k, v in scores.items() if isinstance(v, float)}
    columns = {k: np.asarray(v) for k, v in scores.items() if k not in of_all}
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"item": np.arange(n, dtype=np.int32)} | columns)
    change(path, table, n=n, n_neurons=7, metrics=of_all)
    return path


def index_of(path: Path) -> Path:
    """Name the index that lists an evaluation."""
    return path.with_name("part-1-of-1.json")


def change(path: Path, table: pd.DataFrame | None = None, **result: Any) -> None:
    """Change what an evaluation's file holds, or what its index says of it."""
    if table is not None:
        table.to_parquet(path)
    made = json.loads(index_of(path).read_text())
    listed = made["treatments"].setdefault(path.stem, {})
    listed |= result | {"sha256": files.sha256(path)}
    index_of(path).write_text(json.dumps(made))


def read(path: Path, metrics: Mapping[str, Metric]) -> Evaluation:
    """Read an evaluation, by the index that lists it."""
    made = json.loads(index_of(path).read_text())
    found = Evaluations([index_of(path)], {made["task"]: metrics})
    return found.of(made, treatment=path.stem)


def right(n: int, correct: int, wrong_from: int = 0) -> np.ndarray:
    """Make ``n`` answers with the given number right, from a given item on."""
    return (np.arange(n) - wrong_from) % n < correct


class Study:
    """Rows and their evaluations, in order."""

    def __init__(self, folder: Path, metrics: Mapping[str, Metric]) -> None:
        self.folder, self.metrics = folder, metrics
        self.rows: Rows = []
        self.paths: list[Path] = []

    def add(
        self, lang: str, treatment: str, changed: dict[str, Any], **scores: Any
    ) -> None:
        """Add a row with its evaluation."""
        self.rows.append(row(lang, treatment, **changed))
        self.paths.append(write(self.folder, self.rows[-1], treatment, **scores))

    @property
    def evaluations(self) -> list[Evaluation]:
        return [read(path, self.metrics) for path in self.paths]

    @property
    def indexes(self) -> list[Path]:
        """The indexes of its evaluations, each once."""
        return list(dict.fromkeys(index_of(path) for path in self.paths))


def cells_of(text: str, *start: str) -> list[list[str]]:
    """Return the cells of the lines of all tables that start with these names."""
    lines = [x for x in text.splitlines() if x.startswith("| ")]
    split = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return [cells for cells in split if cells[: len(start)] == list(start)]


def text_of(table: pd.DataFrame, task: str, layout: str = "interventions") -> str:
    """Lay out a task's table in Markdown."""
    spec = {"task": task, "source_language": "en", "layout": layout}
    return markdown(task_text.layout(table, spec))


def run(
    kind: str, spec: dict, role: str, paths: list[Path], out: Path, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the script that writes a table of some kind, with its files in one role."""
    given = json.dumps(spec | {"table": kind})
    return subprocess.run(
        [sys.executable, SCRIPTS / "build_table.py", "--spec", given,
         f"--{role}", *paths, "--tsv", out, "--markdown", out.with_suffix(".md"),
         "--latex", out.with_suffix(".tex")],
        check=check, capture_output=True, text=True,
    )  # fmt: skip
