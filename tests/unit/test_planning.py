"""The plan before a run: jobs as in the rules, and sizes worked out by hand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from langneurons.study.planned_jobs import Job, plan

from langneurons.config.catalogue import Activations, Model
from langneurons.config.schema import Config
from langneurons.config.task_entries import Training, Tuning
from langneurons.costs import rates, spending
from langneurons.costs.parts import Parts
from langneurons.costs.rates import statistics_bytes
from langneurons.costs.requests import SHORTEST, Requests
from langneurons.study import cost_plan
from langneurons.study.configuration import load

ROOT = Path(__file__).parents[2]
RAW = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
BIG = {
    "family": "llama",
    "hub": {"repo": "owner/llama-70b", "revision": "0" * 40},
    "parameters": 70.6e9,
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan in an empty folder: nothing is done yet."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def paper() -> Config:
    return load(RAW)


@pytest.fixture(scope="module")
def jobs(paper: Config) -> list[Job]:
    return plan(paper)


def with_big() -> Config:
    """The paper's grid with a model of 70 B parameters, 11 hours of XQuAD in parts."""
    names = ["llama31", "nemo", "big"]
    given = {
        name: axes | {"models": names} for name, axes in RAW["experiments"].items()
    }
    models = RAW["models"] | {"big": BIG}
    return load(RAW | {"models": models, "experiments": given, "job_hours": 6})


def first(jobs: list[Job], rule: str, model: str) -> Job:
    return next(j for j in jobs if j.rule == rule and j.model == model)


def test_jobs_of_the_papers_grid(jobs: list[Job]) -> None:
    # The same numbers as Snakemake's own plan (tests/workflow/test_plan.py).
    counts = Counter(job.rule for job in jobs)
    assert counts["fetch_text"] == 16 and counts["tokenise_corpus"] == 32
    assert counts["measure_activations"] == 160 and counts["merge_activations"] == 32
    assert counts["identify_neurons"] == 36 and counts["prepare_task"] == 8
    assert counts["tune_model"] == 128 and counts["evaluate_task"] == 156
    assert counts["measure_perplexity"] == counts["hold_out_text"] == 32
    assert len({o for j in jobs for o in j.outputs}) == sum(
        len(j.outputs) for j in jobs
    )


def test_measuring_by_hand(jobs: list[Job]) -> None:
    llama = first(jobs, "measure_activations", "llama31")
    # A shard has 20 M tokens: 2 x 8.03e9 x 2e7 = 3.212e17 FLOP at 1.2e14 a second;
    # 1.05 + 0.25 / 16 of it with recording;
    # 20 s to start, 0.6 x 8.03e9 bytes at 0.5 GB/s.
    assert llama.tokens == 20e6
    assert llama.seconds == pytest.approx(1.065625 * 2676.7 + 20 + 9.6, abs=0.1)
    assert llama.gpus == 1
    nemo = first(jobs, "measure_activations", "nemo")
    assert nemo.seconds == pytest.approx(1.065625 * 4066.7 + 20 + 14.6, abs=0.1)


def test_training_by_hand(jobs: list[Job]) -> None:
    job = first(jobs, "tune_model", "llama31")
    # A quarter of 392,702 items, once, 40 tokens; 6 FLOP a parameter and token.
    assert job.tokens == 98_176 * 40
    assert job.seconds == pytest.approx(3153.4 / 2 + 29.6, abs=1)


