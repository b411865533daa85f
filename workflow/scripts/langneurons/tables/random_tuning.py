"""Random neurons fine-tuned beside selected ones: Table 8 of Mondal et al. 2025."""

from __future__ import annotations

from langneurons.grid.rows import random_rows

from . import Table
from .common.of_tasks import OfTasks


class RandomTuning(OfTasks, Table):
    """Tunings of selected neurons beside those of as many random ones."""

    NAME = "random_{task}"
    SHOWS = "fine-tuning of random neurons (Table 8)"
    PLACE = 30
    LAYOUT = "random"
    ROWS = random_rows


TABLE = RandomTuning()
