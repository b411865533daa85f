"""The plans of the three studies: which jobs, how many, and how fast."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snakemake_runs import copy_project, count_jobs, dry_run, planned, snakemake

MODELS = {
    "fetch_model": 2,
    "quantise_model": 2,
    "fetch_text": 16,  # the languages of Set1 and Set6 together
    "tokenise_corpus": 32,
    "measure_activations": 160,  # five shards of 20 M tokens each
    "merge_activations": 32,
}
XNLI = MODELS | {
    "identify_neurons": 2 * (3 + 15),  # and five random draws for each of the three
    "prepare_task": 4,  # English for training, three languages for testing
    "tune_model": 2,
    "evaluate_task": 6,
    "build_table": 1,
}
# Trained per model and task: attention, all_mlp; LAPE Set1 en, vi, en+vi and Set6 en,
# two targets, en+target each; AP90 en, three targets, en+target each; 15 random draws.
EVERYTHING = MODELS | {
    "hold_out_text": 32,  # for perplexity
    "identify_neurons": 36,
    "prepare_task": 2 * 4,
    # XQuAD has vi and zh in Set1 and hi in Set6, XNLI vi, and hi and ur.
    "tune_model": 2 * 2 * (2 + 3 + 5 + 7 + 15),
    "evaluate_task": 2 * 2 * (3 + 3 + 3 * 3 + 3 * 3 + 3 * 5),
    "measure_perplexity": 2 * 16,
    "build_table": 6 + 4,  # and perplexity, activations, profiles, published numbers
    "draw_neurons": 6,
    "draw_shared": 4,  # LAPE and AP90; Set1 and Set6 each share languages with it
    "draw_perplexity": 6,
    "draw_effects": 6,  # accuracy, and EM and F1; interventions and fine-tuning
    "draw_training": 2 * 2,  # a figure per model and task
    "draw_profiles": 3,
    "draw_published": 6,
    "build_report": 1,
    "build_cost_table": 1,
    "all": 1,
}
TRANSFER = ("--config", "run=[transfer,finetuning,perplexity]")
# Six models; 18 languages of FLORES. Languages of tasks: mLAMA, XCOPA, XWinograd,
# INCLUDE, Belebele, FLORES from English with and without the name of the target, open
# questions.
LANGUAGES = 15 + 11 + 6 + 13 + 17 + 17 + 17 + 4
AMPLIFICATION = {
    "fetch_model": 6,
    "fetch_text": 18,
    "prepare_task": LANGUAGES,
    "tokenise_corpus": 6 * 18,
    "hold_out_text": 6 * 18,
    "measure_activations": 6 * 18,  # one shard each: 100,000 tokens
    "merge_activations": 6 * 18,
    "find_directions": 6,
    # LAPE, always active, average precision, intersection; five draws for two of them
    "identify_neurons": 6 * (4 + 2 * 5),
    "evaluate_task": 6 * LANGUAGES,
    "measure_perplexity": 6 * 18,
    # And perplexity, steering, amplification, open text, languages switched off.
    "build_table": 8 + 5,
    "draw_neurons": 6 * 4,
    "draw_shared": 6 * 6,  # pairs of the four
    # The four under six factors; XCOPA and XWinograd under three of them, Belebele
    # under one, the others under two.
    "draw_steering": 6 * 4 * 6,
    "draw_task_changes": 6 * 4 * (3 + 3 + 1 + 2 + 2 + 2 + 2),
    "draw_amplification": 6,
    # mLAMA and open questions have two metrics; scores of all items have no figure.
    "draw_effects": 2 + 4 + 2,
    "amplification": 1,
}


# Two models, 15 pairs of languages, of which three begin with English.
BRIDGES = {
    "fetch_model": 2,
    "fetch_text": 15,
    "tokenise_corpus": 2 * 15,
    "measure_activations": 2 * 15,
    "merge_activations": 2 * 15,
    "identify_neurons": 2,
    # Those pairs; from five sources into the six candidates, but English into itself;
    # and from these into three targets, but the pairs from English.
    "prepare_dictionary": 15 + (5 * 6 - 1) + (6 * 3 - 3),
    "ask_probes": 2 * (15 + 29 + 15),
    "record_probes": 2 * 15,
    "compare_languages": 2 * 15 * 11,
    "prepare_task": 2 * 15,
    "evaluate_task": 2 * 2 * 15,  # each with all of its bridges
    "build_table": 2 + 3,  # and choices, candidates, shared neurons
    "draw_neurons": 2,
    "draw_bridges": 2 * 2,
    "draw_similarity": 2 * 5,  # those of kind hsic
    "bridges": 1,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("plan"))


def test_paper_grid_plans_the_published_tables_in_time(project: Path) -> None:
    jobs, work = dry_run(project, "results/tables/xnli.tsv")
    assert jobs == XNLI
    assert work < 45


def test_every_table_and_figure_of_the_paper_is_planned(project: Path) -> None:
    assert sum(EVERYTHING.values()) == 684
    assert planned(project, "all", *TRANSFER, tiny=False) == EVERYTHING


def test_the_amplification_study_is_planned(project: Path) -> None:
    """Two of its models have no revision yet, and so have its text and facts."""
    alone = ("--config", "run=[amplification]")
    jobs, work = dry_run(project, "amplification", *alone)
    assert sum(AMPLIFICATION.values()) == 1946
    assert jobs == AMPLIFICATION
    assert work < 160


def test_the_bridge_study_is_planned(project: Path) -> None:
    """Its dictionaries are the user's; without them the plan says which are needed."""
    alone = ("--config", "run=[bridges]")
    text = snakemake(project, "-n", "bridges", *alone, check=False, tiny=False)
    assert (
        "dictionaries.muse (zh-en): data/muse/zh-en.0-5000.txt does not exist" in text
    )
    assert "data/wiktionary_bli/sw-en.all.tsv does not exist" in text
    for path in set(re.findall(r": (data/\S+) does not exist", text)):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("word\tword\n", encoding="utf-8")
    jobs, work = dry_run(project, "bridges", *alone)
    assert sum(BRIDGES.values()) == 758
    assert jobs == BRIDGES
    assert work < 45


