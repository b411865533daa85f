"""Neurons overwritten at test time: Tables 1, 4 and 5 of Mondal et al. 2025."""

from __future__ import annotations

from langneurons.grid.rows import task_rows

from . import Table
from .common.of_tasks import OfTasks


class Interventions(OfTasks, Table):
    """Interventions on a task, each set against the same model without."""

    NAME = "{task}"
    SHOWS = "interventions at test time (Tables 1, 4 and 5 of the paper)"
    PLACE = 10
    LAYOUT = "interventions"
    ROWS = task_rows


TABLE = Interventions()
