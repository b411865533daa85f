"""The command line that all scripts of the workflow share.

A script reads nothing but its arguments: ``--spec`` (the slice of the configuration it
depends on, as JSON), its named inputs and outputs, and options that change speed only.
``@-`` stands for further arguments on standard input, one per line: Linux takes no
single argument longer than 128 KiB, and a large grid's spec is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError, LangneuronsError

from . import devices, forced, provenance
from .batching import MicroBatch


@dataclass(frozen=True)
class Job:
    """What a script was asked to do.

    Attributes:
        spec: exactly the configuration that the result may depend on.
        code: hash of the code that runs.
        inputs: files to read by name; a list of them where a script declares many,
            None where it declares an optional one that is not given.
        outputs: files to write by name.
        threads: CPU threads to use.
        gpus: GPUs to use; with 0 the job runs on the CPU, whatever the machine has.
        micro_batch: sequences per forward pass; changes speed and memory only.
        checkpoint_every: optimiser steps between two checkpoints of a training.
        notes: what the provenance says of how the job was run.
    """

    spec: dict[str, Any]
    code: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    threads: int
    micro_batch: int
    checkpoint_every: int
    gpus: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def batches(self) -> MicroBatch:
        """``micro_batch``, as far as the GPU's memory goes; see ``batching``."""
        cuda, model = self.device == "cuda", self.inputs["model"]
        return MicroBatch.for_model(self.micro_batch, cuda, model, self.notes)

    @cached_property
    def device(self) -> str:
        """``cuda`` if a GPU is there, else ``cpu``; also sets the number of threads."""
        import torch

        torch.set_num_threads(self.threads)
        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def forced_since(self) -> float:
        """When the run began that forces this job; see ``forced.since``."""
        return forced.since(_rule(), _flat(self.outputs))

    @property
    def checkpoints(self) -> Path:
        """Folder for what a killed job needs to go on; removed when it succeeds."""
        first = next(iter(self.outputs.values()))
        first = first[0] if isinstance(first, list) else first
        return Path(first).parent / ".checkpoints"


def run(
    main: Callable[[Job], None],
    description: str | None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = ("out",),
    many: Sequence[str] = (),
    network: bool = False,
    optional: Sequence[str] = (),
) -> None:
    """Parse the arguments, run ``main``, and write the provenance of its outputs.

    Args:
        main: does the work.
        description: the script's docstring.
        inputs: names of the files it reads.
        outputs: names of the files it writes.
        many: those of the names that take any number of files.
        network: whether the script may use the hub; others run with it offline.
        optional: those of the inputs that may be absent: the flag without a file.
    """
    start = time.monotonic()
    if not network:
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    try:
        job = _parse(description, inputs, outputs, many, optional)
        _check(job)
        devices.take(job.gpus)
        read = provenance.hashes({k: _flat({k: v}) for k, v in job.inputs.items()})
        main(job)
        written = _flat(job.outputs)
        if missing := [str(p) for p in written if not p.exists()]:
            raise DataError(f"not written: {', '.join(missing)}")
        seconds = time.monotonic() - start
        what = _rule(), job.spec, job.code, read, seconds
        provenance.write(written, *what, notes=job.notes)
    except LangneuronsError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def _parse(
    description: str | None,
    inputs: Sequence[str],
    outputs: Sequence[str],
    many: Sequence[str],
    optional: Sequence[str],
) -> Job:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--spec", default="{}", help="configuration slice, JSON")
    parser.add_argument("--code", default="", help="hash of the code, for provenance")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--micro-batch", type=int, default=8)
    parser.add_argument("--checkpoint-every", type=int, default=500)
    for name in (*inputs, *outputs):
        flag = "--" + name.replace("_", "-")
        if name in many:
            parser.add_argument(flag, nargs="*", type=Path, default=[])
        elif name in optional:
            parser.add_argument(flag, nargs="?", required=True, type=Path)
        else:
            parser.add_argument(flag, required=True, type=Path)
    given = vars(parser.parse_args(_arguments()))
    return Job(
        spec=json.loads(given["spec"]),
        code=given["code"],
        inputs={name: given[name] for name in inputs},
        outputs={name: given[name] for name in outputs},
        threads=given["threads"],
        gpus=given["gpus"],
        micro_batch=given["micro_batch"],
        checkpoint_every=given["checkpoint_every"],
    )


def _rule() -> str:
    """Name the rule that runs, which is called like its script."""
    return Path(sys.argv[0]).stem


def _arguments() -> list[str]:
    """Return the command line, with what standard input holds in place of ``@-``."""
    found: list[str] = []
    for argument in sys.argv[1:]:
        if argument != "@-":
            found.append(argument)
            continue
        piped = sys.stdin.buffer.read().decode()
        if not piped:
            raise DataError("@-: no arguments on standard input, one per line")
        found += piped.removesuffix("\n").split("\n")
    return found


def _check(job: Job) -> None:
    for name, value in job.inputs.items():
        for path in _flat({name: value}):
            if not path.exists():
                raise DataError(f"--{name.replace('_', '-')}: {path} does not exist")


def _flat(files: dict[str, Any]) -> list[Path]:
    lists = [v if isinstance(v, list) else [v] for v in files.values()]
    return [path for given in lists for path in given if path is not None]
