"""Studies with folders of their own: what lies where, and what they share."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import dry_runs
from configurations import amplified, bridged, merge, tiny
from langneurons.config.errors import ConfigError
from langneurons.config.schema import FOLDERS, OF_STUDY, SHARED
from langneurons.costs import spending
from langneurons.jobs import provenance
from langneurons.jobs.planned import Job
from langneurons.study.configuration import load
from langneurons.study.records import Records
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs

NEURONS = "results/neurons/demo/lape.world.json"
TOKENS = "results/tokens/demo/demo/vi.safetensors"
SHARD = "results/activations/demo/demo/{}/shard-0-of-2.safetensors"
ITEMS = "results/{}tasks/xnli/test.vi.jsonl"


def mine(**changes: Any) -> dict[str, Any]:
    return merge(tiny(), {"study": "mine"} | changes)


def top(path: str, root: str) -> str:
    """Return the first part of a path below a folder; of a file, its name."""
    assert path.startswith(f"{root}/"), path
    return path.removeprefix(f"{root}/").partition("/")[0]


def own_and_shared(jobs: list[Job]) -> tuple[set[str], set[str]]:
    """Return what lies in the study's folder, and what lies beside it."""
    paths = dry_runs.outputs(jobs)
    own = {top(p, "results/mine") for p in paths if p.startswith("results/mine/")}
    beside = [p for p in paths if not p.startswith("results/mine/")]
    return own, {top(p, "results") for p in beside}


def test_its_own_results_are_in_its_folder_and_nothing_else_is_elsewhere() -> None:
    run = [*amplified()["run"], "bridges", "alignment"]
    jobs = dry_runs.jobs(merge(bridged(), amplified()) | {"run": run, "study": "mine"})
    own, shared = own_and_shared(jobs)
    assert own == {*OF_STUDY, "report.html"} - {"cards"}  # these are asked for by name
    assert shared == set(SHARED) - {"text"}  # the demo's text is in its world
    times = [job.benchmark for job in jobs if job.benchmark]
    assert len(times) > 50
    for job in jobs:
        if job.benchmark:
            folder = "results/mine" if "/mine/" in job.outputs[0] else "results"
            assert job.benchmark.startswith(f"benchmarks/{folder}/")


def test_it_runs_the_same_jobs_as_without_a_folder_of_its_own() -> None:
    own = dry_runs.outputs(dry_runs.jobs(mine()))
    usual = dry_runs.outputs(dry_runs.jobs(tiny()))
    assert not any("mine" in path for path in usual)
    assert {top(path, "results") for path in usual} <= {*FOLDERS, "report.html"}
    assert sorted(p.replace("results/mine/", "results/") for p in own) == sorted(usual)


@pytest.mark.parametrize("name", [*FOLDERS, "Mine", "a/b", "..", "a.b", "", "x" * 61])
def test_names_that_studies_cannot_have(name: str) -> None:
    with pytest.raises(ConfigError, match="study: "):
        load(mine(study=name))