def test_the_first_study_is_the_same_beside_the_second(project: Path) -> None:
    """Each target is its own; tables that both fill are whole."""
    text = snakemake(project, "-n", "transfer", tiny=False)
    alone = snakemake(project, "-n", "transfer", *TRANSFER, tiny=False)
    assert count_jobs(text) == count_jobs(alone)


def test_no_command_of_the_paper_grid_outgrows_the_kernel(project: Path) -> None:
    """One argument may have 128 KiB; the spec of the perplexity table has more.

    What grows with the grid is printed by the shell itself, which has no such limit.
    """
    text = snakemake(project, "-n", "-p", "all", *TRANSFER, tiny=False)
    commands = re.findall(r"^Shell command: (.* .*)$", text, re.MULTILINE)
    assert len(commands) == sum(EVERYTHING.values()) - 1  # all but the rule "all"
    assert max(map(len, commands)) > 2**17
    started = [re.sub(r"^printf .* \| python ", "python ", text) for text in commands]
    assert all(text.startswith("python workflow/scripts/") for text in started)
    assert max(map(len, started)) < 2**12
    # Snakemake keeps the settings of a job with its output.
    measured = [text for text in commands if "measure_perplexity.py" in text]
    assert {text.count('"op":"set"') for text in measured} == {1}  # zero, for them all


def test_a_rules_plain_name_reaches_all_of_its_jobs(project: Path) -> None:
    """For clusters that want --gres, say, instead of --gpus."""
    for rule in ("evaluate_task", "measure_perplexity"):
        more = ("--set-resources", f"{rule}:gres=gpu:1", f"{rule}:runtime=600")
        more += TRANSFER
        text = snakemake(project, "-n", "all", *more, tiny=False)
        jobs = re.findall(rf"^rule {rule}:.*?(?=^\S)", text, re.MULTILINE | re.DOTALL)
        assert len(jobs) == EVERYTHING[rule]
        assert all("gres=gpu:1" in job and "runtime=600" in job for job in jobs)


def test_one_job_per_selection_and_statistic(project: Path) -> None:
    """Besides: jobs of a given length, by the estimate."""
    table, single = "results/tables/xnli.tsv", "bundle_size=1"
    jobs = planned(project, table, "--config", single, tiny=False)
    # Per model and language: none; 11 statistics of LAPE and of AP90, and 4 of each of
    # their five random draws.
    assert jobs.pop("evaluate_task") == 2 * 3 * (1 + 2 * 11 + 2 * 5 * 4)
    rest = {rule: n for rule, n in XNLI.items() if rule != "evaluate_task"}
    assert jobs == rest
    hours = ("--config", "job_hours=0.2")
    text = snakemake(project, "-n", table, *hours, tiny=False)
    said = re.findall(r"^rule evaluate_task:.*?(?=^\S)", text, re.M | re.DOTALL)
    job = re.compile(r"output: \S+/part-1-of-(\d+)\.json.*runtime=(\d+)", re.DOTALL)
    asked = [found.groups() for text in said if (found := job.search(text))]
    assert len(asked) == 6
    # 63 treatments of 43.6 s (Llama) or 66.2 s (Nemo) in 690 or 685 s: 15 or 10 each.
    assert {int(parts) for parts, _ in asked} == {5, 7}
    # 2.5 times 0.2 hours, rounded; the last part has what is left.
    assert {int(minutes) for _, minutes in asked} <= {28, 29, 30}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("experiments={transfer: {models: [lama31]}}", "did you mean 'llama31'"),
        ("experiments={transfer: {statistics: [p91]}}", "unknown statistic 'p91'"),
        (
            "experiments={perplexity: {selections: [lapa.set1]}}",
            "unknown method 'lapa'",
        ),
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
