"""What the report is made from: the tables and figures that exist, by their kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.jobs import files, provenance
from langneurons.tables import metrics, table_files

# Columns that a layout or a verdict reads; others are shown where they are present.
TASK = (
    "model", "method", "langset", "draw", "matched", "tuning", "seed", "lang",
    "statistic", "metric", "n", "value", "ci_low", "ci_high", "against", "delta",
    "delta_ci_low", "delta_ci_high", "p_holm", "detectable", "n_neurons", "published",
    "task_title", *metrics.COLUMNS,
)  # fmt: skip
PERPLEXITY = (
    "model", "method", "langset", "draw", "matched", "neuron_lang", "lang",
    "statistic", "nll", "perplexity", "delta_nll", "n_neurons",
)  # fmt: skip
ACTIVATION = (
    "model", "corpus", "lang", "site", "quantile", "statistic", "value", "published",
)  # fmt: skip
PROFILES = (
    "task", "model", "tuning", "seed", "lang", "method", "langset", "draw",
    "matched", "value_name", "metric", "n", "none", "paper", "paper_delta",
    "consistent", "consistent_delta", "difference", "diff_ci_low", "diff_ci_high",
    "p_holm", "n_neurons", "task_title", *metrics.COLUMNS,
)  # fmt: skip
REPRODUCTION = (
    "source", "item", "model", "metric", "published", "ours", "difference", "within",
    "not_compared", "unit",
)  # fmt: skip
NEEDED = {
    "task": TASK,
    "finetune": TASK,
    "random": TASK,
    "perplexity": PERPLEXITY,
    "activation_statistics": ACTIVATION,
    "profiles": PROFILES,
    "reproduction": REPRODUCTION,
}
OF_TASKS = ("task", "finetune", "random", "profiles")
"""Kinds of tables whose rows are of metrics of tasks."""


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        name: stem of its file, such as ``finetune_xnli``.
        kind: key of ``NEEDED``, or ``other``.
        path: where it was read.
        frame: its rows; names are text (``""`` where empty), the rest numbers.
    """

    name: str
    kind: str
    path: Path
    frame: pd.DataFrame

    @property
    def task(self) -> str:
        """The task of a task, finetune or random table."""
        return self.name.removeprefix(f"{self.kind}_")

    @property
    def called(self) -> str:
        """The task, with its title where that says more."""
        of_task = self.kind in ("task", "finetune", "random")
        title = metrics.task_title(self.frame) if of_task else ""
        return metrics.named(self.task, title)

    @property
    def metrics(self) -> list[metrics.Shown]:
        """The metrics of tasks that its rows are of, the primary one first."""
        if self.kind not in OF_TASKS:
            return []
        # Tasks of one table may mean different metrics by one name.
        own = self.frame.drop_duplicates(["metric", *metrics.COLUMNS])
        return [metrics.Shown.read(row) for _, row in own.iterrows()]

    def source(self, config: Mapping[str, Any]) -> str:
        """Return the language of the training data.

        From the configuration; without it, from the record of how the table was made.
        """
        given = (config.get("tasks") or {}).get(self.task) or record(self.path).get(
            "spec", {}
        )
        return str(given.get("source_language") or "en")


def kind_of(name: str, columns: Iterable[str]) -> str:
    """Tell which kind of table a file holds, from its name and its columns."""
    for kind in ("finetune", "random"):
        if name.startswith(f"{kind}_"):
            return kind
    if name in NEEDED:
        return name
    return "task" if {"tuning", "lang", "statistic"} <= set(columns) else "other"


def read_table(path: Path) -> Table:
    """Read a table of tab-separated values; an empty field is no number.

    Raises:
        DataError: it is no table, or a column that its kind needs is missing.
    """
    text = table_files.read_text(path)
    kind = kind_of(path.stem, text.columns)
    missing = [c for c in NEEDED.get(kind, ()) if c not in text.columns]
    if missing:
        raise DataError(
            f"{path}: columns missing for a table of kind {kind!r}: "
            f"{', '.join(missing)}{files.redo(path)}"
        )
    for column in text.columns:
        if column not in table_files.NAMES and kind != "other":
            text[column] = table_files.numbers(path, text[column])
    return Table(path.stem, kind, path, text)


def record(path: Path) -> dict[str, Any]:
    """Return the provenance beside a file; empty where there is none."""
    return provenance.read(path)


@dataclass(frozen=True)
class Absent:
    """A table or figure that does not exist.

    Attributes:
        name: what it is called.
        shows: what it would show.
        command: what makes it.
        needs: what the configuration has to have first, or "".
    """

    name: str
    shows: str
    command: str
    needs: str = ""


SHOWS = {
    "task": "interventions at test time (Tables 1, 4 and 5 of the paper)",
    "finetune": "fine-tuning of selected neurons (Tables 3 and 7)",
    "random": "fine-tuning of random neurons (Table 8)",
    "perplexity": "whose text suffers when whose neurons are switched off",
    "activation_statistics": "mean activation statistics (Table 6)",
    "profiles": "the paper's measuring and writing sites against equal ones",
    "reproduction": "every published number beside ours",
}


def experiments(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the experiments that a configuration runs; none if it has none."""
    return [config["experiments"][name] for name in config.get("run") or ()]


FILLED_BY = {
    "task": "interventions",
    "finetune": "finetuning",
    "random": "finetuning",
    "perplexity": "perplexity",
}
"""The kind of experiments whose rows a table has."""


def absent_tables(given: Sequence[Table], config: Mapping[str, Any]) -> list[Absent]:
    """List the tables that this page could show and does not have."""
    have = {table.name for table in given}
    running = experiments(config)
    found = []
    for task in config.get("tasks") or ():
        for kind in ("task", "finetune", "random"):
            name = task if kind == "task" else f"{kind}_{task}"
            if name not in have:
                found.append(_absent(name, kind, running, task))
    for kind in NEEDED:
        if kind not in ("task", "finetune", "random", *have):
            found.append(_absent(kind, kind, running))
    return found


def _absent(
    name: str, kind: str, running: Sequence[Mapping[str, Any]], task: str = ""
) -> Absent:
    """Word how to make a table, and which experiment the configuration needs first."""
    command, filled = f"snakemake results/tables/{name}.tsv", FILLED_BY.get(kind)
    if (
        not running
        or filled is None
        or any(
            one["kind"] == filled
            and (not task or task in one["tasks"])
            and (kind != "random" or one.get("controls"))
            for one in running
        )
    ):
        return Absent(name, SHOWS[kind], command)
    more = " and with controls" if kind == "random" else ""
    on = f" on {task}{more}" if task else ""
    needs = f"with an experiment of kind {filled}{on} in run"
    return Absent(name, SHOWS[kind], command, needs)
