"""The edit-and-rerun matrix: an edit reruns exactly what it affects.

One tiny run of the whole demo configuration is made first; then each case edits a copy
of it and asks Snakemake what it would do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from snakemake_runs import copy_project, count_jobs, planned, snakemake

pytestmark = pytest.mark.xdist_group("reruns")

LIBRARY = Path("workflow/scripts/langneurons")
# What is made of results: it follows from them and takes seconds.
PAGE = {"build_report": 1, "build_cost_table": 1}
FOLLOWS = {"table of published numbers": 1} | PAGE
TASK_TABLES = {"tables of tasks": 4, "draw_effects": 4}
PERPLEXITY = {"table of perplexities": 1, "draw_perplexity": 2}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after a complete tiny run."""
    project = copy_project(tmp_path_factory.mktemp("finished"))
    snakemake(project, "--cores", "2")
    return project


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished project, file times kept, that a test may edit."""
    shutil.copytree(finished, tmp_path / "p", symlinks=True)
    return tmp_path / "p"


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    """Return an edit that replaces the first occurrence of a text in a file."""

    def edit(project: Path) -> None:
        text = (project / path).read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        (project / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def append(path: Path | str, text: str) -> Callable[[Path], None]:
    def edit(project: Path) -> None:
        with (project / path).open("a", encoding="utf-8") as handle:
            handle.write(text)

    return edit


def touch_everything(project: Path) -> None:
    """Give every file another time, as a fresh clone or a copy does."""
    for path in sorted(project.rglob("*")):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)


def reorder_keys(project: Path) -> None:
    """Write the tiny configuration with its keys the other way round."""

    def turned(value: object) -> object:
        if isinstance(value, dict):
            return {k: turned(v) for k, v in reversed(value.items())}
        return value

    path = project / "tiny.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(turned(content), sort_keys=False), encoding="utf-8")


def other_training_file(project: Path) -> None:
    """Take the training items from another file."""
    file = "results/demo_world/nli/{}-en.tsv"
    content = (project / file.format("train")).read_text(encoding="utf-8")
    (project / file.format("other")).write_text(content, encoding="utf-8")
    path = file.format("other").replace("-en", "-{lang}")
    edit = replace(
        "tiny.yaml",
        "    languages: [vi, hi]\n",
        f"    languages: [vi, hi]\n    data: {{train: '{path}'}}\n",
    )
    edit(project)


def evaluate_as_it_is(project: Path) -> None:
    """Evaluate the model as it is too; classifiers are left out, as they have to be."""
    path = project / "tiny.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    axes = {"tasks": ["xquad"], "tunings": ["attention", "base"]}
    content["experiments"]["transfer"] |= axes
    content["run"] = ["transfer", "other_methods", "perplexity"]
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def add_a_seed(project: Path) -> None:
    for name in ("transfer", "finetuning"):
        start = f"  {name}:\n"
        replace("tiny.yaml", start, f"{start}    seeds: [42, 43]\n")(project)


NOTHING: dict[str, int] = {}
# Tiny XNLI in two languages after attention tuning, and in one after tuning the neurons
# of LAPE and as many random ones; XQuAD in one language.
EVALUATIONS = {"evaluate_task": 5, "measure_perplexity": 2}
TUNED = {"draw_training": 1}  # a figure per model and task
RETUNED = EVALUATIONS | {"tune_model": 2} | TUNED | TASK_TABLES | PERPLEXITY | FOLLOWS
# Interventions on the attention tuning; its evaluation without any is the reference of
# the other two tables.
XNLI = {"evaluate_task": 2, "tables of tasks": 3, "draw_effects": 2} | FOLLOWS
CASES: dict[str, tuple[Callable[[Path], None], dict[str, int]]] = {
    "file times": (touch_everything, NOTHING),
    "a comment in the configuration": (append("tiny.yaml", "# a remark\n"), NOTHING),
    "the order of keys": (reorder_keys, NOTHING),
    "a comment in a method": (
        append(LIBRARY / "methods/lape.py", "# remark\n"),
        NOTHING,
    ),
    "a docstring": (
        replace(str(LIBRARY / "methods/lape.py"), '"""', '"""Indeed. '),
        NOTHING,
    ),
    "resources": (
        replace(str(LIBRARY / "costs/requests.py"), "4000 + 2.5e-6", "5000 + 2.5e-6"),
        NOTHING,
    ),
    "checkpoint interval (speed only)": (
        replace(
            "tiny.yaml", "      epochs: 1", "      epochs: 1\n      checkpoint_every: 7"
        ),
        PAGE,  # which shows the configuration
    ),
    "progress reporting (cannot change a number)": (
        append(LIBRARY / "jobs/progress.py", "UNUSED = 1\n"),
        NOTHING,
    ),
    "the layout of the report": (
        append(LIBRARY / "report/style.css", "p {}\n"),
        PAGE,
    ),
    "how one figure is drawn": (
        replace(str(LIBRARY / "figures/notes.py"), "NOTE = 0.11", "NOTE = 0.12"),
        {"draw_effects": 4} | PAGE,
    ),
    "the number of measuring jobs (speed only)": (
        replace("tiny.yaml", "tokens_per_shard: 512", "tokens_per_shard: 256"),
        PAGE,
    ),
    "defaults are written out": (
        append("tiny.yaml", "activations: {attention: chunk}\n"),
        NOTHING,
    ),
    "more text is held out": (
        replace("tiny.yaml", "heldout_tokens: 512", "heldout_tokens: 640"),
        {"hold_out_text": 2, "measure_perplexity": 2} | PERPLEXITY | PAGE,
    ),
    "how answers are generated": (
        replace(
            "tiny.yaml",
            "    test_items: 10",
            "    test_items: 10\n    parameters: {max_new_tokens: 3}",
        ),
        {"evaluate_task": 1, "tables of tasks": 1, "draw_effects": 2} | FOLLOWS,
    ),
    "the training file": (
        other_training_file,
        {"prepare_task": 1, "tune_model": 3, "evaluate_task": 4}
        | {"tables of tasks": 3, "draw_effects": 2}
        | TUNED
        | FOLLOWS,
    ),
    "a statistic is added": (
        replace(
            "tiny.yaml", "statistics: [mean, zero]", "statistics: [mean, zero, p90]"
        ),
        XNLI,
    ),
    "a statistic changes its meaning": (
        append("tiny.yaml", "statistics:\n  mean: {value: mean, op: add}\n"),
        XNLI | {"measure_perplexity": 2} | PERPLEXITY,
    ),
    "one method's module": (
        append(LIBRARY / "methods/actprob.py", "CHANGED = 1\n"),
        {"identify_neurons": 1, "draw_neurons": 1, "draw_shared": 2}
        | {"evaluate_task": 3}
        | TASK_TABLES
        | FOLLOWS,
    ),
    "a parameter of one method": (
        replace("tiny.yaml", "bar_ratio: 0.5", "bar_ratio: 0.4"),
        {"identify_neurons": 2, "draw_neurons": 1, "draw_shared": 2} | RETUNED,
    ),
    "a language set": (
        replace("tiny.yaml", "world: [en, vi, hi]", "world: [en, hi, vi]"),
        {"identify_neurons": 4, "draw_neurons": 3, "draw_shared": 3}
        | {"table of activations": 1}
        | RETUNED,
    ),
    "the learning rate": (
        replace(
            "tiny.yaml", "      epochs: 1", "      epochs: 1\n      learning_rate: 0.01"
        ),
        XNLI | {"tune_model": 3, "evaluate_task": 4} | TUNED,
    ),
    "whose neurons are tuned": (
        replace(
            "tiny.yaml", "tuned_languages: [target]", "tuned_languages: [target, both]"
        ),
        # The table of random tunings has the marks of that of selected ones.
        {"tune_model": 1, "evaluate_task": 1, "tables of tasks": 2}
        | {"draw_effects": 1}
        | TUNED
        | FOLLOWS,
    ),
    "a kind of tuning": (
        append("tiny.yaml", "tunings:\n  masked: {mlp_targets: gate_up}\n"),
        {"tune_model": 2, "evaluate_task": 2, "tables of tasks": 2}
        | {"draw_effects": 1}
        | TUNED
        | FOLLOWS,
    ),
    "an evaluation language is added": (
        replace("tiny.yaml", "languages: [vi, hi]\n", "languages: [vi, hi, en]\n"),
        {"prepare_task": 1, "evaluate_task": 1, "tables of tasks": 1}
        | {"draw_effects": 1}
        | FOLLOWS,
    ),
    "a seed is added": (
        add_a_seed,
        {"tune_model": 4, "evaluate_task": 5, "draw_training": 2}
        | TASK_TABLES
        | FOLLOWS,
    ),
    "a model family is added": (
        replace(
            "workflow/scripts/langneurons/nn/models/families.py",
            '    "llama": Family("llama"),\n',
            '    "llama": Family("llama"),\n    "new": Family("new", up=None),\n',
        ),
        {},
    ),
    "the model as it is is evaluated too": (
        evaluate_as_it_is,
        {"evaluate_task": 1, "tables of tasks": 1, "draw_effects": 2} | FOLLOWS,
    ),
    "a task's file": (
        replace(str(LIBRARY / "tasks/xquad.py"), '" " * 12', '" " * 8'),
        {"prepare_task": 2, "tune_model": 1, "evaluate_task": 1}
        | {"tables of tasks": 1, "draw_effects": 2}
        | TUNED
        | FOLLOWS,
    ),
    "a corpus setting": (
        replace("tiny.yaml", "tokens: 1024", "tokens: 1152"),
        {
            "tokenise_corpus": 3,
            "hold_out_text": 2,
            "measure_activations": 9,
            "merge_activations": 3,
            "identify_neurons": 4,
            "draw_neurons": 3,
            "draw_shared": 3,
            "table of activations": 1,
        }
        | RETUNED,
    ),
    "which batches have their quantiles taken": (
        append("tiny.yaml", "activations: {batch_quantiles_every: 2}\n"),
        {
            "measure_activations": 6,
            "merge_activations": 3,
            "identify_neurons": 4,
            "draw_neurons": 3,
            "draw_shared": 3,
            "table of activations": 1,
        }
        | RETUNED,
    ),
}


def by_rule(expected: dict[str, int]) -> Counter[str]:
    """Count the tables of all kinds, which one rule builds."""
    found: Counter[str] = Counter()
    for name, jobs in expected.items():
        found["build_table" if name.startswith("table") else name] += jobs
    return found


def test_a_second_run_has_nothing_to_do(project: Path) -> None:
    assert planned(project) == Counter()


@pytest.mark.parametrize("name", CASES)
def test_an_edit_reruns_exactly_what_it_affects(project: Path, name: str) -> None:
    edit, expected = CASES[name]
    edit(project)
    jobs = planned(project)
    jobs.pop("all", None)
    assert jobs == by_rule(expected)


def computed(project: Path) -> dict[str, int]:
    """Read from the logs how many treatments the jobs of a language computed."""
    found: dict[str, int] = {}
    folder = project / "logs/results/evaluations/xnli/demo/attention"
    for log in sorted(folder.rglob("part-*.log")):
        match = re.search(r"computing (\d+)", log.read_text(encoding="utf-8"))
        assert match, log
        found[log.parent.name] = found.get(log.parent.name, 0) + int(match.group(1))
    return found


TABLE = "results/tables/xnli.tsv"
FOLDER = "results/evaluations/xnli/demo/attention/seed42/vi"
INDEX, RESULT = f"{FOLDER}/part-1-of-1.json", f"{FOLDER}/lape.world.mean.parquet"
EACH = 1 + 2 * 2 + 1  # none; mean and zero of LAPE and actprob; zero of random neurons


def delete(*paths: str) -> Callable[[Path], None]:
    def edit(project: Path) -> None:
        for path in paths:
            (project / path).unlink()

    return edit


def half_of_it(project: Path) -> None:
    """Leave what a job leaves behind that is killed in the middle."""
    delete(INDEX)(project)
    for path in sorted((project / FOLDER).glob("*.parquet"))[::2]:
        path.unlink()


def damage(project: Path) -> None:
    """Cut a treatment's file in half; Snakemake does not know it, so its index goes."""
    content = (project / RESULT).read_bytes()
    (project / RESULT).write_bytes(content[: len(content) // 2])
    delete(INDEX)(project)


def unchanged(project: Path) -> None:
    """Edit nothing."""


Case = tuple[Callable[[Path], None], tuple[str, ...], dict[str, int]]
TREATMENTS: dict[str, Case] = {
    "nothing": (unchanged, (), {}),
    "a statistic is added": (CASES["a statistic is added"][0], (), {"vi": 2, "hi": 2}),
    "a draw is added": (
        replace("tiny.yaml", "    draws: 1", "    draws: 2"), (), {"vi": 1, "hi": 1}
    ),
    "a selection is added": (
        replace("tiny.yaml", "[lape.world, a", "[entropy_lambda.world, lape.world, a"),
        (), {"vi": 2, "hi": 2},
    ),
    "a neuron language is added": (  # to that of the items
        replace(
            "tiny.yaml", "  transfer:", "  transfer:\n    neuron_languages: [vi, hi]"
        ),
        (), {"vi": EACH - 1, "hi": EACH - 1},
    ),
    "a selection is taken out": (
        replace("tiny.yaml", "actprob.world, ", ""), (), {"vi": 0, "hi": 0}
    ),
    "an index is deleted": (delete(INDEX), (), {"vi": 0}),
    "a treatment is deleted with its index": (delete(INDEX, RESULT), (), {"vi": 1}),
    "a job was killed half-way": (half_of_it, (), {"vi": 3}),
    "a result is damaged": (damage, (), {"vi": 1}),
    "jobs have other parts": (
        replace("tiny.yaml", "experiments:\n", "bundle_size: 4\nexperiments:\n"), (),
        {"vi": 0, "hi": 0},
    ),
    "the rule is forced": (unchanged, ("evaluate_task",), {"vi": EACH, "hi": EACH}),
    "one index is forced": (unchanged, (INDEX,), {"vi": EACH}),
}  # fmt: skip
"""An edit, what is forced, and how many treatments jobs of each language compute."""


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_rerun_computes_the_treatments_that_are_missing(
    project: Path, name: str
) -> None:
    edit, forced, expected = TREATMENTS[name]
    before = {p.name: p.read_bytes() for p in (project / FOLDER).glob("*.parquet")}
    assert len(before) == EACH
    edit(project)
    shutil.rmtree(project / "logs")
    # What only steps between need is not made again where the end is there: ask for it.
    targets = (TABLE,) if name == "jobs have other parts" else (TABLE, INDEX)
    options = ("--forcerun", *forced) if forced else ()
    snakemake(project, *targets, "--cores", "2", *options)
    assert computed(project) == expected
    after = {p.name: p.read_bytes() for p in (project / FOLDER).glob("*.parquet")}
    assert {k: after[k] for k in before} == before
    assert planned(project, TABLE) == Counter()
    listed: set[str] = set()
    for path in (project / FOLDER).glob("part-*-of-[12].json"):
        listed |= json.loads(path.read_bytes())["treatments"].keys()
    assert {f"{name}.parquet" for name in listed} <= after.keys()


def test_a_treatment_without_its_index_is_missed_by_name(project: Path) -> None:
    """Snakemake does not know the file of a treatment: the table's job looks."""
    delete(RESULT)(project)
    assert planned(project, TABLE) == Counter()
    text = snakemake(
        project, TABLE, "--cores", "1", "--forcerun", "build_table", check=False
    )
    wanted = f"{RESULT}: missing, but {INDEX} lists it; delete {INDEX} to evaluate"
    assert wanted in text


def test_neurons_are_exported_in_the_published_format(project: Path) -> None:
    snakemake(project, "--cores", "1", "results/neurons/demo/lape.world.pth")
    exported = project / "results/neurons/demo/lape.world.pth"
    lists = torch.load(exported, weights_only=True)
    record = json.loads((project / "results/neurons/demo/lape.world.json").read_text())
    assert [len(layers) for layers in lists] == [2, 2, 2]
    counts = [sum(len(ids) for ids in layers) for layers in lists]
    assert counts == [record["counts"][lang] for lang in ("en", "vi", "hi")]


def test_results_copied_without_records_of_snakemake_are_told_of(project: Path) -> None:
    shutil.rmtree(project / ".snakemake")
    CASES["the learning rate"][0](project)
    text = snakemake(project, "-n")
    assert count_jobs(text) == Counter()  # Snakemake itself notices nothing
    adapter = "results/adapters/xnli/demo/attention/seed42/adapter_model.safetensors"
    assert f"{adapter} (training.learning_rate: 0.005 then, 0.01 now)" in text
    assert "Snakemake has no record of 3 of them" in text


def test_a_wrong_path_is_refused_after_a_finished_run(project: Path) -> None:
    wrong = "results/demo_world/nli/tset-{lang}.tsv"
    replace(
        "tiny.yaml",
        "    languages: [vi, hi]\n",
        f"    languages: [vi, hi]\n    data: {{test: '{wrong}'}}\n",
    )(project)
    text = snakemake(project, "-n", check=False)
    assert "tasks.xnli.data.test: results/demo_world/nli/tset-vi.tsv does not" in text


def test_a_report_leaves_out_what_another_configuration_made(project: Path) -> None:
    append("tiny.yaml", "report: existing\n")(project)
    CASES["the learning rate"][0](project)
    page = "results/report.html"
    only = ("--allowed-rules", "build_report", "--forcerun", "build_report")
    snakemake(project, page, *only, "--cores", "1")
    text = (project / page).read_text(encoding="utf-8")
    shown = re.findall(r"File: <code>([^<]*)</code>", text)
    assert "results/tables/xquad.tsv" in shown
    assert "results/tables/xnli.tsv" not in shown
    left_out = text.partition('id="left-out"')[2].partition("</div>")[0]
    for name in ("xnli", "finetune_xnli", "random_xnli", "reproduction"):
        assert f"<code>results/tables/{name}.tsv</code>" in left_out
    assert "training.learning_rate: 0.005 then, 0.01 now" in left_out
