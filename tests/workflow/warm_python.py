"""A `python` that has imported the libraries already: starting a job takes no seconds.

Run as: warm_python.py SOCKET. It imports what jobs and Snakemake import, except the
library that is tested, and then forks a child for every program that somebody asks for
through the socket: with the arguments, folder, environment and files (0, 1 and 2) of
the one who asks, who gets its exit status. ``command`` makes an executable that asks.

What is tested is the same but for two things: a child has the hash seed of its parent,
and its memory and processor time are not those of the process that Snakemake looks at.
The tests of the demo and of the cluster start each job by itself.
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
import time
import traceback
from functools import cache
from pathlib import Path

IMPORTED = """
    snakemake.cli snakemake.profiles snakemake.report snakemake.storage
    snakemake.benchmark snakemake.executors.local snakemake.executors.dryrun
    numpy pandas pyarrow.parquet scipy.stats scipy.special pydantic yaml jinja2
    matplotlib.figure matplotlib.backends.backend_agg matplotlib.backends.backend_svg
    torch safetensors.numpy safetensors.torch tokenizers peft accelerate bitsandbytes
    transformers.models.auto.modeling_auto transformers.models.auto.tokenization_auto
    transformers.models.llama.modeling_llama
"""
COLD = ("fetch_model.py", "fetch_text.py")
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
        server.connect({socket!r})
        files = array.array("i", [0, 1, 2])
        server.sendmsg(
            [struct.pack("!I", len(text))],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)],
        )
        server.sendall(text)
        answer = server.recv(1)
    os._exit(answer[0] if answer else 1)
os.execv({python!r}, [{python!r}, *given])
"""


@cache
def command() -> Path:
    """Start a server, if none runs yet, and return the executable that asks it.

    Where processes cannot be watched as Linux lets them be, it is Python itself.
    """
    if not hasattr(os, "pidfd_open"):
        return Path(sys.executable)
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    place = folder / "socket"
    # Children measure which lines run as they are told to; the server does not.
    bare = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    bare |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    bare.pop("PYTHONPATH", None)
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [sys.executable, __file__, str(place)],
        stdin=subprocess.PIPE, stdout=log, stderr=log, env=bare,
    )  # fmt: skip

    def stop() -> None:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    while not place.exists():
        assert server.poll() is None, (folder / "log").read_text()
        time.sleep(0.05)
    text = ASK.format(python=sys.executable, cold=COLD, socket=str(place))
    path = folder / "bin" / "python"
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o755)
    return path


class Asked(Exception):
    """In a child: what it is to run."""


def serve(place: Path) -> None:
    """Fork a child for everybody who asks, until the one who started this is gone.

    Raises:
        Asked: in each child.
    """
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{place}.new")
    listener.listen(64)
    os.rename(f"{place}.new", place)
    running: dict[int, tuple[int, int, socket.socket]] = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is listener:
                    asker, _ = listener.accept()
                    asked, files = _read(asker)
                    child = os.fork()
                    if not child:
                        _become(asked, files)
                        raise Asked(asked["argv"])
                    for number in files:
                        os.close(number)
                    watched = os.pidfd_open(child)
                    one = child, watched, asker
                    running[watched] = running[asker.fileno()] = one
                    waiting.register(watched, selectors.EVENT_READ)
                    waiting.register(asker, selectors.EVENT_READ)
                    continue
                if key.fd not in running:
                    continue
                child, watched, asker = running[key.fd]
                if key.fd != watched:  # the asker was killed
                    waiting.unregister(asker)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                    continue
                _, status = os.waitpid(child, 0)
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(OSError):
                    asker.sendall(bytes([code if code >= 0 else 128 - code]))
                for number in (watched, asker.fileno()):
                    del running[number]
                    with contextlib.suppress(KeyError):
                        waiting.unregister(number)
                os.close(watched)
                asker.close()


def _read(asker: socket.socket) -> tuple[dict, list[int]]:
    """Read what somebody asks for, and take over the files."""
    room = array.array("i")
    head, given, *_ = asker.recvmsg(4, socket.CMSG_SPACE(3 * room.itemsize))
    room.frombytes(given[0][2][: 3 * room.itemsize])
    (left,) = struct.unpack("!I", head)
    parts = []
    while left:
        parts.append(asker.recv(left))
        left -= len(parts[-1])
    return json.loads(b"".join(parts)), list(room)


def _become(asked: dict, files: list[int]) -> None:
    """Give this process the files, folder and environment of the one who asks."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, 256)
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


if __name__ == "__main__":
    for module in IMPORTED.split():
        importlib.import_module(module)
    gc.freeze()  # the children share it
    try:
        serve(Path(sys.argv[1]))
    except Asked as asked:
        argv = asked.args[0]
    else:
        raise SystemExit
    try:
        run(argv)
    except SystemExit as ended:
        leave(ended.code)
    except BaseException:
        traceback.print_exc()
        leave(1)
    leave(0)
