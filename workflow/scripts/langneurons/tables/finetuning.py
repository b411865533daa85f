"""Selected neurons fine-tuned: Tables 3 and 7 of Mondal et al. 2025."""

from __future__ import annotations

from langneurons.grid.rows import tuning_rows

from . import Table
from .common.of_tasks import OfTasks


class Finetuning(OfTasks, Table):
    """Tunings of selected neurons, each set against the attention tuning."""

    NAME = "finetune_{task}"
    SHOWS = "fine-tuning of selected neurons (Tables 3 and 7)"
    PLACE = 20
    LAYOUT = "tunings"
    ROWS = tuning_rows


TABLE = Finetuning()
