"""The plan before a run: estimates worked out by hand, and what sums make of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import dry_runs
from configurations import amplified, merge, paper, read
from langneurons.config.catalogue import Activations, Model
from langneurons.config.errors import ConfigError
from langneurons.config.schema import Config
from langneurons.config.task_entries import Training, Tuning
from langneurons.costs import rates, spending
from langneurons.costs.estimates import Work
from langneurons.costs.job_estimates import JobEstimates
from langneurons.costs.parts import Part, Parts
from langneurons.costs.rates import statistics_bytes
from langneurons.costs.requests import SHORTEST, Requests
from langneurons.jobs.planned import Job
from langneurons.study import cost_plan
from langneurons.study.configuration import load
from langneurons.study.cost_plan import Line, Plan
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs
from test_layout import all_rules

ROOT = Path(__file__).parents[2]
BIG = {
    "family": "llama",
    "hub": {"repo": "owner/llama-70b", "revision": "0" * 40},
    "parameters": 70.6e9,
}


@pytest.fixture(scope="module")
def config() -> Config:
    return load(paper())


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    """All jobs of the paper's grid."""
    return dry_runs.jobs(paper())


def with_big(**changes: Any) -> dict[str, Any]:
    """The paper's grid on a model of 70 B parameters alone, in jobs of six hours."""
    raw = paper(models={"big": BIG | changes}, job_hours=6)
    for axes in raw["experiments"].values():
        axes["models"] = ["big"]
    return raw


def first(jobs: Sequence[Job], rule: str, model: str, task: str = "xnli") -> Job:
    """Find a job; of jobs on tasks, one on this task."""
    return next(
        job
        for job in jobs
        if (job.rule, job.model) == (rule, model)
        and job.wildcards.get("task", task) == task
    )


def estimate(config: Config, job: Job) -> Work:
    """Estimate a job."""
    return JobEstimates(config).job(job.rule, SimpleNamespace(**job.wildcards))


def test_measuring_by_hand(config: Config, jobs: list[Job]) -> None:
    job = first(jobs, "measure_activations", "llama31")
    llama = estimate(config, job)
    # A shard has 20 M tokens: 2 x 8.03e9 x 2e7 = 3.212e17 FLOP at 1.2e14 a second;
    # 1.05 + 0.25 / 16 of it with recording;
    # 20 s to start, 0.6 x 8.03e9 bytes at 0.5 GB/s.
    assert llama.tokens == 20e6
    assert llama.seconds == pytest.approx(1.065625 * 2676.7 + 20 + 9.6, abs=0.1)
    assert job.gpus == 1
    nemo = estimate(config, first(jobs, "measure_activations", "nemo"))
    assert nemo.seconds == pytest.approx(1.065625 * 4066.7 + 20 + 14.6, abs=0.1)


def test_training_by_hand(config: Config, jobs: list[Job]) -> None:
    work = estimate(config, first(jobs, "tune_model", "llama31"))
    # A quarter of 392,702 items, once, 40 tokens; 6 FLOP a parameter and token.
    assert work.tokens == 98_176 * 40
    assert work.seconds == pytest.approx(3153.4 / 2 + 29.6, abs=1)


def test_evaluation_by_hand(config: Config, jobs: list[Job]) -> None:
    found = [job for job in jobs if job.wildcards.get("tuning") == "attention"]
    xnli = estimate(config, first(found, "evaluate_task", "llama31"))
    n = 1 + 2 * 11 + 2 * 5 * 4  # two selections, five random draws for each
    assert xnli.tokens == n * 5_010 * 65
    assert xnli.seconds == pytest.approx(29.6 + n * 43.58, rel=0.01)
    # 238 items: 15 batches of 16, 100 tokens each, 40 ms a token.
    one = 2 * 8.03e9 * 238 * 400 / 1.2e14 + 15 * 100 * 0.04015
    xquad = estimate(config, first(found, "evaluate_task", "llama31", "xquad"))
    assert xquad.seconds == pytest.approx(29.6 + n * one, rel=0.01)


def test_fetching_tokenising_and_merging_by_hand(
    config: Config, jobs: list[Job]
) -> None:
    # 16-bit weights of 8.03e9 parameters.
    fetched = estimate(config, first(jobs, "fetch_model", "llama31"))
    assert fetched.disk == 2 * 8.03e9
    assert fetched.seconds == rates.SMALL_JOB + 2 * 8.03e9 / rates.DOWNLOAD
    # 100 M tokens of 4 bytes.
    tokens = estimate(config, first(jobs, "tokenise_corpus", "nemo"))
    assert (tokens.tokens, tokens.disk) == (100e6, 400e6)
    # Five shards are read, and one file of their size is written.
    shard = estimate(config, first(jobs, "measure_activations", "nemo")).disk
    merged = estimate(config, first(jobs, "merge_activations", "nemo"))
    assert merged.disk == shard
    assert merged.seconds == rates.SMALL_JOB + 6 * shard / rates.READ


