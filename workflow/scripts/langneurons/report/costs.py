"""What the study cost: Snakemake's benchmark files, summed up stage by stage.

A benchmark file lies where its output lies, below another folder:
``benchmarks/results/evaluations/...``. Its stage is the part after ``results``. Only
the last run of each job is on record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..catalogue import Model
from ..config import Config
from ..errors import DataError
from ..resources import Requests

STAGES = {
    "text": "fetch text",
    "demo_world": "make the demo world",
    "models": "fetch, pretrain and quantise models",
    "tokens": "tokenise corpora",
    "tasks": "prepare tasks",
    "activations": "record activations",
    "neurons": "identify neurons",
    "adapters": "fine-tune",
    "evaluations": "evaluate on tasks",
    "perplexity": "measure perplexity",
    "tables": "build tables",
    "figures": "draw figures",
}
# Where the model is in the path of a stage whose jobs ask for GPUs (after the stage).
MODEL_AT = {
    "activations": 1, "adapters": 1, "evaluations": 1, "perplexity": 1, "models": 0
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Sum over the jobs of one stage.

    Attributes:
        stage: folder below results/, or ``total``.
        what: what its jobs do.
        jobs: number of benchmark files.
        wall: hours, job after job.
        cpu: hours of processor time; Snakemake measures none for jobs under a second.
        gpu: wall hours times GPUs of the job's model; NaN where a model is not in the
            configuration.
        memory: largest resident memory of a job, MB; NaN if never measured.
    """

    stage: str
    what: str
    jobs: int
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


def sum_up(folder: Path, gpus: Callable[[str], float]) -> list[Cost]:
    """Sum up the benchmark files below a folder.

    Args:
        folder: ``benchmarks``; may be absent.
        gpus: GPUs of a model's jobs, NaN if unknown.

    Returns:
        One entry a stage, in the order of a run, and the total; empty without files.

    Raises:
        DataError: a file is no benchmark of Snakemake.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).parts
        if len(parts) < 2:
            continue
        # benchmarks/results/<stage>/...; the file's own name is no stage
        stage = parts[1] if len(parts) > 2 else "other"
        line = _read(path)
        line["gpu"] = line["s"] * _gpus(stage, parts[2:], gpus)
        found.setdefault(stage, []).append(line)
    order = {stage: i for i, stage in enumerate(STAGES)}
    stages = sorted(found, key=lambda s: (order.get(s, len(order)), s))
    costs = [_total(s, STAGES.get(s, s), found[s]) for s in stages]
    if costs:
        costs.append(_total("total", "", [x for s in stages for x in found[s]]))
    return costs


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


def _read(path: Path) -> dict[str, float]:
    """Read a benchmark; with repeats, their sum and the largest memory."""
    try:
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        seconds = table["s"].astype(float)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"{path}: not a benchmark file of Snakemake ({error}); delete it"
        ) from error
    numbers = {"s": float(seconds.sum()), "cpu": 0.0, "memory": math.nan}
    if "cpu_time" in table:
        numbers["cpu"] = float(pd.to_numeric(table["cpu_time"], "coerce").sum())
    if "max_rss" in table:
        numbers["memory"] = float(pd.to_numeric(table["max_rss"], "coerce").max())
    return numbers


def _total(stage: str, what: str, lines: list[dict[str, float]]) -> Cost:
    memory = [x["memory"] for x in lines if not math.isnan(x["memory"])]
    return Cost(
        stage=stage,
        what=what,
        jobs=len(lines),
        wall=sum(x["s"] for x in lines) / 3600,
        cpu=sum(x["cpu"] for x in lines) / 3600,
        gpu=sum(x["gpu"] for x in lines) / 3600,
        memory=max(memory, default=math.nan),
    )
