"""The profiles, as Snakemake's own parser reads them from what a user types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import parse_args

ROOT = Path(__file__).parents[2]
PROFILES = sorted(path.parent.name for path in ROOT.glob("profiles/*/config.yaml"))
# What profiles/default gives every run.
ALWAYS = {
    "scheduler": "greedy",
    "rerun_triggers": {"mtime", "params", "input"},
    "rerun_incomplete": True,
    "keep_going": True,
    "max_checksum_file_size": 200_000_000_000,
}
HERE = {"executor": None, "jobs": None, "local_cores": None, "latency_wait": 5}
CLUSTER = {
    "executor": "slurm", "jobs": 200, "local_cores": 2, "retries": 2,
    "latency_wait": 60, "slurm_requeue": True, "max_status_checks_per_second": 0.2,
    "slurm_status_attempts": 60, "slurm_status_command": "squeue",
}  # fmt: skip


def content(profile: str) -> dict[str, Any]:
    path = ROOT / "profiles" / profile / "config.yaml"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def parsed(monkeypatch: pytest.MonkeyPatch, *typed: str) -> dict[str, Any]:
    """Return what Snakemake makes of its arguments in the project's folder."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    found = dict(vars(parse_args(["results/tables/xnli.tsv", *typed])[1]))
    found["rerun_triggers"] = {t.name.lower() for t in found["rerun_triggers"]}
    assert found["targets"] == ["results/tables/xnli.tsv"] or "--" in typed
    return found


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ALWAYS | HERE | {"cores": None, "retries": 0}),
        ("--cores 3", ALWAYS | HERE | {"cores": 3, "retries": 0}),
        ("--profile profiles/demo", ALWAYS | HERE | {"cores": 2, "retries": 0}),
        ("--profile profiles/demo --cores 1", ALWAYS | HERE | {"cores": 1}),
        ("--profile profiles/slurm", ALWAYS | CLUSTER | {"cores": 8}),
        ("--profile profiles/slurm --cores 3", ALWAYS | CLUSTER | {"cores": 3}),
        (
            "--profile profiles/slurm --jobs 7 --retries 0 --latency-wait 9",
            ALWAYS | CLUSTER | {"cores": 8, "jobs": 7, "retries": 0, "latency_wait": 9},
        ),
        ("--profile profiles/slurm --scheduler ilp", CLUSTER | {"scheduler": "ilp"}),
        (
            "--profile profiles/slurm --rerun-triggers mtime",
            CLUSTER | {"rerun_triggers": {"mtime"}, "keep_going": True},
        ),
        # Snakemake has no --no-keep-going: this is how it is switched off.
        (
            "--profile profiles/slurm --workflow-profile none",
            CLUSTER | {"cores": 8, "keep_going": False, "rerun_incomplete": False},
        ),
        (
            "--profile profiles/demo --workflow-profile none",
            HERE | {"cores": 2, "keep_going": False},
        ),
    ],
)
def test_what_is_typed_and_what_the_profile_says_is_what_counts(
    monkeypatch: pytest.MonkeyPatch, typed: str, expected: dict[str, Any]
) -> None:
    found = parsed(monkeypatch, *typed.split())
    assert {key: found[key] for key in expected} == expected


def test_a_workstation_takes_all_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    every = parsed(monkeypatch, "--cores", "all")["cores"]
    found = parsed(monkeypatch, "--profile", "profiles/workstation")
    expected = ALWAYS | HERE | {"cores": every, "retries": 1}
    assert {key: found[key] for key in expected} == expected


def test_requests_of_the_cluster_reach_every_rule_but_those_that_are_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = ["--set-resources", "tune_model:runtime=2000", "tune_model:gpu=2"]
    found = parsed(monkeypatch, "--profile", "profiles/slurm", *more)
    wanted = content("slurm")["default-resources"]
    given = found["default_resources"].args
    assert set(given) >= {f"{name}={value}" for name, value in wanted.items()}
    own = found["set_resources"]["tune_model"]
    assert {name: own[name].value for name in ("runtime", "gpu")} == {
        "runtime": 2000,
        "gpu": 2,
    }


@pytest.mark.parametrize("other", sorted({*PROFILES} - {"default"}))
def test_no_profile_says_again_what_the_default_says(other: str) -> None:
    """Snakemake reads profiles/default last: its keys override all other profiles'."""
    assert not set(content("default")) & set(content(other))
