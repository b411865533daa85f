"""Neurons that a candidate has in common with the target language alone.

In the demo world, where the right bridge is known, this finds it more often than
``overlap``: the source says nothing about what leads to the target.
"""

from __future__ import annotations

from .overlap import Overlap


class OverlapTarget(Overlap):
    """Counts of neurons shared with the target; see the module."""

    which = "target"


SIMILARITY = OverlapTarget()