def test_estimates_know_the_rules_of_the_workflow(
    config: Config, jobs: list[Job]
) -> None:
    known = JobEstimates(config).rules
    rules = {rule.name: rule.text for rule in all_rules()}
    assert [name for name in known if name not in rules] == []
    demo = dry_runs.jobs(merge(paper(), read("demo.yaml")))
    found = [*jobs, *dry_runs.jobs(amplified()), *demo]
    assert {job.rule for job in found if job.gpus} <= set(known)
    # Others that are about a model run beside Snakemake, as they take seconds.
    about_models = {job.rule for job in found if job.model}
    unknown = about_models - set(known)
    assert unknown and all("localrule: True" in rules[name] for name in unknown)
    assert about_models - unknown == set(known) - {"fetch_text"}


def test_the_job_that_asks_snakemake_has_it() -> None:
    """With ``--sdm conda`` it runs in an environment of its own."""
    (text,) = (rule.text for rule in all_rules() if rule.name == "plan_costs")
    (name,) = re.findall(r'"../../envs/(\w+\.yaml)"', text)
    needed = yaml.safe_load((ROOT / "envs" / name).read_text())["dependencies"]
    assert {"snakemake-minimal", "pydantic"} <= {entry.split()[0] for entry in needed}


@pytest.mark.parametrize(
    ("parameters", "layers", "width"),
    [(8.03e9, 32, 14336), (12.2e9, 40, 14336), (70.6e9, 80, 28672)],
)
def test_size_of_activations(parameters: float, layers: int, width: int) -> None:
    exact = layers * width * (481 * 4 + 8 + 2 * (3 * 8 + 2 * 4) + 7 * 8)
    assert statistics_bytes(parameters) == pytest.approx(exact, rel=0.15)
    model = Model.model_validate(BIG | {"parameters": parameters})
    known = rates.activation_bytes(model, Activations(), layers * width)
    assert known == exact


def test_size_of_adapters() -> None:
    attention = Tuning(kind="attention")
    llama = Model.model_validate(BIG | {"parameters": 8.03e9})
    # Rank 8 on q and o (4096 + 4096), k and v (4096 + 1024), 32 layers, float32.
    exact = 4 * 32 * 8 * (2 * 8192 + 2 * 5120)
    found = rates.adapter_bytes(llama, Training(rank=8), attention)
    assert found == pytest.approx(exact, rel=0.15)
    nemo = Model.model_validate(BIG | {"parameters": 12.2e9})
    exact = 4 * 40 * 64 * (2 * 9216 + 2 * 6144)
    found = rates.adapter_bytes(nemo, Training(rank=64), attention)
    assert found == pytest.approx(exact, rel=0.15)


def test_a_70b_model_gets_several_gpus() -> None:
    config, jobs = load(with_big()), dry_runs.jobs(with_big())
    job = first(jobs, "evaluate_task", "big")
    assert job.gpus == 2  # 42 GB of 4-bit weights, and as much work space
    assert first(jobs, "quantise_model", "big").gpus == 2
    assert first(jobs, "merge_activations", "big").gpus == 0
    assert 150_000 < job.memory < 200_000  # all 16-bit weights once
    requests, wildcards = Requests(config), SimpleNamespace(model="big")
    assert requests.memory(wildcards, 3) == 2 * requests.memory(wildcards, 1)
    # The profile's template ends at 2,880 minutes and 500 GB.
    for attempt in (1, 2, 3):
        assert all(asked(requests, job, attempt) < 2880 for job in jobs)
        assert requests.measuring_memory(wildcards, attempt) < 500_000
    assert requests.statistics_memory(wildcards, 1) < 40_000


def asked(requests: Requests, job: Job, attempt: int = 1) -> int:
    """Return the minutes that a job asks for."""
    asks = {
        "evaluate_task": requests.runtime,
        "measure_perplexity": requests.runtime,
        "measure_activations": requests.measuring_runtime,
        "tune_model": requests.training_runtime,
        "quantise_model": requests.building_runtime,
    }
    if job.rule not in asks:
        return 60  # a constant in its rule, or the profile's
    return asks[job.rule](SimpleNamespace(**job.wildcards), attempt)


