"""What fuzz_config.py and fuzz_files.py share: they tell of each fault once."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

GOOD = ("read", "refused")


@dataclass
class Outcomes:
    """How reading what was changed at random ended.

    Attributes:
        seen: number of each outcome: read, refused, or an exception and its place.
        begun: time of the start.
    """

    seen: Counter[str] = field(default_factory=Counter)
    begun: float = field(default_factory=time.monotonic)

    def fault(self, error: Exception, what: str) -> None:
        """Count an exception that is no clear error; tell of the first in each place.

        Args:
            error: that a user would see with its traceback.
            what: was changed, so that it can be changed again.
        """
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "langneurons" in Path(f.filename).parts] or frames
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        key = f"{type(error).__name__} at {place}"
        if key not in self.seen:
            print(f"FAULT {key}: {str(error)[:200]!r}; {what}", flush=True)
        self.seen[key] += 1

    def end(self, cases: int) -> int:
        """Sum up, and return the exit status: 1 where there was a fault."""
        seconds = time.monotonic() - self.begun
        print(f"{cases} cases in {seconds:.0f} s: {dict(self.seen)}")
        return int(any(key not in GOOD for key in self.seen))
