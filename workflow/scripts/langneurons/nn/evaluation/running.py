"""What every way to run a model on items shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from langneurons.jobs.batching import MicroBatch
from langneurons.jobs.progress import Progress
from langneurons.nn.models.backbone import Backbone

from .applying import Handle, applied
from .interventions import Intervention


@dataclass(frozen=True)
class Run:
    """A loaded model, and what is done to it while it works.

    Attributes:
        backbone: the model.
        filler: token in place of padding; nothing sees it.
        batches: sequences per forward pass; speed and memory only.
        intervention: None leaves the model as it is.
        family: see ``architectures.mlp_sites``.
        label: of progress lines and messages; empty: there are no progress lines.
    """

    backbone: Backbone
    filler: int
    batches: MicroBatch
    intervention: Intervention | None = None
    family: str | None = None
    label: str = ""

    @property
    def what(self) -> str:
        """What is run, in messages."""
        return self.label or "the model"

    @contextmanager
    def passes(self, rows: int, unit: str) -> Iterator[tuple[Handle, Progress]]:
        """Treat the model inside the block, and tell how far it is.

        Args:
            rows: how many there are to work through.
            unit: what they are.

        Yields:
            What must be told the masks, and the progress.
        """
        progress = Progress(rows, unit, self.label)
        with applied(self.backbone.model, self.intervention, self.family) as handle:
            yield handle, progress
        progress.close()
