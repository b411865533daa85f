"""What a configuration will cost and has cost: the jobs that Snakemake plans.

Estimates come from ``costs``. Where jobs of the same rule and model have run before,
their benchmark files replace the rate: the estimates of the others are scaled by
measured over estimated seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from langneurons.costs import rates, spending
from langneurons.costs.estimates import Work
from langneurons.costs.job_estimates import JobEstimates
from langneurons.jobs import planned
from langneurons.jobs.planned import Job

from .configuration import load

DEFAULT_MEMORY = 4000
"""MB, of rules that ask for none (profiles/slurm)."""


@dataclass(frozen=True)
class Plan:
    """The jobs of a run.

    Attributes:
        jobs: all of them, whether there are results or not, in Snakemake's order.
        to_do: outputs of those that a run would start now.
    """

    jobs: Sequence[Job]
    to_do: frozenset[str]

    @classmethod
    def of(cls, snakefile: Path, config: Mapping[str, Any]) -> Plan:
        """Ask Snakemake: once as if nothing were there, and once as things are.

        Raises:
            ConfigError: it does not plan.
        """
        jobs = planned.dry_run(snakefile, config, "--forceall")
        left = planned.dry_run(snakefile, config)
        return cls(
            [job for job in jobs if job.outputs],
            frozenset(path for job in left for path in job.outputs),
        )


@dataclass(frozen=True)
class Line:
    """The jobs of one rule.

    Attributes:
        rule: its name, or ``total``.
        jobs: how many there are in all.
        to_do: how many a run would start now.
        tokens: that pass through a model or tokenizer in these.
        hours: that these take, job after job.
        gpu_hours: the same times the GPUs that each asks for.
        spent: hours that jobs of the rule have taken.
        gpu_spent: the same times their GPUs.
        gpus: that a job asks for at most.
        memory: MB that a job asks for at most.
        disk: bytes that the jobs to do leave behind.
        measured: jobs whose time is known.
    """

    rule: str
    jobs: int
    to_do: int
    tokens: float
    hours: float
    gpu_hours: float
    spent: float
    gpu_spent: float
    gpus: int
    memory: int
    disk: float
    measured: int


@dataclass(frozen=True)
class _Estimated:
    """A job with its estimate, scaled by what others of its rule and model took."""

    job: Job
    work: Work
    to_do: bool
    spent: float | None


def summary(plan: Plan, estimates: JobEstimates, folder: Path = Path()) -> list[Line]:
    """Sum jobs up, rule by rule in about the order of a run, and in all.

    Args:
        plan: the jobs.
        estimates: of the same configuration.
        folder: where the benchmark files that the jobs name lie.
    """
    found = _estimated(plan, estimates, folder)
    order = {rule: i for i, rule in enumerate(estimates.rules)}
    by_rule: dict[str, list[_Estimated]] = {}
    for one in sorted(found, key=lambda x: order.get(x.job.rule, len(order))):
        by_rule.setdefault(one.job.rule, []).append(one)
    lines = [_line(rule, each) for rule, each in by_rule.items()]
    return [*lines, _line("total", found)]


def _estimated(plan: Plan, estimates: JobEstimates, folder: Path) -> list[_Estimated]:
    works = [
        estimates.job(job.rule, SimpleNamespace(**job.wildcards)) for job in plan.jobs
    ]
    spent: list[float | None] = []
    for job in plan.jobs:
        path = folder / job.benchmark
        there = bool(job.benchmark) and path.is_file()
        spent.append(spending.read(path)["s"] if there else None)
    known: dict[tuple[str, str], list[float]] = {}
    for job, work, seconds in zip(plan.jobs, works, spent, strict=True):
        if seconds is not None:
            sums = known.setdefault((job.rule, job.model), [0.0, 0.0])
            sums[0] += seconds
            sums[1] += work.seconds
    factor = {key: taken / estimate for key, (taken, estimate) in known.items()}
    return [
        _Estimated(
            job,
            Work(
                work.seconds * factor.get((job.rule, job.model), 1.0),
                work.tokens,
                work.disk,
            ),
            to_do=bool(plan.to_do & set(job.outputs)),
            spent=seconds,
        )
        for job, work, seconds in zip(plan.jobs, works, spent, strict=True)
    ]


def _line(rule: str, found: Sequence[_Estimated]) -> Line:
    left = [one for one in found if one.to_do]
    done = [(one.spent, one.job.gpus) for one in found if one.spent is not None]
    return Line(
        rule=rule,
        jobs=len(found),
        to_do=len(left),
        tokens=sum(one.work.tokens for one in left),
        hours=sum(one.work.seconds for one in left) / 3600,
        gpu_hours=sum(one.work.seconds * one.job.gpus for one in left) / 3600,
        spent=sum(seconds for seconds, _ in done) / 3600,
        gpu_spent=sum(seconds * gpus for seconds, gpus in done) / 3600,
        gpus=max((one.job.gpus for one in found), default=0),
        memory=max((one.job.memory or DEFAULT_MEMORY for one in found), default=0),
        disk=sum(one.work.disk for one in left),
        measured=len(done),
    )


def text(snakefile: Path, config: Mapping[str, Any], gpu: str = "a100") -> str:
    """Lay out the plan of a configuration for a terminal, with its assumptions.

    Args:
        snakefile: of the workflow.
        config: the merged configuration.
        gpu: key of ``rates.FLOPS``.

    Raises:
        ConfigError: Snakemake does not plan.
    """
    plan, checked = Plan.of(snakefile, config), load(config)
    lines = summary(plan, JobEstimates(checked, gpu))
    columns = (
        "rule", "jobs", "to do", "tokens", "hours", f"GPU h ({gpu})", "spent h",
        "spent GPU h", "GPUs/job", "memory/job", "disk", "times from",
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
        and (total := summary(plan, JobEstimates(checked, kind))[-1].gpu_hours)
    ]
    also = [f"GPU hours on others: {', '.join(others)}."] if others else []
    return "\n".join([*table, "", *also, *_assumptions(gpu)])


def _cells(line: Line) -> tuple[str, ...]:
    measured = f"{line.measured} measured" if line.measured else "estimate"
    return (
        line.rule, f"{line.jobs:,}", f"{line.to_do:,}", _short(line.tokens),
        f"{line.hours:,.1f}", f"{line.gpu_hours:,.1f}", _hours(line.spent),
        _hours(line.gpu_spent), str(line.gpus or "-"),
        f"{line.memory / 1000:.0f} GB", _short(line.disk, "B"), measured,
    )  # fmt: skip


def _hours(number: float) -> str:
    return f"{number:,.1f}" if number else "-"


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
        "Jobs are those that Snakemake plans; to do: that it would start now. Tokens,",
        "hours (job after job), GPU hours and disk are of these. Spent: what jobs have",
        "taken.",
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