def test_evaluation_by_hand(jobs: list[Job]) -> None:
    xnli = first(jobs, "evaluate_task", "llama31")
    n = 1 + 2 * 11 + 2 * 5 * 4  # two selections, five random draws for each
    assert xnli.tokens == n * 5_010 * 65
    assert xnli.seconds == pytest.approx(29.6 + n * 43.58, rel=0.01)
    # 238 items: 15 batches of 16, 100 tokens each, 40 ms a token.
    one = 2 * 8.03e9 * 238 * 400 / 1.2e14 + 15 * 100 * 0.04015
    evaluation = next(
        j
        for j in jobs
        if j.rule == "evaluate_task" and "/xquad/llama31/" in j.outputs[0]
    )
    n = 1 + 2 * 11 + 2 * 5 * 4  # two selections, five random draws for each
    assert evaluation.seconds == pytest.approx(29.6 + n * one, rel=0.01)


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
    config = with_big()
    jobs = plan(config)
    job = first(jobs, "evaluate_task", "big")
    assert job.gpus == 2  # 42 GB of 4-bit weights, and as much work space
    assert first(jobs, "quantise_model", "big").gpus == 2
    assert first(jobs, "merge_activations", "big").gpus == 0
    assert 150_000 < job.memory < 200_000  # all 16-bit weights once
    requests, wildcards = Requests(config), SimpleNamespace(model="big")
    assert requests.memory(wildcards, 3) == 2 * requests.memory(wildcards, 1)
    for job in jobs:
        if job.model == "big":
            for attempt in (1, 2, 3):
                # The profile's template ends at 2,880 minutes and 500 GB.
                assert asked(requests, job, attempt) < 2880, job
            assert requests.measuring_memory(wildcards, attempt) < 500_000
    assert requests.statistics_memory(wildcards, 1) < 40_000


def asked(requests: Requests, job: Job, attempt: int = 1) -> int:
    """Return the minutes that a job asks for, by the wildcards of its first output."""
    asks = {
        "evaluate_task": requests.runtime,
        "measure_perplexity": requests.runtime,
        "measure_activations": requests.measuring_runtime,
        "tune_model": requests.training_runtime,
        "quantise_model": requests.building_runtime,
    }
    if job.rule not in asks:
        return 60  # a constant in its rule, or the profile's
    path = job.outputs[0]
    found = next(m for p in PATHS if (m := re.fullmatch(f"results/{p}", path)))
    return asks[job.rule](SimpleNamespace(**found.groupdict()), attempt)


NAME = "(?P<{}>[^/]+)"
PART = r"part-(?P<part>\d+)-of-(?P<parts>\d+)\.json"
TUNED = "/".join(map(NAME.format, ("task", "model", "tuning"))) + r"/seed(?P<seed>\d+)"
TEXT = "/".join(map(NAME.format, ("corpus", "model", "lang")))
PATHS = (
    rf"evaluations/{TUNED}/{NAME.format('lang')}/{PART}",
    rf"adapters/{TUNED}/adapter_model.safetensors",
    rf"perplexity/{TEXT}/{PART}",
    rf"activations/{TEXT}/shard-(?P<shard>\d+)-of-(?P<shards>\d+)\.safetensors",
    rf"models/{NAME.format('model')}/nf4/manifest.json",
)


def test_jobs_ask_for_two_to_three_times_what_they_will_take(
    paper: Config, jobs: list[Job]
) -> None:
    requests, estimated = Requests(paper), 0
    for job in jobs:
        if not job.gpus:
            continue
        minutes = asked(requests, job)
        assert minutes >= max(SHORTEST, 2 * job.seconds / 60), job
        assert minutes <= max(SHORTEST, 3 * job.seconds / 60), job
        assert asked(requests, job, 2) == 2 * minutes
        estimated += minutes > SHORTEST
    assert estimated > 300


@pytest.mark.parametrize("gpu", ["a100", "h100"])
def test_hours_of_a_job_make_its_parts_wherever_it_runs(gpu: str) -> None:
    config = load(RAW | {"grid": RAW["grid"] | {"job_hours": 0.1}})
    found = [job for job in plan(config, gpu) if job.rule == "evaluate_task"]
    assert len(found) > 2 * 156
    assert max(job.seconds for job in found) <= 360
    assert {o for job in found for o in job.outputs} == {
        part.index for part in Needs(config, Parts(config)).evaluations
    }


