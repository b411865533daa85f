"""The tuning ``base``: the model as it is, evaluated without any training."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dry_runs
from configurations import experiment, merge, paper, tiny
from langneurons.config.errors import ConfigError
from langneurons.config.names import UNTREATED
from langneurons.config.schema import Config
from langneurons.grid import rows, subjects
from langneurons.jobs.planned import Job
from langneurons.published.partners import Partners
from langneurons.study import local_files
from langneurons.study.configuration import load
from langneurons.study.specs import Specs

ALONE = """
run: [transfer, other_methods, perplexity]
experiments: {transfer: {tasks: [xquad], tunings: [base], seeds: [42, 43]}}
tasks: {xquad: {data: {train: null}}}
"""
BESIDE = """
run: [transfer, other_methods, perplexity]
experiments: {transfer: {tasks: [xquad], tunings: [base, attention]}}
"""
TUNED = BESIDE.replace("base, attention", "attention")
BASELINE = """
experiments:
  transfer: {tasks: [xquad]}
  finetuning: {tasks: [xquad], languages: [vi], seeds: [42, 43], baselines: %s}
"""


REFUSED = [
    ("tunings: {base: {training: {rank: 1}}}", "nothing reads 'training'; leave it"),
    ("tunings: {base: {attention: true}}", "nothing reads 'attention'; leave it out"),
    (
        "tunings: {base: {mlp_targets: gate, training: {}}}",
        "nothing reads 'mlp_targets', 'training'; leave it out",
    ),
    (
        "tunings: {plain: {kind: none}}",
        "tunings.plain: kind none; 'base' is the name of kind none",
    ),
    ("tunings: {base: {kind: attention}}", "tunings.base: kind attention; 'base' is"),
    (
        "experiments: {transfer: {tunings: [base.lape.world.en]}}",
        "kind none takes no neurons",
    ),
    (
        "experiments: {transfer: {tunings: [base, attention]}}",
        "experiments.transfer.tunings: base cannot be evaluated on tasks.xnli (kind "
        "xnli): it is classified by a head that fine-tuning trains",
    ),
    (
        "experiments: {finetuning: {baselines: [attention, base]}}",
        "experiments.finetuning.baselines: base cannot be evaluated on tasks.xnli",
    ),
    ("experiments: {finetuning: {entries: [base]}}", "base tunes no selected neurons"),
    (
        f"{TUNED}\ntasks: {{xquad: {{data: {{train: null}}}}}}",
        "tasks.xquad.data.train: missing; tunings of the experiments train on this",
    ),
    (
        "tasks: {xquad: {data: {train: null, test: null}}}",
        "give either 'hub', or 'test' and, if a tuning trains on it, 'train'",
    ),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_cannot_be_is_refused_at_the_start(changes: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tiny(changes))
    assert said in str(caught.value)


def settings_of_training(config: Config) -> list[Any]:
    return [config.task("xquad").training, config.task("xquad").train_fraction]


def test_settings_of_training_may_stay_where_they_are() -> None:
    """The catalogue says what a name means; what no experiment reads costs none."""
    config = load(tiny(ALONE))
    assert settings_of_training(config) == settings_of_training(load(tiny(BESIDE)))


def test_there_is_one_seed_whatever_the_others_have() -> None:
    config = load(merge(tiny(BESIDE), experiment("transfer", seeds=[42, 43])))
    found = [(str(r.tuning), r.seed) for r in rows.task_rows(config, "xquad")]
    assert list(dict.fromkeys(found)) == [
        ("base", 0), ("attention", 42), ("attention", 43),
    ]  # fmt: skip
    treatments = Counter(tuning for tuning, _ in found)
    assert treatments["attention"] == 2 * treatments["base"]


def counts(changes: str) -> Counter[str]:
    return dry_runs.counts(dry_runs.jobs(tiny(changes)))


def adapters(jobs: list[Job]) -> list[str]:
    return [o for o in dry_runs.outputs(jobs) if o.startswith("results/adapters")]


def test_nothing_is_trained_for_the_model_as_it_is() -> None:
    jobs = dry_runs.jobs(tiny(ALONE))
    found = dry_runs.counts(jobs)
    assert "tune_model" not in found and adapters(jobs) == []
    assert found["evaluate_task"] == 1
    items = [o for o in dry_runs.outputs(jobs) if "/tasks/" in o]
    assert items == ["results/tasks/xquad/test.vi.jsonl"]


def test_base_adds_its_evaluations_to_a_plan_and_nothing_else() -> None:
    alone, both, tuned = counts(ALONE), counts(BESIDE), counts(TUNED)
    assert both - tuned == Counter({"evaluate_task": 1})
    assert tuned - both == Counter()
    assert both - alone == Counter(
        {"evaluate_task": 1, "tune_model": 1, "prepare_task": 1, "draw_training": 1}
    )


def test_no_training_file_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = "\ntasks: {xquad: {data: {train: 'absent/{lang}.json'}}}"
    local_files.require(load(tiny(ALONE)))
    # Nor is one that the catalogue names for the sake of others.
    local_files.require(load(tiny(ALONE.rpartition("tasks")[0] + given)))
    with pytest.raises(
        ConfigError, match=r"tasks\.xquad\.data\.train: absent/en\.json"
    ):
        local_files.require(load(tiny(BESIDE + given)))


def evaluated(changes: str) -> dict[str, subjects.OnTask]:
    return {str(s.tuning): s for s in subjects.on_tasks(load(tiny(changes)))}


def test_its_evaluations_read_no_adapter() -> None:
    found = evaluated(BESIDE)
    folder = "results/adapters/xquad/demo/attention/seed42"
    config = load(tiny(BESIDE))
    assert subjects.adapter(config, found["base"]) == []
    assert subjects.adapter(config, found["attention"]) == [
        f"{folder}/adapter_model.safetensors"
    ]
    with pytest.raises(ConfigError, match="has no seed 42; ask for seed0"):
        subjects.adapter(config, replace(found["base"], seed=42))


def test_settings_of_training_are_no_part_of_its_specs() -> None:
    changed = f"{BESIDE}\ntasks: {{xquad: {{training: {{learning_rate: 0.1}}}}}}"
    one, two = (
        Specs(load(tiny(x))).treated(evaluated(x)["base"], [UNTREATED])
        for x in (BESIDE, changed)
    )
    assert one == two and '"tuning":"base"' in one and '"seed":0' in one


def test_nothing_is_published_beside_it() -> None:
    axes = experiment("transfer", tunings=["base", "attention"], tasks=["xquad"])
    config = load(paper(run=["transfer", "perplexity"], **axes))
    partners = Partners(config)
    found = {"base": 0, "attention": 0}
    for row in rows.task_rows(config, "xquad"):
        found[str(row.tuning)] += bool(partners.values("xquad", row))
    assert found["base"] == 0 and found["attention"] > 0
    assert {str(one.row.tuning) for one in partners.evaluations} == {"attention"}


@pytest.mark.parametrize("baselines", ["[base]", "[attention, base]"])
def test_as_a_baseline_of_neuron_tuning(baselines: str) -> None:
    config = load(tiny(BASELINE % baselines))
    found = [(str(r.tuning), r.seed) for r in rows.tuning_rows(config, "xquad")]
    assert found.count(("base", 0)) == 1
    assert {seed for tuning, seed in found if tuning != "base"} == {42, 43}
    assert {tuning for tuning, _ in found} >= {"base", "lape.world.vi"}
