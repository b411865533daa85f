"""A `python` that has imported the libraries already: jobs start without delay.

``warm_start.py ARGUMENTS`` runs Snakemake with these arguments. Its jobs find a
`python` that asks a second process for a child of it; that process has imported what
jobs import, except the library of this project. The child gets the arguments, folder,
environment and files (0, 1 and 2) of the one who asks, who gets its exit status. The
second process ends with Snakemake, after the last child. Where it cannot be (anything
but Linux, where there are GPUs, and where TMPDIR is too long for a socket's path), jobs
start as they do without it.

Tests of the workflow start theirs so, too. What runs is the same but for two things:
children have the hash seed of their parent, and the libraries in its memory are counted
as memory of each.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import Any

IMPORTED = """
    numpy pandas pyarrow.parquet scipy.stats scipy.special pydantic yaml jinja2
    matplotlib.figure matplotlib.backends.backend_agg matplotlib.backends.backend_svg
    torch safetensors.numpy safetensors.torch tokenizers peft accelerate bitsandbytes
    transformers.models.auto.modeling_auto transformers.models.auto.tokenization_auto
    transformers.models.llama.modeling_llama
"""
SNAKEMAKE = """
    snakemake.cli snakemake.profiles snakemake.report snakemake.storage
    snakemake.benchmark snakemake.executors.local snakemake.executors.dryrun
"""
"""For those who ask for Snakemake as well."""
COLD = (
    "fetch_adapter.py",
    "fetch_model.py",
    "fetch_text.py",
    "pin_models.py",
    "prepare_task.py",
)
"""Scripts that may use a network, which libraries are told when they are imported."""

ASK = """#!{python} -IS
import array, json, os, socket, struct, sys
given = sys.argv[1:]
script = os.path.basename(given[0]) if given else ""
warm = script.endswith(".py") and script not in {cold}
if warm or given[:2] == ["-m", "snakemake"]:
    asked = dict(argv=given, cwd=os.getcwd(), env=dict(os.environ))
    text = json.dumps(asked).encode()
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect({socket!r})
        except OSError:  # it has ended
            os.execv({python!r}, [{python!r}, *given])
        files = array.array("i", [0, 1, 2])
        head = struct.pack("!II", len(text), os.getpid())
        server.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        server.sendall(text)
        answer = server.recv(1)
    os._exit(answer[0] if answer else 1)
