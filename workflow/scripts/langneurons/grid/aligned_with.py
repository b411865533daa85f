"""What alignments are set against: tuned models on tasks, and what bridges gain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from langneurons.config.names import UNTREATED, Treatment
from langneurons.config.schema import Config

from . import alignment, bridges, rows
from .axes import Row

TRANSFER, AS_IS, GAIN = "transfer", "as_is", "bridge_gain"
"""A tuned model's score in a language, that of the model as it is, and what a bridge
gains over the direct way."""


@dataclass(frozen=True)
class Scored:
    """Evaluations of a model on a task, without intervention.

    Attributes:
        experiment: that aligns the languages.
        task: that is tested.
        model: its name.
        tuning: how it was tuned; ``base``: not at all.
        rows: of each language that is aligned, in each seed.
    """

    experiment: str
    task: str
    model: str
    tuning: str
    rows: tuple[Row, ...]

    @property
    def against(self) -> str:
        return AS_IS if self.rows[0].tuning.is_base else TRANSFER


def scored(config: Config) -> list[Scored]:
    """List what is tested in aligned languages, without pairs and without neurons."""
    found: dict[tuple[str, str, str, str], dict[Row, None]] = {}
    for name, axes in alignment.all_axes(config).items():
        for task in rows.tasks(config):
            source = config.task(task).source_language
            for row, treatments in rows.task_blocks(config, task):
                zero_shot = row.tuning.is_base or source == axes.pivot
                if (
                    row.model in axes.models
                    and row.lang in axes.aligned
                    and row.tuning.selection is None
                    and zero_shot
                    and _plain(treatments)
                ):
                    key = (name, task, row.model, str(row.tuning))
                    found.setdefault(key, {})[row.under(UNTREATED)] = None
    return [Scored(*key, tuple(some)) for key, some in found.items()]


def _plain(treatments: tuple[Treatment, ...]) -> bool:
    return UNTREATED in treatments


def absent(config: Config) -> Iterator[tuple[str, str, str, str]]:
    """Yield experiment, model, what is not there to set against, and why."""
    tested = {(x.experiment, x.model) for x in scored(config) if x.against == TRANSFER}
    bridged = {(name, model) for name, model, _ in alignment.on_the_way(config)}
    for name, axes in alignment.all_axes(config).items():
        for model in axes.models:
            if (name, model) not in tested:
                yield (
                    name,
                    model,
                    TRANSFER,
                    f"no experiment of run tests {model}, tuned in {axes.pivot}, in a "
                    "language that is aligned",
                )
            if (name, model) not in bridged:
                where = "with languages that are all aligned"
                if not bridges.all_axes(config):
                    where = "at all"
                yield (
                    name,
                    model,
                    GAIN,
                    f"no experiment of run goes through bridges with {model} {where}",
                )