def test_a_name_that_is_a_folder_says_which_are() -> None:
    with pytest.raises(ConfigError) as caught:
        load(mine(study="tables"))
    said = "study: 'tables' is a folder of results/ already; not allowed: demo_world, "
    assert said in str(caught.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(**changes: Any) -> Records:
    config = load(merge(tiny(), changes))
    return Records(config, Specs(config), TableSpecs(config))


def make(found: Records, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a result as a job of this configuration does."""
    spec = found.wanted(path)
    assert spec is not None, path
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("x")
    monkeypatch.setenv(provenance.STUDY, found.config.study or "")
    provenance.write([out], "some_rule", json.loads(spec), "code", {}, 1.0)


OTHER = {"methods": {"lape": {"parameters": {"bar_ratio": 0.9}}}}
FIRST = pytest.mark.parametrize("first", ["first", None])


@FIRST
@pytest.mark.usefixtures("here")
def test_what_another_study_made_of_a_name_stays(
    first: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(records(study=first), NEURONS, monkeypatch)
    with pytest.raises(ConfigError) as caught:
        records(study="mine", **OTHER).require_own()
    said = str(caught.value)
    assert "study mine means something else by a name" in said
    called = "study first" if first else "the study without a name"
    assert f"  - {NEURONS}: {called} made it (" in said
    assert "parameters.bar_ratio: 0.5 then, 0.9 now)" in said
    assert "another name here, or delete these files" in said


@pytest.mark.usefixtures("here")
def test_a_study_without_a_name_takes_nothing_from_others_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(records(study="first"), NEURONS, monkeypatch)
    with pytest.raises(ConfigError, match="the study without a name means something"):
        records(**OTHER).require_own()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"identical": "drop"}, "identical: keep then, drop now"),
        ({"probe": "my/{source}-{target}.txt"}, "legs[0].files[0]: "),
    ],
)
def test_two_dictionaries_of_one_name_are_told(
    other: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "results/dictionaries/demo/en-hi.json"
    make(records(study="first"), path, monkeypatch)
    records(study="mine").require_own()
    with pytest.raises(ConfigError) as caught:
        records(study="mine", dictionaries={"demo": other}).require_own()
    assert f"  - {path}: study first made it (" in str(caught.value)
    assert said in str(caught.value)


@FIRST
@pytest.mark.usefixtures("here")
def test_the_same_is_shared_without_a_word(
    first: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (NEURONS, TOKENS):
        make(records(study=first), path, monkeypatch)
    found = records(study="mine")
    found.require_own()
    assert found.of_others() == [] == found.remarks()


@FIRST
@pytest.mark.usefixtures("here")
def test_a_study_may_make_its_own_anew(
    first: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(records(study=first), NEURONS, monkeypatch)
    found = records(study=first, **OTHER)
    found.require_own()
    assert found.stale() == ([NEURONS], True)


@pytest.mark.usefixtures("here")
def test_only_so_many_are_named_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for lang in ("en", "vi", "hi"):
        make(records(), TOKENS.replace("vi", lang), monkeypatch)
        make(records(), SHARD.format(lang), monkeypatch)
    other: dict[str, Any] = {"corpora": {"demo": {"chunk_length": 16}}}
    other["activations"] = {"histogram_every": 2}
    with pytest.raises(ConfigError) as caught:
        records(study="mine", **other).require_own()
    assert str(caught.value).count(": the study without a name made it") == 3
    assert "\n  - and 3 more\n" in str(caught.value)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("study", "looked"),
    [("mine", []), ("first", [ITEMS.format("first/")]), (None, [ITEMS.format("")])],
)
def test_what_is_of_other_studies_is_not_looked_at(
    study: str | None, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(records(study="first"), ITEMS.format("first/"), monkeypatch)
    make(records(), ITEMS.format(""), monkeypatch)
    found = records(study=study, tasks={"xnli": {"test_items": 5}})
    found.require_own()
    assert found.stale() == (looked, True)


def benchmark(path: str, seconds: float) -> None:
    out = Path("benchmarks/results", path)
    out.parent.mkdir(parents=True, exist_ok=True)
    head = "s\th:m:s\tmax_rss\tmax_vms\tmean_load\tcpu_time\n"
    out.write_text(f"{head}{seconds}\t0:00:01\t-\t9\t50\tNA\n")


@pytest.mark.usefixtures("here")
def test_costs_are_those_of_the_study_and_of_what_is_shared() -> None:
    benchmark("tokens/demo/demo/vi.tsv", 1)
    benchmark("mine/evaluations/xnli/demo/base/seed0/vi/part-1-of-1.tsv", 10)
    benchmark("mine/report.tsv", 100)
    benchmark("other/evaluations/xnli/demo/base/seed0/vi/part-1-of-1.tsv", 1000)
    benchmark("other/report.tsv", 10_000)
    benchmark("evaluations/xnli/demo/base/seed0/vi/part-1-of-1.tsv", 100_000)

    def seconds(study: str | None) -> dict[str, int]:
        found = spending.sum_up(Path("benchmarks"), lambda model: math.nan, study)
        return {cost.stage: round(3600 * cost.wall) for cost in found}

    shared = {"tokens": 1}
    assert seconds("mine") == shared | {"evaluations": 10, "other": 100, "total": 111}
    assert seconds("other") == shared | {
        "evaluations": 1000, "other": 10_000, "total": 11_001
    }  # fmt: skip
    assert seconds(None) == shared | {"evaluations": 100_000, "total": 100_001}
    assert seconds("new") == shared | {"total": 1}
