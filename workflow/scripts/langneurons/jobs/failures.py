"""What the person who typed ``snakemake`` reads when a job fails.

Snakemake shows the command, which carries the settings of the job as kilobytes of
JSON, and with ``--quiet rules`` nothing but the command. Here its messages are
rewritten: what failed, why in the program's own words, what it was to make, and where
the log lies.
"""

from __future__ import annotations

import logging
import re
import threading
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

LINES = 8
"""Last lines of a log that are shown, where not all are wanted."""
WIDTH = 1000
"""Characters of a line that are shown."""
END = 2**20
"""Bytes at the end of a log that are looked at."""

_COMMAND = re.compile(
    r"CalledProcessError in file .*\nCommand '.*' "
    r"(returned non-zero exit status \d+|died with .*?)\.?\s*$",
    re.DOTALL,
)


class Reporter(logging.Filter):
    """Rewrites what Snakemake says of failed jobs, whatever it is told to be quiet of.

    A filter of Snakemake's logger sees each message before what shows it, and works for
    every way of starting Snakemake.

    Args:
        whole_logs: whether logs are shown in full (``--show-failed-logs``).
    """

    def __init__(self, whole_logs: bool = False) -> None:
        super().__init__()
        self.whole_logs = whole_logs
        self._ended = threading.local()  # a job's two messages come from one thread

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a message; False drops it, because the next one has all it said."""
        event = getattr(record, "event", None)
        if event == LogEvent.ERROR and (found := _COMMAND.search(str(record.msg))):
            self._ended.how = found[1]
            return False
        if event != LogEvent.JOB_ERROR:
            return True
        ended = self._ended.__dict__.pop("how", "")
        # Without its event it is an ordinary error, which no --quiet but `all` hides.
        record.event = None
        record.msg, record.args = self._describe(vars(record), ended), ()
        return True

    def _describe(self, job: dict[str, Any], ended: str) -> str:
        logs = {str(path): _lines(str(path)) for path in job.get("log") or []}
        said = job.get("rule_msg") or (f"its command {ended}" if ended else "")
        made = job.get("output") or []
        lines = [f"Error in rule {job['rule_name']} (job {job['jobid']}):"]
        why = _reason(logs)
        # The program's own words tell more than how it ended; a cluster may know more.
        lines += [why] if why else []
        lines += [said] if job.get("rule_msg") or not why else []
        if made:
            others = f" and {len(made) - 1} more" if len(made) > 1 else ""
            lines.append(f"output: {made[0]}{others}")
        lines += [f"{name}: {value}" for name, value in (job.get("aux") or {}).items()]
        for path, found in logs.items():
            if found is None:
                lines.append(f"log: {path} (not written)")
            elif not found or found == [why] or (why and why not in found):
                lines.append(f"log: {path}" + ("" if found else " (empty)"))
            else:
                most = len(found) if self.whole_logs else LINES
                part = ", whose last lines are" if len(found) > most else ""
                lines.append(f"log: {path}{part}")
                lines += [f"    {line}" for line in found[-most:]]
        return "\n    ".join(line for line in lines if line)


def _lines(path: str) -> list[str] | None:
    """Read the last lines of a log, without empty ones; None if it is not there."""
    try:
        with Path(path).open("rb") as handle:
            handle.seek(max(0, handle.seek(0, 2) - END))
            text = handle.read().decode(errors="replace")
    except OSError:
        return None
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return [x if len(x) <= WIDTH else f"{x[:WIDTH]} ..." for x in lines]


def _reason(logs: dict[str, list[str] | None]) -> str:
    """Return the line in which a program says what went wrong, if it does."""
    for lines in logs.values():
        for line in reversed(lines or []):
            if line.startswith("error: "):
                return line
    return ""


def report(workflow: Any) -> None:
    """Have failures of jobs told in few words for as long as Snakemake runs.

    Args:
        workflow: Snakemake's, while it reads the rules.
    """
    read_messages(Reporter, Reporter(workflow.output_settings.show_failed_logs))


def read_messages(kind: type[logging.Filter], reader: logging.Filter | None) -> None:
    """Have Snakemake's messages pass through a filter, the only one of its kind.

    Args:
        kind: of the filter; Snakemake's API may read the rules more than once, and an
            earlier one is taken out.
        reader: None: there is to be none.
    """
    logger = logging.getLogger("snakemake.logging")
    for old in [each for each in logger.filters if isinstance(each, kind)]:
        logger.removeFilter(old)
    if reader is not None:
        logger.addFilter(reader)
