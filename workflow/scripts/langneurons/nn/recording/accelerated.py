"""What the recorder computes with, found out once for each device."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch

log = logging.getLogger(__name__)


@cache
def kernels_for(device: torch.device) -> Any:
    """Return the module ``cores`` on a CPU, ``kernels`` on a GPU where it works.

    The latter needs an NVIDIA GPU, Triton, and a C compiler for Triton's launcher.
    Where one is missing, one line says so and the recorder uses plain torch (None),
    which gives the same counts and histograms and sums that differ by rounding.
    """
    if device.type == "cpu":
        from . import cores

        return cores
    if device.type != "cuda":
        return None
    if torch.version.hip:
        return _without("they were only written for NVIDIA GPUs")
    try:
        from . import kernels

        ranks = torch.zeros(1, dtype=torch.int32, device=device)
        kernels.order_statistics(torch.zeros(2, 2, device=device), ranks)
    except Exception as error:
        # Triton reports a missing compiler or driver by many kinds of exceptions.
        return _without(f"{type(error).__name__}: {error}".splitlines()[0])
    return kernels


def _without(reason: str) -> None:
    log.warning("recording without GPU kernels, which is slower: %s", reason)
