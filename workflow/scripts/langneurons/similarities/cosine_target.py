"""Cosine between the activation probabilities of a candidate and of the target alone.

See ``cosine``. In the demo world it finds the right bridge wherever kinship and bridge
agree, and more often than the others where they do not.
"""

from __future__ import annotations

from .cosine import Cosine


class CosineTarget(Cosine):
    """Cosine with the target; see the module."""

    which = "target"


SIMILARITY = CosineTarget()
