"""What all scripts share: arguments, errors without a traceback, provenance."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from langneurons.config.errors import DataError
from langneurons.jobs import cli, provenance
from langneurons.jobs.files import read_json, sha256
from langneurons.jobs.progress import Progress


def run(monkeypatch: pytest.MonkeyPatch, main: object, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["some_rule.py", *arguments])
    cli.run(main, "Doc.", inputs=["text", "extra"], outputs=["out"], many=["extra"])


def test_a_job_gets_its_arguments_and_leaves_provenance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("x")

    def main(job: cli.Job) -> None:
        assert (job.spec, job.threads, job.inputs["extra"]) == ({"a": 1}, 2, [])
        assert job.checkpoints == tmp_path / ".checkpoints"
        job.outputs["out"].write_text("y")

    spec = json.dumps({"a": 1})
    given = ["--text", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    run(monkeypatch, main, "--spec", spec, "--code", "c0de", "--threads", "2", *given)
    record = read_json(tmp_path / "out.provenance.json")
    assert record["rule"] == "some_rule" and record["spec"] == {"a": 1}
    assert record["inputs"]["text"] == {str(tmp_path / "in"): sha256(tmp_path / "in")}
    assert record["output_sha256"] == sha256(tmp_path / "out")
    assert record["packages"]["torch"] and record["code"] == "c0de"


def test_arguments_may_be_longer_than_the_kernel_allows(tmp_path: Path) -> None:
    """The workflow pipes what grows with the grid; line separators stay as they are."""
    spec = {"rows": ["\u2028 \x85"] * 20_000}
    (tmp_path / "in").write_text("x")
    (tmp_path / "rule.py").write_text(
        "import json\n"
        "from langneurons.jobs import cli\n"
        "def main(job):\n"
        "    names = [path.name for path in job.inputs['extra']]\n"
        "    job.outputs['out'].write_text(json.dumps([job.spec, names]))\n"
        "cli.run(main, '', inputs=['text', 'extra'], many=['extra'])\n"
    )
    long = json.dumps(spec, ensure_ascii=False)
    assert len(long) > 2**17
    script = tmp_path / "script.sh"
    script.write_text(
        f"set -euo pipefail; printf '%s\\n' --spec '{long}' --extra in in"
        f" | {sys.executable} rule.py @- --text in --out out",
        encoding="utf-8",
    )
    paths = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    command = ["bash", script.name]
    done = subprocess.run(
        command, cwd=tmp_path, env=paths, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "out") == [spec, ["in", "in"]]
    command = [sys.executable, "rule.py", "@-", "--text", "in", "--out", "out"]
    empty = subprocess.run(
        command, cwd=tmp_path, env=paths, input="", capture_output=True, text=True
    )
    assert empty.returncode == 1
    assert empty.stderr == "error: @-: no arguments on standard input, one per line\n"


@pytest.mark.parametrize("fault", ["missing input", "user error", "nothing written"])
def test_a_failure_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    if fault != "missing input":
        (tmp_path / "in").write_text("x")

    def main(job: cli.Job) -> None:
        if fault == "user error":
            raise DataError("row 7: label 5 is outside 0..2")

    given = ["--text", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, main, *given)
    assert caught.value.code == 1
    printed = capsys.readouterr().err
    expected = {
        "missing input": "does not exist",
        "user error": "row 7: label 5",
        "nothing written": "not written",
    }
    assert printed.startswith("error: ") and expected[fault] in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "out.provenance.json").exists()


def test_progress_says_counts_rate_and_time_to_go(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(4, "chunks", "measuring", every=0.0)
    progress.update(1)
    progress.update(3)
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("measuring: 1/4 chunks (25%)")
    assert "to go" in lines[0] and lines[-1].startswith("measuring: 4/4")


def test_a_damaged_input_is_refused_before_work(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = Path("results/first"), tmp_path / "second"
    first.parent.mkdir()
    (tmp_path / "in").write_text("x")
    given = ["--text", str(tmp_path / "in"), "--out", str(first)]
    run(monkeypatch, lambda job: job.outputs["out"].write_text("abc"), *given)
    first.write_text("abd")  # as long as before: only the hash tells

    def never(job: cli.Job) -> None:
        raise AssertionError("the job began")

    with pytest.raises(SystemExit):
        run(monkeypatch, never, "--text", str(first), "--out", str(second))
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {first}: damaged, or changed by hand")
    assert "Delete it" in printed and not second.exists()
    # A file of another place is the user's own, though a record lies beside it.
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(SystemExit):
        run(monkeypatch, never, "--text", str(tmp_path / first), "--out", str(second))
    assert "Delete" not in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    first.write_text("abc")
    with pytest.raises(AssertionError, match="the job began"):
        run(monkeypatch, never, "--text", str(first), "--out", str(second))


def test_provenance_describes_its_output(tmp_path: Path) -> None:
    made = tmp_path / "out"
    made.write_text("abc")
    provenance.write([made], "rule", {}, "c0de", {}, 1.23456, {"micro_batch": 3})
    record = read_json(provenance.path_of(made))
    assert record["output_sha256"] == sha256(made)
    assert record["python"] == platform.python_version()
    assert (record["seconds"], record["micro_batch"]) == (1.235, 3)
