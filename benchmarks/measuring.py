"""Times and memory of variants that do the same work.

Time: the variants run in turn, round by round, in an order that moves on by one each
round, so that a machine that gets slower, or warmer, meets all of them alike. The first
round warms up and is dropped. A variant's ratio is its seconds over those of its
baseline in the same round; the median over rounds is reported with the smallest and
the largest, and ``judging`` says whether a target is kept. Garbage is collected before
each run. On a GPU the clock is read after
``torch.cuda.synchronize``; on a CPU the ratio of processor time is kept too, which
other work on the machine disturbs less.

Memory, on a CPU: each variant runs once in a fresh process, forked from a server that
has imported the libraries and computed nothing. What is reported is the largest
resident memory during the run (``VmHWM`` of Linux, reset after the variant was built)
minus that of the baseline's process. It holds what the variant keeps and what it needs
meanwhile. The C library is told to give freed memory back at once; a few MB remain
uncertain. On a GPU, before any is timed, each variant is built, run once and dropped;
its peak is ``torch.cuda.max_memory_allocated`` during that run.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from .judging import processor, verdict

Run = Callable[[], object]
_PRELOADED = ["benchmarks.suite", "transformers", "peft"]
MB, GB = 1e6, 1e9


# It says in every process which optional kernels it does not have.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

# Environment of child processes, for glibc: blocks of 64 KB and more are mapped, and
# unmapped when they are freed.
_EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


@dataclass(frozen=True)
class Setting:
    """Where a benchmark runs.

    Attributes:
        shape: a key of ``shapes.SHAPES``.
        dtype: of the weights: ``float32``, ``bfloat16`` or ``nf4``.
        device: ``cpu`` or ``cuda``.
        repeats: rounds that count.
    """

    shape: str
    dtype: str = "float32"
    device: str = "cpu"
    repeats: int = 5


@dataclass(frozen=True)
class Variant:
    """One way to do the work.

    Attributes:
        name: of the variant.
        make: builds what is needed and returns the function that is timed.
        amount: tokens or items in one run.
        unit: what is counted.
        baseline: name of the variant that it is compared with; None: it is one.
        target: largest ratio that is hoped for; None: it is only reported.
    """

    name: str
    make: Callable[[], Run]
    amount: int
    unit: str
    baseline: str | None
    target: float | None = None


Variants = Callable[[Setting], Sequence[Variant]]


@dataclass(frozen=True)
class Row:
    """One line of the table; what does not apply is None.

    Attributes:
        benchmark: name of the benchmark.
        shape: key of ``shapes.SHAPES``.
        variant: what was measured.
        baseline: what ``ratio`` compares with; a baseline names itself.
        seconds: median of one run; absolute, so not to be compared across machines.
        ratio: median over rounds of seconds over those of the baseline.
        ratio_min: smallest of the rounds.
        ratio_max: largest of the rounds.
        cpu_ratio: the same median of processor time (user and system); CPU only.
        repeats: rounds.
        amount: tokens or items in a run.
        unit: which of them.
        per_second: amount / seconds.
        extra_mb: peak memory above the baseline's, 10^6 bytes.
        measure: what ``value`` is, where the row is not about a ratio.
        value: in the unit that ``measure`` names.
        target: largest ratio, or value, that is hoped for.
        held: rounds within it.
        holds: whether it is kept: ``yes``, ``no`` or ``open``.
        device: ``cpu``, or the GPU's name.
        processor: see ``judging.processor``.
        torch: version.
        threads: of torch.
        dtype: of the weights or numbers.
    """

    benchmark: str
    shape: str
    variant: str
    baseline: str | None = None
    seconds: float | None = None
    ratio: float | None = None
    ratio_min: float | None = None
    ratio_max: float | None = None
    cpu_ratio: float | None = None
    repeats: int | None = None
    amount: int | None = None
    unit: str | None = None
    per_second: float | None = None
    extra_mb: float | None = None
    measure: str | None = None
    value: float | None = None
    target: float | None = None
    held: int | None = None
    holds: str | None = None
    device: str = ""
    processor: str = ""
    torch: str = ""
    threads: int = 0
    dtype: str = ""


COLUMNS = tuple(field.name for field in fields(Row))


def row(
    benchmark: str,
    setting: Setting,
    variant: str,
    **values: Any,
) -> Row:
    """Make a row; whether its target is kept follows from rounds, or the value.

    Args:
        benchmark: its name.
        setting: where it ran.
        variant: what was measured.
        values: of the fields of ``Row``; as ``rounds``, the ratio of each round.
    """
    rounds, target = values.pop("rounds", ()), values.get("target")
    reached = rounds or [values.get("ratio", values.get("value"))]
    on_gpu = setting.device == "cuda"
    return Row(
        benchmark,
        setting.shape,
        variant,
        held=sum(one <= target for one in rounds) if rounds and target else None,
        holds=None if target is None else verdict(reached, target),
        device=torch.cuda.get_device_name() if on_gpu else "cpu",
        processor=processor(),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        **{"dtype": setting.dtype} | values,
    )


def compare(benchmark: str, variants: Variants, setting: Setting) -> list[Row]:
    """Measure the variants of a benchmark against their baselines.

    Rounds go to what must be known well: a variant without a target, unless one with a
    target is compared with it, is timed in the first half of them.

    Args:
        benchmark: its name.
        variants: a function at the top of a module, which child processes import; it
            builds a model only when a variant's ``make`` is called.
        setting: shape, device and repeats.

    Returns:
        A row for each variant, in their order.
    """
    listed = variants(setting)
    # First, while this process holds no model.
    if setting.device == "cpu":
        peaks = {v.name: peak_of(_run_one, variants, setting, v.name) for v in listed}
    else:
        peaks = {v.name: _peak_on_gpu(v) for v in listed}
    runs = {v.name: v.make() for v in listed}
    names = list(runs)
    aimed = {n for v in listed if v.target is not None for n in (v.name, v.baseline)}
    spent: dict[str, list[Spent]] = {name: [] for name in names}
    for number in range(setting.repeats + 1):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            if 2 * number > setting.repeats + 1 and name not in aimed:
                continue
            one = timed(runs[name], setting.device)
            if number:
                spent[name].append(one)
    found = []
    for v in listed:
        base = v.baseline or v.name
        own_rounds = spent[v.name]
        pairs = list(zip(own_rounds, spent[base][: len(own_rounds)], strict=True))
        ratios = [own.seconds / other.seconds for own, other in pairs]
        cpu = None
        if setting.device == "cpu":
            cpu = statistics.median(own.cpu / other.cpu for own, other in pairs)
        middle = statistics.median(one.seconds for one in spent[v.name])
        peak, peak_of_base = peaks.get(v.name), peaks.get(base)
        extra = None
        if peak is not None and peak_of_base is not None:
            extra = (peak - peak_of_base) / MB
        found.append(
            row(
                benchmark,
                setting,
                v.name,
                baseline=base,
                seconds=middle,
                rounds=ratios,
                ratio=statistics.median(ratios),
                ratio_min=min(ratios),
                ratio_max=max(ratios),
                cpu_ratio=cpu,
                repeats=len(pairs),
                amount=v.amount,
                unit=v.unit,
                per_second=v.amount / middle,
                extra_mb=extra,
                target=v.target,
            )
        )
    return found


@dataclass(frozen=True)
class Spent:
    """What one run took: seconds, and seconds of processor time."""

    seconds: float
    cpu: float


def timed(run: Run, device: str = "cpu") -> Spent:
    """Run once."""
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
    with silence():
        start, cpu = time.perf_counter(), time.process_time()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return Spent(seconds, cpu)


def silence() -> contextlib.redirect_stderr[io.StringIO]:
    """Keep the library's progress lines off the terminal."""
    return contextlib.redirect_stderr(io.StringIO())