def test_unquantised_weights_need_more_gpus() -> None:
    plain = RAW["models"] | {"big": BIG | {"quantization": "none"}}
    assert Requests(load(RAW | {"models": plain})).gpu_of("big") == 4


def benchmark(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "s\th:m:s\tmax_rss\tmax_vms\tmean_load\tcpu_time\n"
    path.write_text(f"{head}{seconds}\t0:00:01\t-\t9\t50\tNA\n")


def test_measured_times_replace_estimates_of_their_rule_and_model(
    jobs: list[Job], tmp_path: Path
) -> None:
    folder = tmp_path / "benchmarks"
    before = {line.rule: line for line in cost_plan.summary(jobs, folder)}
    done = first(jobs, "measure_activations", "llama31")
    benchmark(folder / done.benchmark, done.seconds / 2)
    after = {line.rule: line for line in cost_plan.summary(jobs, folder)}
    shards = before["measure_activations"], after["measure_activations"]
    llama = sum(
        j.seconds
        for j in jobs
        if (j.rule, j.model) == ("measure_activations", "llama31")
    )
    assert shards[1].hours == pytest.approx(shards[0].hours - llama / 2 / 3600)
    assert shards[1].measured == 1
    assert after["tune_model"] == before["tune_model"]


def test_finished_jobs_cost_nothing_more(jobs: list[Job], tmp_path: Path) -> None:
    for job in jobs:
        if job.rule == "fetch_text":
            for output in job.outputs:
                Path(output).parent.mkdir(parents=True, exist_ok=True)
                Path(output).touch()
    line = next(
        line for line in cost_plan.summary(jobs, tmp_path) if line.rule == "fetch_text"
    )
    assert (line.jobs, line.to_do, line.disk, line.hours) == (16, 0, 0, 0)


def test_the_demo_needs_no_gpu_and_minutes() -> None:
    from snakemake.utils import update_config

    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    demo = (ROOT / "config/demo.yaml").read_text(encoding="utf-8")
    update_config(raw, yaml.safe_load(demo))
    total = cost_plan.summary(plan(load(raw)), Path("none"))[-1]
    assert total.gpu_hours == 0 and total.gpus == 0
    assert 0.02 < total.hours < 2


def script(name: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / f"workflow/scripts/{name}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_script_prints_the_plan_and_its_assumptions(paper: Config) -> None:
    config = paper.model_dump(mode="json", exclude_unset=True)
    spec = {"config": config, "benchmarks": "none", "gpu": "a100"}
    text = script("plan_costs", "--spec", json.dumps(spec))
    line = next(x for x in text.splitlines() if x.startswith("measure_activations"))
    assert line.split()[1:3] == ["160", "160"] and "3.2 G" in line
    assert "1.2e+14 FLOP/s" in text and "GPU hours on others" in text
    assert max(map(len, text.splitlines())) < 120
    assert list(Path().iterdir()) == []


def test_the_table_of_costs(paper: Config, tmp_path: Path) -> None:
    base = tmp_path / "benchmarks/results"
    path = base / "evaluations/xnli/llama31/attention/seed42/vi/part-1-of-1.tsv"
    benchmark(path, 7200)
    benchmark(base / "text/wikipedia/vi.tsv", 360)
    Path("page.html").touch()
    models = {
        name: entry.model_dump(mode="json", exclude_unset=True)
        for name, entry in paper.models.items()
    }
    spec = json.dumps({"models": models, "benchmarks": "benchmarks"})
    made = ["--report", "page.html", "--tsv", "cost.tsv"]
    script("build_cost_table", "--spec", spec, *made)
    assert Path("cost.tsv").read_text() == (
        "\t".join(spending.COLUMNS) + "\n"
        "text\t1\t0.1000\t0.0000\t0.0000\t\n"
        "evaluations\t1\t2.0000\t0.0000\t2.0000\t\n"
        "total\t2\t2.1000\t0.0000\t2.0000\t\n"
    )
