"""A `python` with the libraries in it answers as Python does, and leaves nothing."""

from __future__ import annotations

import array
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import warm_start
from snakemake_runs import ROOT
from virtual_cluster import wait_for

pytestmark = pytest.mark.skipif(
    not warm_start.possible(), reason="not on Linux, or there is a GPU"
)

SCRIPT = """
import os, signal, sys
print("torch" in sys.modules, os.getcwd(), os.environ["GIVEN"], sys.stdin.read())
print(sys.argv[1:], file=sys.stderr)
what = sys.argv[1]
if what == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "raise":
    raise ValueError("what it says")
sys.exit(int(what))
"""


def ask(program: object, folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    (folder / "job.py").write_text(SCRIPT)
    return subprocess.run(
        [str(program), "job.py", what], cwd=folder, env=os.environ | {"GIVEN": "ü"},
        input="piped", capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(("what", "status"), [("0", 0), ("7", 7), ("raise", 1)])
def test_it_answers_as_python_does(tmp_path: Path, what: str, status: int) -> None:
    warm = ask(warm_start.command(), tmp_path, what)
    cold = ask(sys.executable, tmp_path, what)
    assert warm.returncode == cold.returncode == status
    assert warm.stdout == f"True {tmp_path} ü piped\n"
    assert cold.stdout == warm.stdout.replace("True", "False")
    # But for the lines of the traceback that say who runs the script.
    first, last = (
        text.strip().splitlines()[::-1] for text in (cold.stderr, warm.stderr)
    )
    assert (first[0], first[-1]) == (last[0], last[-1])


def test_a_killed_child_has_the_status_of_a_shell(tmp_path: Path) -> None:
    assert ask(warm_start.command(), tmp_path, "kill").returncode == 128 + 9


def test_it_ends_with_the_one_who_started_it(tmp_path: Path) -> None:
    command = [sys.executable, warm_start.__file__, "--version"]
    given = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        command, env=given, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()[0].isdigit()

    def gone() -> bool:
        return not list(tmp_path.glob("warm-*")) and not any(
            str(tmp_path) in " ".join(process.info["cmdline"] or ())
            for process in psutil.process_iter(["cmdline"])
        )

    wait_for(gone, 300, "end of the process with the libraries")


def test_askers_that_die_before_they_have_asked_harm_no_other(tmp_path: Path) -> None:
    """One says nothing; one sends no files; one ends behind the header."""
    place = str(Path(warm_start.command()).parents[1] / "socket")
    head = struct.pack("!II", 100, os.getpid())
    files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    for sent, more in ((b"", []), (head, []), (head, files)):
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(place)
            if sent:
                asker.sendmsg([sent], more)
        assert ask(warm_start.command(), tmp_path, "0").stdout.startswith("True ")


def test_where_no_socket_can_be_jobs_start_cold(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    given = os.environ | {"TMPDIR": str(folder)}
    for what in (
        "warm_start.main(['--version'])",
        "print(warm_start.command() == Path(sys.executable))",
    ):
        place = Path(warm_start.__file__).parent
        code = f"import sys; sys.path.insert(0, {str(place)!r}); import warm_start; "
        code += f"from pathlib import Path; {what}"
        done = subprocess.run(
            [sys.executable, "-c", code], env=given, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        said = done.stdout.strip()
        assert said == "True" or said[0].isdigit()
        assert list(folder.iterdir()) == []


def test_scripts_that_may_use_a_network_are_started_cold() -> None:
    """The libraries of the others were told when they were imported: none."""
    scripts = (ROOT / "workflow/scripts").glob("*.py")
    asking = {x.name for x in scripts if "network=True" in x.read_text("utf-8")}
    assert asking == set(warm_start.COLD)
