"""Which evaluations tables of open text are made from: plain data of the configuration.

An experiment has open text if it runs a task whose answers are (``OPEN``), under
treatments that name a language, or that switch languages off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langneurons import tasks
from langneurons.config.names import UNTREATED
from langneurons.grid import experiments
from langneurons.grid.axes import Row
from langneurons.grid.experiments import amplification
from langneurons.grid.experiments.amplification import Amplification
from langneurons.grid.kept import kept

from .steering_rows import is_open, only_switched, target

if TYPE_CHECKING:
    from langneurons.config.schema import Config

Asked = tuple[str, Row]


@dataclass(frozen=True)
class OpenText:
    """The rows of all experiments with open text, untreated ones first.

    Attributes:
        steered: task and row where a treatment steers to another language than the
            prompts', one whose share is kept.
        off: task and row where languages are switched off.
        languages: of each task, those whose shares are kept.
    """

    steered: list[Asked] = field(default_factory=list)
    off: list[Asked] = field(default_factory=list)
    languages: dict[str, list[str]] = field(default_factory=dict)


@kept
def open_text(config: Config) -> OpenText:
    """List the evaluations with open answers; each for every experiment that asks."""
    found = OpenText()
    for name, axes in experiments.running(config).items():
        told = {task: _languages(config, task) for task in _open(config, axes)}
        steered: list[Asked] = []
        off: list[Asked] = []
        for task, row, treatments in _blocks(config, name, axes, told):
            left_out = only_switched(config, axes, task, row)
            steered += [
                (task, row.under(each))
                for each in treatments
                if target(each) in {*told[task]} - {row.lang} and each not in left_out
            ]
            if isinstance(axes, Amplification):
                steps = amplification.switched(config, axes, task)
                off += [(task, row.under(each)) for each in steps]
        found.steered.extend(_with_untreated(steered))
        found.off.extend(_with_untreated(off))
        found.languages.update(told)
    return found


def _blocks(
    config: Config, name: str, axes: Any, told: dict[str, list[str]]
) -> Iterator[tuple[str, Row, Sequence[Any]]]:
    """Yield what models as they are are asked in one language of a task."""
    for table, block in experiments.load(axes.kind).rows(config, name, axes):
        row = block.row
        if table in told and isinstance(row, Row) and row.tuning.is_base:
            yield table, row, block.treatments


def _open(config: Config, axes: Any) -> list[str]:
    asked: Sequence[str] = getattr(axes, "tasks", ())
    return [task for task in asked if is_open(config, task)]


def _languages(config: Config, task: str) -> list[str]:
    entry = config.task(task)
    given: Any = tasks.load(entry.kind).PARAMETERS.model_validate(entry.parameters)
    return list(given.languages)


def _with_untreated(given: Sequence[Asked]) -> list[Asked]:
    untreated = dict.fromkeys((task, row.under(UNTREATED)) for task, row in given)
    return [*untreated, *given]
