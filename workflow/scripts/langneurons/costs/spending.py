"""What the study cost: Snakemake's benchmark files, summed up stage by stage.

A benchmark file lies where its output lies, below another folder:
``benchmarks/results/activations/...``, or with a study's own results
``benchmarks/results/demo/evaluations/...``. Its stage is the part after ``results``, or
after the study. Only the last run of each job is on record; what other studies ran for
themselves is not counted.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from langneurons.config.catalogue import Model
from langneurons.config.errors import DataError, LangneuronsError
from langneurons.config.schema import OF_STUDY, SHARED, Config
from langneurons.jobs import files

from . import rates
from .job_estimates import JobEstimates
from .requests import Requests

STAGES = {
    "text": "fetch text",
    "demo_world": "make the demo world",
    "models": "fetch, pretrain and quantise models",
    "tokens": "tokenise corpora",
    "tasks": "prepare tasks",
    "activations": "record activations",
    "neurons": "identify neurons",
    "directions": "find directions",
    "dictionaries": "prepare dictionaries",
    "probes": "ask and record probes",
    "similarities": "compare languages",
    "alignment": "align languages",
    "adapters": "fine-tune",
    "evaluations": "evaluate on tasks",
    "perplexity": "measure perplexity",
    "tables": "build tables",
    "figures": "draw figures",
}
COLUMNS = (
    "stage", "jobs", "estimated_hours", "wall_hours", "cpu_hours", "gpu_hours",
    "peak_memory_mb",
)  # fmt: skip
"""Of results/tables/cost.tsv."""
# Where the model is in the path of a stage whose jobs ask for GPUs (after the stage).
MODEL_AT = {
    "activations": 1, "adapters": 1, "evaluations": 1, "perplexity": 1, "models": 0,
    "probes": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Sum over the jobs of one stage.

    Attributes:
        stage: folder below results/, or ``total``.
        what: what its jobs do.
        jobs: number of benchmark files.
        estimated: hours that these jobs were expected to take, job after job, on the
            GPU that ``estimates`` name; NaN where one is not of the configuration.
        wall: hours, job after job.
        cpu: hours of processor time; Snakemake measures none for jobs under a second.
        gpu: wall hours times GPUs of the job's model; NaN where a model is not in the
            configuration.
        memory: largest resident memory of a job, MB; NaN if never measured.
    """

    stage: str
    what: str
    jobs: int
    estimated: float
    wall: float
    cpu: float
    gpu: float
    memory: float


def gpus_of(config: Mapping[str, Any]) -> Callable[[str], float]:
    """Return a function from a model's name to the GPUs that its jobs ask for.

    Args:
        config: the merged configuration; only ``models`` is read.
    """
    entries = config.get("models") or {}
    models = {name: Model.model_validate(entry) for name, entry in entries.items()}
    # Only the models are needed; other blocks may be absent or of another version.
    given: dict[str, Any] = {"models": models}
    requests = Requests(Config.model_construct(**given))

    def gpus(model: str) -> float:
        return float(requests.gpu_of(model)) if model in models else math.nan

    return gpus


def estimated(config: Config, patterns: Mapping[str, str]) -> Callable[[Path], float]:
    """Return a function from a benchmark file to the seconds its job should take.

    Args:
        config: the checked configuration.
        patterns: of the benchmark files of rules, by the rule's name, with wildcards
            in braces. A file that fits none is of a rule whose jobs take seconds.
    """
    estimates = JobEstimates(config)
    known = [
        (rule, _regex(patterns[rule])) for rule in estimates.rules if rule in patterns
    ]

    def seconds(path: Path) -> float:
        for rule, regex in known:
            if match := regex.fullmatch(path.as_posix()):
                wildcards = SimpleNamespace(**match.groupdict())
                try:
                    return estimates.job(rule, wildcards).seconds
                except (LangneuronsError, LookupError):
                    return math.nan  # of a grid that is no longer asked for
        return rates.SMALL_JOB

    return seconds


def _regex(pattern: str) -> re.Pattern[str]:
    """Turn a pattern of files into an expression with a group per wildcard."""
    parts = re.split(r"\{(\w+)\}", pattern)
    names = [f"(?P<{name}>[^/]+)" for name in parts[1::2]]
    fixed = [re.escape(text) for text in parts[::2]]
    return re.compile(
        fixed[0] + "".join(map("".join, zip(names, fixed[1:], strict=True)))
    )


def unknown(path: Path) -> float:
    """Say that nobody knows what a job should have taken."""
    return math.nan


