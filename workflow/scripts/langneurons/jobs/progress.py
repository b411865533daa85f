"""One line of progress per unit of work: counts, rate and time to go."""

from __future__ import annotations

import sys
import time


class Progress:
    """Report work done: log lines in a file, a bar on a terminal.

    Args:
        total: units of work in all.
        unit: what is counted, for example ``tokens``.
        label: what is being done; empty: nothing is reported.
        every: seconds between two log lines.
    """

    def __init__(self, total: int, unit: str, label: str, every: float = 10.0) -> None:
        self.total, self.unit, self.label, self.every = total, unit, label, every
        self.done = 0
        self.start = self.last = time.monotonic()

    def update(self, n: int) -> None:
        """Count ``n`` more units."""
        self.done += n
        now = time.monotonic()
        on_terminal = sys.stderr.isatty()
        if now - self.last >= (0.2 if on_terminal else self.every):
            self.last = now
            self._show("\r" if on_terminal else "\n")

    def close(self) -> None:
        """Print the last line, with the rate of the whole."""
        self._show("\n")

    def _show(self, end: str) -> None:
        if not self.label:
            return
        seconds = max(time.monotonic() - self.start, 1e-9)
        rate = self.done / seconds
        left = (self.total - self.done) / rate if rate else float("inf")
        share = self.done / self.total if self.total else 1.0
        bar = ""
        if sys.stderr.isatty():
            bar = "[" + ("#" * round(20 * share)).ljust(20) + "] "
        print(
            f"{self.label}: {bar}{self.done:,}/{self.total:,} {self.unit} "
            f"({share:.0%}), {rate:,.1f}/s, {seconds:,.0f} s gone, {left:,.0f} s to go",
            end=end,
            file=sys.stderr,
            flush=True,
        )
