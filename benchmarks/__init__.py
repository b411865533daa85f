"""Benchmarks of the library: ``python -m benchmarks``, or ``make bench``.

Each compares ways to compute the same thing on the same model, data and threads. What
counts is the ratio of a variant to its baseline within a round, not the seconds: see
``measuring``. One module is one benchmark; ``suite`` lists them.

Folders that Snakemake puts in here (``results/``) are the times of workflow jobs.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SCRIPTS = str(ROOT / "workflow" / "scripts")
if _SCRIPTS not in sys.path:
    sys.path.insert(0, _SCRIPTS)