def sum_up(
    folder: Path,
    gpus: Callable[[str], float],
    study: str | None = None,
    expected: Callable[[Path], float] = unknown,
) -> list[Cost]:
    """Sum up the benchmark files below a folder.

    Args:
        folder: ``benchmarks``; may be absent.
        gpus: GPUs of a model's jobs, NaN if unknown.
        study: whose own results are counted with those that all share; None: those
            without a study.
        expected: seconds that the job of a file should take, NaN if unknown.

    Returns:
        One entry a stage, in the order of a run, and the total; empty without files.

    Raises:
        DataError: a file is no benchmark of Snakemake.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).parts
        found_in = _stage(parts[1:], study)
        if found_in is None:
            continue
        stage, rest = found_in
        line = read(path)
        line["gpu"] = line["s"] * _gpus(stage, rest, gpus)
        line["estimated"] = expected(path)
        found.setdefault(stage, []).append(line)
    order = {stage: i for i, stage in enumerate(STAGES)}
    stages = sorted(found, key=lambda s: (order.get(s, len(order)), s))
    costs = [_total(s, STAGES.get(s, s), found[s]) for s in stages]
    if costs:
        costs.append(_total("total", "", [x for s in stages for x in found[s]]))
    return costs


def _stage(
    parts: tuple[str, ...], study: str | None
) -> tuple[str, tuple[str, ...]] | None:
    """Tell the stage of a file by its place in ``results``, and its place in it.

    Returns:
        None for what is of another study.
    """
    if not parts:
        return None
    if study is not None and parts[0] == study:
        parts, own = parts[1:], True
    else:
        own = study is None
    if len(parts) == 1:  # the report; a file's own name is no stage
        return ("other", ()) if own else None
    stage = parts[0]
    if stage in SHARED or (own and stage in OF_STUDY):
        return stage, parts[1:]
    return None


def _gpus(stage: str, rest: tuple[str, ...], gpus: Callable[[str], float]) -> float:
    """Return the GPUs that a job of the workflow asks for (its rule's ``gpu``)."""
    at = MODEL_AT.get(stage)
    if at is None or len(rest) <= at:
        return 0.0
    if stage == "activations" and not rest[-1].startswith("shard-"):
        return 0.0  # shards are merged without the model
    if stage == "models" and rest[-1] != "nf4.tsv":
        return 0.0  # fetching, and pretraining of tiny models
    return gpus(rest[at])


def read(path: Path) -> dict[str, float]:
    """Read a benchmark file of Snakemake; with repeats, their sum and largest memory.

    Returns:
        ``s`` and ``cpu`` seconds, and ``memory`` in MB (NaN if it was not measured).

    Raises:
        DataError: it is no such file.
    """
    # Not with pandas: a grid has ten thousand of them.
    try:
        text = io.StringIO(files.read_text(path), newline="")
        rows = list(csv.DictReader(text, delimiter="\t"))
        seconds = sum(float(row["s"]) for row in rows)
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path}: not a benchmark file of Snakemake ({error}); delete it"
        ) from error
    if not rows:
        raise DataError(f"{path}: not a benchmark file of Snakemake; delete it")
    cpu = [x for row in rows if not math.isnan(x := _number(row.get("cpu_time")))]
    memory = [x for row in rows if not math.isnan(x := _number(row.get("max_rss")))]
    return {"s": seconds, "cpu": sum(cpu), "memory": max(memory, default=math.nan)}


def _number(text: str | None) -> float:
    """Read a number; Snakemake writes - or NA where it has none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def table(spent: Sequence[Cost]) -> str:
    """Lay out costs as tab-separated text: stage, jobs, hours, peak memory.

    Unknown numbers are empty. Hours are those expected, wall hours job after job, hours
    of processor time, and wall hours times GPUs; memory is in MB.
    """
    header = list(COLUMNS)
    lines = [header]
    for cost in spent:
        hours = [_text(x, 4) for x in (cost.estimated, cost.wall, cost.cpu, cost.gpu)]
        lines.append([cost.stage, str(cost.jobs), *hours, _text(cost.memory, 0)])
    return "".join("\t".join(line) + "\n" for line in lines)


def _text(number: float, digits: int) -> str:
    return "" if math.isnan(number) else f"{number:.{digits}f}"


def _total(stage: str, what: str, lines: list[dict[str, float]]) -> Cost:
    memory = [x["memory"] for x in lines if not math.isnan(x["memory"])]
    return Cost(
        stage=stage,
        what=what,
        jobs=len(lines),
        estimated=sum(x["estimated"] for x in lines) / 3600,
        wall=sum(x["s"] for x in lines) / 3600,
        cpu=sum(x["cpu"] for x in lines) / 3600,
        gpu=sum(x["gpu"] for x in lines) / 3600,
        memory=max(memory, default=math.nan),
    )
