"""The micro-batch of a job: the largest that fits, found once and reused.

A job is given a micro-batch as a resource. On a GPU it first tries how far doubling it
pays, and later jobs of the same model, kind of work, length and GPU take what was
found. Where memory runs out nevertheless, the micro-batch is halved and only what
failed is done again. On a CPU the given one is used. Results do not depend on it, so
nothing here is part of a job's ``spec`` or ``code``; the provenance records it.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from langneurons.config.errors import DataError, LangneuronsError

from . import files, manifests

T = TypeVar("T")
Timer = Callable[[Callable[[], object]], float]
Trial = Callable[[int, Timer], float]

FORMAT = "langneurons/micro-batch/1"
FOLDER = Path(".cache/micro_batches")
"""Where findings are kept, below the project's folder, which cluster jobs share.

They are no results: they belong to a machine, no rule makes or needs them, and
``results`` may be deleted or copied without them. One file each, replaced as a whole:
jobs that write at the same time cannot lose each other's findings.
"""

GAIN = 1.05
"""A micro-batch twice as large must be faster by this factor to be taken."""

FULL = 0.9
"""Share of a GPU's memory that a larger micro-batch may take; others may want some."""

LARGEST_TOKENS = 2**17
"""No trial runs more tokens at once: by then every GPU is busy."""

ENDS = ("memory", "speed", "rows", "limit")


class Device(Protocol):
    """What has the memory that a micro-batch must fit in; see ``gpus.Gpus``."""

    name: str
    gib: int

    def wait(self) -> None: ...
    def free(self) -> None: ...
    def reset_peak(self) -> None: ...
    def peak(self) -> float: ...


