"""A failed job is told in few words: shown through Snakemake's own handlers."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest
from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from langneurons.jobs.failures import LINES, Reporter

SPEC = "{" + ",".join(f'"key{i}":"it\'s"' for i in range(1000)) + "}"
COMMAND = f"set -euo pipefail;  printf '%s\\n' --spec '{SPEC}' | python x.py > a.log"
QUIET = [set(), {Quietness.RULES}, {Quietness.RULES, Quietness.PROGRESS}]


def shown(
    *messages: tuple[str, dict[str, Any]], quiet: Any = (), whole_logs: bool = False
) -> str:
    """Return what Snakemake prints of some errors."""
    logger = logging.Logger("snakemake", logging.INFO)
    stream = io.StringIO()
    hide = DefaultFilter(quiet, False, False, False, False)
    form = DefaultFormatter(quiet, whole_logs)
    logger.addHandler(ColorizingTextHandler(True, stream, form, hide))
    logger.addFilter(Reporter(whole_logs))
    for text, extra in messages:
        logger.error(text, extra=extra)
    return stream.getvalue()


def ended(how: str = "returned non-zero exit status 1.") -> tuple[str, dict[str, Any]]:
    """Return what Snakemake says first: the command, and how it ended."""
    text = 'RuleException:\nCalledProcessError in file "/x/evaluation.smk", line 48:\n'
    return f"{text}Command '{COMMAND}' {how}", {"event": LogEvent.ERROR}


def failed(*logs: object, **more: Any) -> tuple[str, dict[str, Any]]:
    """Return what Snakemake says then: all about the job."""
    about = {
        "event": LogEvent.JOB_ERROR, "rule_name": "evaluate", "rule_msg": None,
        "jobid": 7, "input": ["in"], "output": ["out/a.json", "out/b.json"],
        "log": [str(path) for path in logs], "conda_env": None, "container_img": None,
        "aux": {}, "indent": False, "shellcmd": COMMAND,
    }  # fmt: skip
    return "Error in rule evaluate, jobid: 7", about | more


@pytest.mark.parametrize("quiet", QUIET)
def test_the_programs_own_words_come_first(tmp_path: Path, quiet: Any) -> None:
    log = tmp_path / "a.log"
    steps = [f"step {i}" for i in range(20)]
    log.write_text("\n".join([*steps, "error: x.json: damaged", "  see line 3", ""]))
    assert shown(ended(), failed(log), quiet=quiet).splitlines() == [
        "Error in rule evaluate (job 7):",
        "    error: x.json: damaged",
        "    output: out/a.json and 1 more",
        f"    log: {log}, whose last lines are",
        *[f"        step {i}" for i in range(20 - LINES + 2, 20)],
        "        error: x.json: damaged",
        "          see line 3",
    ]
    text = shown(ended(), failed(log), quiet=quiet, whole_logs=True)
    assert "step 0" in text and text.count("step") == 20


@pytest.mark.parametrize("quiet", QUIET)
@pytest.mark.parametrize("log", ["traceback", "empty", "absent", "not text"])
def test_a_job_that_says_no_reason(tmp_path: Path, quiet: Any, log: str) -> None:
    path = tmp_path / "a.log"
    written = {
        "traceback": b"Traceback\n  File\nKeyError: 'x'\n",
        "empty": b"",
        "not text": b"\xff\xfe " + b"x" * 9000,
    }
    if log != "absent":
        path.write_bytes(written[log])
    text = shown(ended("returned non-zero exit status 137."), failed(path), quiet=quiet)
    assert "    its command returned non-zero exit status 137\n" in text
    expected = {
        "traceback": f"log: {path}\n        Traceback\n          File\n",
        "empty": f"log: {path} (empty)",
        "absent": f"log: {path} (not written)",
        "not text": "xxx ...",
    }
    assert expected[log] in text
    assert len(text) < 2000 and "key1" not in text
    signal = ended("died with <Signals.SIGKILL: 9>.")
    assert "its command died with <Signals.SIGKILL: 9>" in shown(signal, failed(path))


def test_what_a_cluster_says_is_kept(tmp_path: Path) -> None:
    own, slurm = tmp_path / "own.log", tmp_path / "slurm.log"
    own.write_text("step 1\nerror: out of memory\n")
    slurm.write_text("Building DAG\nslurmstepd: error: killed\n")
    told = {"rule_msg": "SLURM-job '5' failed, SLURM status is: 'OUT_OF_MEMORY'."}
    told |= {"aux": {"external_jobid": "5"}}
    text = shown(failed(own, slurm, **told), quiet={Quietness.RULES})
    assert text.splitlines() == [
        "Error in rule evaluate (job 7):",
        "    error: out of memory",
        "    SLURM-job '5' failed, SLURM status is: 'OUT_OF_MEMORY'.",
        "    output: out/a.json and 1 more",
        "    external_jobid: 5",
        f"    log: {own}",
        "        step 1",
        "        error: out of memory",
        f"    log: {slurm}",
    ]
    own.unlink()  # the program did not get so far: Slurm's log has the reason
    text = shown(failed(own, slurm, **told))
    assert f"log: {own} (not written)" in text and "slurmstepd: error: killed" in text


def test_jobs_at_once_keep_their_own_ends(tmp_path: Path) -> None:
    """Each job's two messages come from a thread of its own."""
    import threading

    reporter = Reporter()
    found: dict[str, str] = {}
    first_said = threading.Event()

    def job(name: str, status: str, wait: bool) -> None:
        text, extra = ended(f"returned non-zero exit status {status}.")
        record = logging.makeLogRecord({"msg": text, **extra})
        assert not reporter.filter(record)
        if wait:
            first_said.wait(5)
        else:
            first_said.set()
        text, extra = failed(tmp_path / "no.log")
        record = logging.makeLogRecord({"msg": text, **extra})
        assert reporter.filter(record)
        found[name] = str(record.msg)

    threads = [
        threading.Thread(target=job, args=("a", "3", True)),
        threading.Thread(target=job, args=("b", "4", False)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "status 3" in found["a"] and "status 4" in found["b"]


def test_other_messages_pass_unchanged() -> None:
    conda = ("CreateCondaEnvironmentException:\nCommand 'mamba' failed", {})
    missing = ("MissingInputException in rule x", {"event": LogEvent.ERROR})
    assert shown(conda, missing) == f"{conda[0]}\n{missing[0]}\n"
    # How a job ended is not told of the next one.
    assert "its command" not in shown(ended(), failed("no.log"), failed("no.log"))[-90:]
