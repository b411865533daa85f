"""What a grid will cost: every job of ``snakemake all``, and an estimate for each.

Estimates come from ``rates``. Where jobs of the same rule and model have run
before, their benchmark files replace the rate: the estimates of the others are scaled
by measured over estimated seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from langneurons.config.schema import Config
from langneurons.costs import rates, spending

from .planned_jobs import Job, plan


@dataclass(frozen=True)
class Line:
    """The jobs of one rule: how many, and the sums over those still to do."""

    rule: str
    jobs: int
    to_do: int
    tokens: float
    hours: float
    gpu_hours: float
    gpus: int
    memory: int
    disk: float
    measured: int


def summary(jobs: list[Job], benchmarks: Path) -> list[Line]:
    """Sum jobs up, rule by rule in the order of a run, and in all.

    Args:
        jobs: of :func:`plan`.
        benchmarks: Snakemake's folder of benchmark files; may be absent.
    """
    times = {}
    for job in jobs:
        path = benchmarks / job.benchmark
        if path.is_file():
            times[job.benchmark] = spending.read(path)["s"]
    factor = {}
    for key in {(j.rule, j.model) for j in jobs if j.benchmark in times}:
        known = [j for j in jobs if (j.rule, j.model) == key and j.benchmark in times]
        factor[key] = sum(times[j.benchmark] for j in known) / sum(
            j.seconds for j in known
        )
    by_rule: dict[str, list[Job]] = {}
    for job in jobs:
        known_rate = factor.get((job.rule, job.model), 1.0)
        scaled = replace(job, seconds=job.seconds * known_rate)
        by_rule.setdefault(job.rule, []).append(scaled)
    lines = [_line(rule, found, times) for rule, found in by_rule.items()]
    return [*lines, _line("total", [j for f in by_rule.values() for j in f], times)]


def _line(rule: str, jobs: list[Job], times: dict[str, float]) -> Line:
    left = [job for job in jobs if job.to_do]
    return Line(
        rule=rule,
        jobs=len(jobs),
        to_do=len(left),
        tokens=sum(job.tokens for job in left),
        hours=sum(job.seconds for job in left) / 3600,
        gpu_hours=sum(job.seconds * job.gpus for job in left) / 3600,
        gpus=max((job.gpus for job in jobs), default=0),
        memory=max((job.memory for job in jobs), default=0),
        disk=sum(job.disk for job in left),
        measured=sum(job.benchmark in times for job in jobs),
    )


def text(config: Config, benchmarks: Path, gpu: str = "a100") -> str:
    """Lay out the plan of a configuration for a terminal, with its assumptions.

    Args:
        config: the configuration.
        benchmarks: see :func:`summary`.
        gpu: key of ``rates.FLOPS``.
    """
    lines = summary(plan(config, gpu), benchmarks)
    columns = (
        "rule", "jobs", "to do", "tokens", "hours", f"GPU h ({gpu})", "GPUs/job",
        "memory/job", "disk", "times from",
    )  # fmt: skip
    rows = [columns, *(_cells(line) for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    table = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    others = [
        f"{kind} {total:,.0f}"
        for kind in rates.FLOPS
        if kind not in ("cpu", gpu)
        and (total := summary(plan(config, kind), benchmarks)[-1].gpu_hours)
    ]
    also = [f"GPU hours on others: {', '.join(others)}."] if others else []
    return "\n".join([*table, "", *also, *_assumptions(gpu)])


def _cells(line: Line) -> tuple[str, ...]:
    measured = f"{line.measured} measured" if line.measured else "estimate"
    return (
        line.rule, f"{line.jobs:,}", f"{line.to_do:,}", _short(line.tokens),
        f"{line.hours:,.1f}", f"{line.gpu_hours:,.1f}", str(line.gpus or "-"),
        f"{line.memory / 1000:.0f} GB", _short(line.disk, "B"), measured,
    )  # fmt: skip


def _short(number: float, unit: str = "") -> str:
    """Write a number with a prefix: 1.2 G; ``-`` for none."""
    if number <= 0:
        return "-"
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f} {prefix}{unit}"
    return f"{number:.0f} {unit}".rstrip()


def _assumptions(gpu: str) -> list[str]:
    return [
        "Tokens, hours (job after job), GPU hours and disk are of jobs to do: those",
        "with a missing output. What an edit makes anew, only `snakemake -n` knows.",
        "Assumed, within a factor of two",
        "(workflow/scripts/langneurons/costs/rates.py):",
        f"  {rates.FORWARD} FLOP per parameter and token forward, three times that in "
        f"training; {rates.FLOPS[gpu]:.1e} FLOP/s on one {gpu},",
        f"  {rates.FLOPS['cpu']:.0e} on CPUs; GPUs that share a model take turns;",
        f"  {rates.START:.0f} s to start a job, weights and results at "
        f"{rates.READ / 1e6:.0f} MB/s, downloads at {rates.DOWNLOAD / 1e6:.0f} MB/s;",
        "  4-bit weights 0.6 bytes, others 2 or 4; 2,052 bytes per neuron and language,"
        " once a shard and once merged;",
        f"  generated answers have their full length, {rates.BATCH} side by side.",
        "Times of earlier runs (benchmarks/) replace these, rule by rule and model by "
        "model.",
    ]