class MicroBatch:
    """How many sequences go through the model at once.

    Args:
        given: the resource.
        device: None: a CPU, where ``given`` is used as it is.
        model: name and revision, for the findings.
        folder: where findings are kept.
        notes: told the ``micro_batch`` last used, for the provenance.
        clock: seconds.

    Attributes:
        size: sequences per forward pass.
    """

    def __init__(
        self,
        given: int,
        device: Device | None = None,
        model: str = "",
        folder: Path = FOLDER,
        notes: dict[str, Any] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if given < 1:
            raise ValueError(f"a micro-batch of {given} holds no sequence")
        self.given, self.device, self.model, self.folder = given, device, model, folder
        self._notes = {} if notes is None else notes
        self._clock = clock
        self._work: tuple[str, int] | None = None
        self._shared = False  # whether later jobs should know of what happens here
        self._set(given)

    @classmethod
    def for_model(
        cls, given: int, cuda: bool, manifest: Path, notes: dict[str, Any]
    ) -> MicroBatch:
        """Make that of a job which runs a model.

        Args:
            given: the resource.
            cuda: whether the job has GPUs.
            manifest: of the model, a file.
            notes: told the ``micro_batch`` last used.
        """
        device = None
        if cuda:
            from .gpus import Gpus

            device = Gpus()
        read = manifests.read_model(manifest, {})
        keys = ("model", "revision", "quantization")
        model = " ".join(str(read.get(key)) for key in keys)
        return cls(given, device, model, notes=notes)

    def _set(self, size: int) -> None:
        self.size = self._notes["micro_batch"] = size

    def settle(self, work: str, length: int, rows: int, trial: Trial) -> None:
        """Find the size for some work, once; on a CPU do nothing.

        A smaller micro-batch than the one that a finding began with is a retry, or
        somebody's wish; it is then used as it is.

        Args:
            work: kind of work, for example ``record``.
            length: tokens of the longest sequence.
            rows: sequences there are; no trial runs more.
            trial: runs so many sequences at least twice and returns the seconds that
                the whole work on them takes, as measured with the timer it is given,
                which waits for the GPU.
        """
        if self.device is None or self._work == (work, length) or rows <= self.given:
            return
        self._work = work, length
        self._set(self.given)
        found = self._recall()
        if found is not None and self.given < found["given"]:
            self._say(f"{self.given} as given, less than {found['given']} before")
            self._shared = False
            return
        self._shared = True
        if found is not None:
            self._set(found["micro_batch"])
            if found["ended"] != "rows" or 2 * self.size > rows:
                self._say(f"{self.size}, found by an earlier job")
                return
        self._search(rows, max(self.given, LARGEST_TOKENS // max(1, length)), trial)

    def _search(self, rows: int, limit: int, trial: Trial) -> None:
        ended = ""
        while (rate := self._rate(self.size, trial)) is None:
            self._halve(self.size)
            ended = "memory"
        while not ended:
            double = 2 * self.size
            if double > min(rows, limit):
                ended = "rows" if double > rows else "limit"
            elif (faster := self._rate(double, trial, FULL)) is None:
                ended = "memory"
            elif faster < GAIN * rate:
                ended = "speed"
            else:
                self._set(double)
                rate = faster
        self._say(f"{self.size}, {rate:,.1f} sequences/s (larger: {ended})")
        self._remember(ended)

    def _rate(self, rows: int, trial: Trial, full: float = 1.0) -> float | None:
        """Measure sequences per second; None where memory runs out."""
        assert self.device is not None
        self.device.free()
        self.device.reset_peak()
        seconds: list[float] = []
        if not self._fits(lambda: seconds.append(trial(rows, self._timed))):
            return None
        if full < 1 and self.device.peak() > full:
            return None
        return rows / max(seconds[0], 1e-9)

    def _timed(self, work: Callable[[], object]) -> float:
        assert self.device is not None
        self.device.wait()
        start = self._clock()
        work()
        self.device.wait()
        return self._clock() - start

    def each(self, rows: Sequence[T], work: Callable[[Sequence[T]], object]) -> None:
        """Do some work on all rows, a micro-batch at a time.

        Args:
            rows: anything that can be cut.
            work: must leave nothing behind where it fails: it is then called again
                with half of its rows, down to one.

        Raises:
            LangneuronsError: one row alone does not fit.
        """
        start = 0
        while start < len(rows):
            part = rows[start : start + self.size]
            if self._fits(work, part):
                start += len(part)
            else:
                self._halve(len(part))

    def whole(self, rows: int, work: Callable[[], T], least: int = 1) -> T:
        """Do all of some work, which reads ``size``; begin anew with half of it.

        For work that a failed forward pass would leave in the middle.

        Args:
            rows: sequences there are.
            work: returns the result.
            least: sequences that have to go through the model at once.

        Raises:
            LangneuronsError: so few do not fit.
        """
        done: list[T] = []
        while not self._fits(lambda: done.append(work())):
            self._halve(min(self.size, rows), least)
        return done[0]

    def _fits(self, work: Callable[..., object], *given: object) -> bool:
        from .gpus import out_of_memory

        try:
            work(*given)
            return True
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        # Only here: the error holds the tensors of what failed.
        if self.device is not None:
            self.device.free()
        return False

    def _halve(self, rows: int, least: int = 1) -> None:
        if rows <= least:
            where = "" if self.device is None else f" of {self.device.name}"
            what = "a single sequence does" if least == 1 else f"{least} sequences do"
            raise LangneuronsError(
                f"out of memory{where}: {what} not fit beside the model. Give the job "
                "more GPUs (profiles: set-resources, gpu) or larger ones, or "
                "shorten the sequences"
            )
        self._set(rows // 2)
        self._say(f"{self.size}, because memory ran out with {rows}")
        if self._shared:
            self._remember("memory")

    def _say(self, text: str) -> None:
        work = f" ({self._work[0]})" if self._work else ""
        print(f"micro-batch{work}: {text}", file=sys.stderr, flush=True)

    def _key(self) -> dict[str, Any]:
        assert self._work is not None and self.device is not None
        work, length = self._work
        key = {"model": self.model, "work": work, "length": length}
        return key | {"gpu": self.device.name, "gib": self.device.gib}

    def _path(self) -> Path:
        key = self._key()
        name = re.sub(r"[^a-zA-Z0-9]+", "-", "-".join(map(str, key.values())))
        # Names that differ in signs only must not share a file.
        digest = hashlib.sha256(files.canonical(key).encode()).hexdigest()[:8]
        return self.folder / f"{name[:120]}-{digest}.json"

    def _recall(self) -> dict[str, Any] | None:
        path = self._path()
        try:
            if not path.exists():
                return None
            found = files.read_json(path)
            sizes = [found["given"], found["micro_batch"]]
            if found["format"] != FORMAT or found["ended"] not in ENDS:
                raise ValueError("another format")
            if any(type(size) is not int or size < 1 for size in sizes):
                raise ValueError(f"sizes {sizes}")
        except (OSError, DataError, LookupError, TypeError, ValueError) as error:
            self._say(f"{path} is ignored ({error})")
            return None
        return dict(found)

    def _remember(self, ended: str) -> None:
        found = {"given": self.given, "micro_batch": self.size, "ended": ended}
        try:
            files.write_json(self._path(), {"format": FORMAT} | self._key() | found)
        except (OSError, DataError) as error:
            self._say(f"not kept for later jobs ({error})")


def of(micro_batch: int | MicroBatch) -> MicroBatch:
    """Take a number as that many sequences, on which no trials are made."""
    return MicroBatch(micro_batch) if isinstance(micro_batch, int) else micro_batch