def peak_of(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a fresh process, with as many threads as this one has.

    Args:
        function: at the top of a module; what it returns comes back.
        args: picklable.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    os.environ |= _EXACT  # read by the server when it starts, and by nothing else
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(
            _with_threads, torch.get_num_threads(), function, args
        ).result()


def _with_threads(threads: int, function: Callable[..., Any], args: Any) -> Any:
    torch.set_num_threads(threads)
    return function(*args)


def _peak_on_gpu(variant: Variant) -> float:
    """Return the bytes allocated at most while a variant, built for it, runs once."""
    gc.collect()  # of the variant before, tensors too
    torch.cuda.empty_cache()
    with silence():
        run = variant.make()
        torch.cuda.reset_peak_memory_stats()
        run()
        torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated())


def _run_one(variants: Variants, setting: Setting, name: str) -> float | None:
    variant = next(v for v in variants(setting) if v.name == name)
    with silence():
        run = variant.make()
        forget_high_water()
        run()
    return high_water()


def forget_high_water() -> None:
    """Let :func:`high_water` start from what is resident now, where Linux allows it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def high_water() -> float | None:
    """Return this process's largest resident memory so far in bytes; None: unknown."""
    return _status("VmHWM")


def resident() -> float | None:
    """Return this process's resident memory in bytes; None where there is no /proc."""
    return _status("VmRSS")


def _status(key: str) -> float | None:
    path = Path("/proc/self/status")
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024.0
    return None