def test_jobs_ask_for_two_to_three_times_what_they_will_take(
    config: Config, jobs: list[Job]
) -> None:
    requests, estimated = Requests(config), 0
    for job in jobs:
        if not job.gpus:
            continue
        minutes, seconds = asked(requests, job), estimate(config, job).seconds
        assert minutes >= max(SHORTEST, 2 * seconds / 60), job
        assert minutes <= max(SHORTEST, 3 * seconds / 60), job
        assert asked(requests, job, 2) == 2 * minutes
        estimated += minutes > SHORTEST
    assert estimated > 300


def wildcards_of(part: Part) -> SimpleNamespace:
    """Name the job of a part as Snakemake does."""
    axes = {name: str(value) for name, value in vars(part.subject).items()}
    return SimpleNamespace(**axes, part=str(part.number), parts=str(part.parts))


@pytest.mark.parametrize("gpu", ["a100", "h100"])
def test_hours_of_a_job_make_its_parts_wherever_it_runs(gpu: str) -> None:
    config = load(paper(job_hours=0.1))
    estimates, usual = JobEstimates(config, gpu), Parts(config).evaluations
    assert estimates.parts.evaluations == usual
    assert len(usual) > 2 * 156
    works = [estimates.job("evaluate_task", wildcards_of(part)) for part in usual]
    assert 180 < max(work.seconds for work in works) <= 360


def test_unquantised_weights_need_more_gpus() -> None:
    assert Requests(load(with_big(quantization="none"))).gpu_of("big") == 4


