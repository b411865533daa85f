"""Numbers of trained models, and bounds that they keep on any processor.

Trained numbers differ between processors, numbers of threads and seeds. Tests hold them
to bounds, and ``python -m benchmarks.demo_spread`` measures how far inside these they
are; both take numbers and bounds from the same ``Truth``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Truth:
    """A number of a trained model, and the bound that it keeps.

    Attributes:
        what: the number, in words; never one language's level, which varies most.
        measure: computes it, from a seed or from the folder of a demo.
        sense: whether the number stays over or under the bound.
        bound: at least three standard deviations from the mean of what is measured.
    """

    what: str
    measure: Callable[[Any], float]
    sense: Literal["over", "under"]
    bound: float

    def holds(self, value: float) -> bool:
        """Tell whether a number is on the right side; NaN is on none."""
        return value > self.bound if self.sense == "over" else value < self.bound

    def deviations(self, values: list[float]) -> float:
        """Return how many standard deviations inside the bound the mean is.

        Args:
            values: of several runs; where all are equal the answer is infinite.
        """
        margin = float(np.mean(values)) - self.bound
        margin = margin if self.sense == "over" else -margin
        sd = float(np.std(values, ddof=1))
        return margin / sd if sd else float(np.copysign(np.inf, margin))
