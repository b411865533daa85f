"""Random neurons fine-tuned beside selected ones: Table 8 of Mondal et al. 2025."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons.grid.rows import random_rows

from . import Table, finetuning
from .common import inputs, same_marks
from .common.inputs import Reads
from .common.of_tasks import OfTasks

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs


class RandomTuning(OfTasks, Table):
    """Tunings of selected neurons beside those of as many random ones."""

    NAME = "random_{task}"
    SHOWS = "fine-tuning of random neurons (Table 8)"
    PLACE = 30
    LAYOUT = "random"
    ROWS = random_rows

    def reads(self, config: Config, name: str) -> Reads:
        """Say which results it is built from: the table of selected neurons too."""
        task, _ = self._rows(config, name)
        beside = finetuning.TABLE.NAME.format(task=task)
        return replace(super().reads(config, name), tables=[beside])

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        made = super().build(spec, read)
        (tunings,) = inputs.read_tables(read, lambda name: self.COLUMNS).values()
        return same_marks.as_tuned(made, tunings)


TABLE = RandomTuning()