os.execv({python!r}, [{python!r}, *given])
"""


def possible() -> bool:
    """Whether children can be watched, and no GPU is touched before they are made."""
    return hasattr(os, "pidfd_open") and not os.path.exists("/proc/driver/nvidia")


def start(folder: Path, *more: str) -> subprocess.Popen:
    """Start a process that makes children for those who ask.

    Args:
        folder: empty; gets ``bin/python``, which asks, and a log. The process ends
            after the last child, once its standard input is closed, and removes it.
        more: modules to import beside those of jobs.

    Raises:
        OSError: there can be no socket there, as where the path is too long for one.
    """
    place = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener, (folder / "log").open("wb") as log:
        listener.bind(str(place))
        listener.listen(64)
        # Children measure which lines run as they are told to; the server does not.
        bare = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
        bare |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        bare |= {"OMP_NUM_THREADS": "1"}
        bare.pop("PYTHONPATH", None)
        number = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(number), str(folder), *more],
            stdin=subprocess.PIPE, stdout=log, stderr=log, env=bare, pass_fds=[number],
        )  # fmt: skip
    text = ASK.format(python=sys.executable, cold=COLD, socket=str(place))
    path = folder / "bin" / "python"
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o755)
    return server


@cache
def command() -> Path:
    """Return an executable that is asked as Python is, as long as this process lives.

    Where there can be none, it is Python itself.
    """
    if not possible():
        return Path(sys.executable)
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    try:
        server = start(folder, *SNAKEMAKE.split())
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return Path(sys.executable)

    def stop() -> None:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return folder / "bin" / "python"


def main(arguments: list[str]) -> None:
    """Run Snakemake; jobs are children of a process with the libraries."""
    import psutil
    from snakemake.cli import main as snakemake

    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    try:
        # Kept open until this process ends, however it does.
        globals()["server"] = start(folder) if possible() else None
    except OSError:
        globals()["server"] = None
    if globals()["server"] is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        os.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        children = psutil.Process.children

        def with_forked(process: Any, recursive: bool = False) -> list[Any]:
            """For benchmark files: with the one that works for the one who asked."""
            found = children(process, recursive)
            for each in tuple(found):
                with contextlib.suppress(OSError, psutil.Error):
                    number = os.readlink(folder / f"for-{each.pid}")
                    found.append(psutil.Process(int(number)))
            return found

        psutil.Process.children = with_forked
    sys.argv = ["snakemake", *arguments]
    sys.path.pop(0)  # this file's folder
    snakemake(arguments)


class Asked(Exception):
    """In a child: what it is to run."""


def serve(listener: socket.socket, folder: Path) -> None:
    """Fork a child for everybody who asks, until standard input is closed.

    Raises:
        Asked: in each child.
    """
    running: dict[int, tuple[int, int, socket.socket, Path]] = {}
    open_ = True
    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while open_ or running:
            for key, _ in waiting.select():
                if key.fileobj is sys.stdin:
                    waiting.unregister(sys.stdin)
                    open_ = False
                    continue
                if key.fileobj is listener:
                    asker, _ = listener.accept()
                    try:
                        asked, by, files = _read(asker)
                    except OSError:  # gone before it had asked; others are served
                        asker.close()
                        continue
                    child = os.fork()
                    if not child:
                        _become(asked, files)
                        raise Asked(asked["argv"])
                    for number in files:
                        os.close(number)
                    link = folder / f"for-{by}"
                    link.unlink(missing_ok=True)
                    link.symlink_to(str(child))
                    watched = os.pidfd_open(child)
                    one = child, watched, asker, link
                    running[watched] = running[asker.fileno()] = one
                    waiting.register(watched, selectors.EVENT_READ)
                    waiting.register(asker, selectors.EVENT_READ)
                    continue
                if key.fd not in running:
                    continue
                child, watched, asker, link = running[key.fd]
                if key.fd != watched:  # the asker was killed
                    waiting.unregister(asker)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                    continue
                _, status = os.waitpid(child, 0)
                code = os.waitstatus_to_exitcode(status)
                link.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    asker.sendall(bytes([code if code >= 0 else 128 - code]))
                for number in (watched, asker.fileno()):
                    del running[number]
                    with contextlib.suppress(KeyError):
                        waiting.unregister(number)
                os.close(watched)
                asker.close()


def _read(asker: socket.socket) -> tuple[dict, int, list[int]]:
    """Read what somebody asks for, and who, and take over the files.

    Raises:
        ConnectionError: it has ended before all was sent.
    """
    room = array.array("i")
    head, given, *_ = asker.recvmsg(8, socket.CMSG_SPACE(3 * room.itemsize))
    if given:
        room.frombytes(given[0][2][: 3 * room.itemsize])
    if len(head) < 8 or len(room) < 3:
        for number in room:
            os.close(number)
        raise ConnectionError("no header, or no files with it")
    left, by = struct.unpack("!II", head)
    parts = []
    while left:
        parts.append(asker.recv(left))
        left -= len(parts[-1])
        if not parts[-1]:
            for number in room:
                os.close(number)
            raise ConnectionError(f"{left} bytes are missing")
    return json.loads(b"".join(parts)), by, list(room)


def _become(asked: dict, files: list[int]) -> None:
    """Give this process the files, folder and environment of the one who asks."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, 256)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    # Made anew: what they are, a terminal or not, was decided for the parent's.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)


def run(argv: list[str]) -> None:
    """Run a script, or a module by ``-m``, as ``python`` does."""
    if any(name.startswith("COVERAGE_PROCESS") for name in os.environ):
        import coverage

        coverage.process_startup()
    more = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [os.getcwd(), *filter(None, more)]
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        return
    sys.argv, sys.path[0] = argv, os.path.dirname(os.path.abspath(argv[0]))
    runpy.run_path(argv[0], run_name="__main__")


def leave(status: object) -> None:
    """End the process as Python does, but without taking apart what was imported.

    That would write to all the memory that is shared with the parent.
    """
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def _serve(number: int, folder: Path, *more: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it waits for those who do not
    for module in (*IMPORTED.split(), *more):
        with contextlib.suppress(ImportError):  # jobs say what they lack
            importlib.import_module(module)
    gc.freeze()  # the children share it
    try:
        serve(socket.socket(fileno=number), folder)
    except Asked as asked:
        argv = asked.args[0]
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        run(argv)
    except SystemExit as ended:
        leave(ended.code)
    except BaseException:
        traceback.print_exc()
        leave(1)
    leave(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
    else:
        main(sys.argv[1:])