@pytest.mark.parametrize(
    ("given", "machine", "gpus", "micro_batch"),
    [
        (None, None, 2, 16),  # 42 GB of 4-bit weights, GPUs of 80 GB
        (None, 24564 * 2**20, 4, 4),
        (80, 24564 * 2**20, 2, 16),
        (24, None, 4, 4),
        (40.0, None, 3, 8),
        (192, None, 1, 16),
        (1, None, 85, 1),
    ],
)
def test_memory_of_a_gpu_sizes_what_jobs_ask_for(
    given: float | None, machine: float | None, gpus: int, micro_batch: int
) -> None:
    raw = with_big() | {"resources": {"gpu_memory_gb": given}}
    requests = Requests(load(raw), machine=lambda: machine)
    big = SimpleNamespace(model="big")
    assert requests.gpu_of("big") == gpus
    assert requests.micro_batch(big, 1) == micro_batch
    assert requests.micro_batch(big, 2) == max(1, micro_batch // 2)


def test_memory_of_a_gpu_is_in_no_spec() -> None:
    plain, small = load(paper()), load(paper(resources={"gpu_memory_gb": 24}))
    for name in ("report", "costs"):
        given = {"report": ({}, {}, ""), "costs": ({},)}[name]
        made = [getattr(TableSpecs(config), name)(*given) for config in (plain, small)]
        assert made[0] == made[1] and "gpu_memory" not in made[0]
    wildcards = SimpleNamespace(
        model="nemo", corpus="wikipedia", lang="en", shard="0", shards="1"
    )
    for name in ("fetch_model", "quantise_model", "measure_activations"):
        of_both = {getattr(Specs(x), name)(wildcards) for x in (plain, small)}
        assert len(of_both) == 1
    for wrong in (0, -1, "large"):
        with pytest.raises(ConfigError, match=r"resources\.gpu_memory_gb"):
            load(paper(resources={"gpu_memory_gb": wrong}))


def benchmark(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "s\th:m:s\tmax_rss\tmax_vms\tmean_load\tcpu_time\n"
    path.write_text(f"{head}{seconds}\t0:00:01\t-\t9\t50\tNA\n")


def everything(jobs: list[Job]) -> Plan:
    """Plan jobs that all are still to do."""
    return Plan(jobs, frozenset(dry_runs.outputs(jobs)))


def lines_of(plan: Plan, config: Config, folder: Path) -> dict[str, Line]:
    found = cost_plan.summary(plan, JobEstimates(config), folder)
    return {line.rule: line for line in found}


def test_the_sums_are_those_of_the_jobs(
    config: Config, jobs: list[Job], tmp_path: Path
) -> None:
    lines = lines_of(everything(jobs), config, tmp_path)
    counts = dry_runs.counts(jobs)
    assert {rule: line.jobs for rule, line in lines.items()} == counts | {
        "total": len(jobs)
    }
    assert list(lines)[-1] == "total"
    shards = lines["measure_activations"]
    assert (shards.jobs, shards.to_do, shards.measured) == (160, 160, 0)
    assert (shards.tokens, shards.gpus, shards.spent) == (3.2e9, 1, 0)
    llama, nemo = (
        estimate(config, first(jobs, "measure_activations", model)).seconds
        for model in ("llama31", "nemo")
    )
    assert shards.hours == pytest.approx(80 * (llama + nemo) / 3600)
    assert shards.gpu_hours == shards.hours
    merged = lines["merge_activations"]
    assert merged.gpu_hours == 0 < merged.hours and merged.gpus == 0
    for name in ("to_do", "tokens", "hours", "gpu_hours", "disk"):
        each = [getattr(line, name) for line in lines.values()]
        assert each[-1] == pytest.approx(sum(each[:-1]))


def test_measured_times_replace_estimates_of_their_rule_and_model(
    config: Config, jobs: list[Job], tmp_path: Path
) -> None:
    before = lines_of(everything(jobs), config, tmp_path)
    done = first(jobs, "measure_activations", "llama31")
    seconds = estimate(config, done).seconds
    benchmark(tmp_path / done.benchmark, seconds / 2)
    after = lines_of(everything(jobs), config, tmp_path)
    shards = before["measure_activations"], after["measure_activations"]
    llama = 80 * seconds
    assert shards[1].hours == pytest.approx(shards[0].hours - llama / 2 / 3600)
    assert shards[1].measured == 1
    assert shards[1].spent == shards[1].gpu_spent == pytest.approx(seconds / 2 / 3600)
    assert after["tune_model"] == before["tune_model"]


def test_finished_jobs_cost_nothing_more(
    config: Config, jobs: list[Job], tmp_path: Path
) -> None:
    left = [job for job in jobs if job.rule != "fetch_text"]
    lines = lines_of(Plan(jobs, everything(left).to_do), config, tmp_path)
    line = lines["fetch_text"]
    assert (line.jobs, line.to_do, line.disk, line.hours) == (16, 0, 0, 0)
    assert lines["total"].to_do == lines["total"].jobs - 16


def test_the_demo_needs_no_gpu_and_minutes(tmp_path: Path) -> None:
    raw = merge(paper(), read("demo.yaml"))
    plan = everything(dry_runs.jobs(raw))
    total = cost_plan.summary(plan, JobEstimates(load(raw)), tmp_path)[-1]
    assert total.gpu_hours == 0 and total.gpus == 0
    assert 0.02 < total.hours < 3


def test_the_text_has_the_plan_and_its_assumptions(
    jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Plan, "of", lambda snakefile, config: everything(jobs))
    text = cost_plan.text(dry_runs.SNAKEFILE, paper())
    line = next(x for x in text.splitlines() if x.startswith("measure_activations"))
    assert line.split()[1:3] == ["160", "160"] and "3.2 G" in line
    assert "1.2e+14 FLOP/s" in text and "GPU hours on others" in text
    assert max(map(len, text.splitlines())) < 130
    assert list(tmp_path.iterdir()) == []


def script(name: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / f"workflow/scripts/{name}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_table_of_costs(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = tmp_path / "benchmarks/results"
    path = base / "evaluations/xnli/llama31/attention/seed42/vi/part-1-of-1.tsv"
    benchmark(path, 7200)
    benchmark(base / "text/wikipedia/vi.tsv", 360)
    Path("page.html").touch()
    folder = "benchmarks/results/{stage}"
    patterns = {"evaluate_task": folder.format(stage="evaluations/{task}/{model}/"
                "{tuning}/seed{seed}/{lang}/part-{part}-of-{parts}.tsv")}  # fmt: skip
    given = config.model_dump(mode="json", exclude_unset=True)
    about = {"config": given, "benchmarks": "benchmarks", "patterns": patterns}
    spec = json.dumps(about)
    made = ["--report", "page.html", "--tsv", "cost.tsv"]
    script("build_cost_table", "--spec", spec, *made)
    wildcards = {"task": "xnli", "model": "llama31", "tuning": "attention"}
    wildcards |= {"seed": "42", "lang": "vi", "part": "1", "parts": "1"}
    one = JobEstimates(config).job("evaluate_task", SimpleNamespace(**wildcards))
    hours, small = one.seconds / 3600, rates.SMALL_JOB / 3600
    assert hours > 0.5 > 10 * small  # it is that of the job, and not of any
    assert Path("cost.tsv").read_text() == (
        "\t".join(spending.COLUMNS) + "\n"
        f"text\t1\t{small:.4f}\t0.1000\t0.0000\t0.0000\t\n"
        f"evaluations\t1\t{hours:.4f}\t2.0000\t0.0000\t2.0000\t\n"
        f"total\t2\t{hours + small:.4f}\t2.1000\t0.0000\t2.0000\t\n"
    )
    # Of a grid that is no longer asked for: nobody knows, and no sum says otherwise.
    benchmark(Path(str(path).replace("/vi/", "/fr/")), 60)
    script("build_cost_table", "--spec", spec, *made)
    lines = Path("cost.tsv").read_text().splitlines()
    assert [line.split("\t")[2] for line in lines[2:]] == ["", ""]
