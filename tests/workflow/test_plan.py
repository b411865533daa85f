"""The plan of the paper's grid: which jobs, how many, and how fast."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from snakemake_runs import copy_project, planned, snakemake

PAPER = {
    "fetch_model": 2,
    "quantise_model": 2,
    "fetch_text": 16,  # the languages of Set1 and Set6 together
    "tokenise_corpus": 32,
    "measure_activations": 160,  # five shards of 20 M tokens each
    "merge_activations": 32,
    "identify_neurons": 2 * (3 + 15),  # and five random draws for each of the three
    "prepare_task": 4,  # English for training, three languages for testing
    "tune_model": 2,
    "evaluate_task": 6,
    "build_task_table": 1,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("plan"))


def test_paper_grid_plans_the_published_tables_in_time(project: Path) -> None:
    start = time.monotonic()
    jobs = planned(project, "results/tables/xnli.tsv", tiny=False)
    seconds = time.monotonic() - start
    assert jobs == PAPER
    assert seconds < 20


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("grid={models: [lama31]}", "did you mean 'llama31'"),
        ("grid={statistics: [p91]}", "unknown statistic 'p91'"),
        ("grid={selections: [lapa.set1]}", "unknown method 'lapa'"),
        ("tasks={xnli: {languages: [xx]}}", "unknown language 'xx'"),
        ("models={nemo: {family: mistrall}}", "did you mean 'mistral'"),
        (
            "tasks={xnli: {training: {learning_rat: 1.0}}}",
            "did you mean 'learning_rate'",
        ),
        ("methods={lape: {parameters: {top_rat: 0.1}}}", "did you mean 'top_rate'"),
        ("models={nemo: {hub: {revision: main}}}", "models.nemo.hub.revision"),
    ],
)
def test_bad_configuration_is_refused_before_the_first_job(
    project: Path, edit: str, expected: str
) -> None:
    text = snakemake(project, "-n", "--config", edit, check=False, tiny=False)
    assert expected in text
    assert "Traceback" not in text
    assert not (project / "results").exists()
