"""On which processor a benchmark ran, and whether the rounds keep a target.

A target is kept where an interval of the median of the rounds is within it, missed
where the interval is above, and open where it has both sides. The interval is one of
order statistics: it covers the median of all rounds there could be in nine of ten cases
at least, or is the whole range, where there are fewer than five rounds.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")
# Flags in it: vectors, the widest first, and what multiplies matrices.
FLAGS = ("avx512f", "avx2", "avx", "sse4_2", "asimd")
MATRIX = ("avx512_bf16", "amx_bf16")


def verdict(rounds: Sequence[float], target: float) -> str:
    """Say whether the median of rounds is within a target: yes, no or open."""
    low, high = interval(rounds)
    if high <= target:
        return "yes"
    return "no" if low > target else "open"


def interval(rounds: Sequence[float]) -> tuple[float, float]:
    """Return what covers the median with nine in ten; see the module."""
    ordered, count = sorted(rounds), len(rounds)
    out, beyond = 0, 1 / 2**count  # that so few rounds or fewer are below the median
    while 2 * (beyond + math.comb(count, out + 1) / 2**count) <= 0.1:
        out += 1
        beyond += math.comb(count, out) / 2**count
    return ordered[out], ordered[count - 1 - out]


@cache
def processor() -> str:
    """Name the processor: model, cores, and the widest instructions it has for floats.

    What torch uses of these comes last.
    """
    told: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in CPUINFO.read_text().splitlines():
            key, _, value = line.partition(":")
            told.setdefault(key.strip(), value.strip())
    flags = set(told.get("flags", "").split())
    widest = next((f for f in FLAGS if f in flags), platform.machine())
    parts = [told.get("model name") or platform.processor() or "unknown processor"]
    parts += [f"{os.cpu_count()} cores", widest]
    parts += [f for f in MATRIX if f in flags]
    used = torch.backends.cpu.get_cpu_capability()
    return ", ".join([*parts, f"torch: {used}"])
