"""What the machine has: decides what jobs ask for, no number beyond rounding."""

from __future__ import annotations

from pydantic import Field

from .fields import Frozen


class Resources(Frozen):
    """What jobs find where they run; nothing of a result depends on it."""

    gpu_memory_gb: float | None = Field(
        None,
        gt=0,
        description="memory of one GPU (10^9 bytes): how many GPUs a job of a large "
        "model asks for, and how many sequences it begins with at once. null: that of "
        "the smallest GPU of this machine, where jobs run here (nvidia-smi); of those "
        "of a cluster 80",
    )
