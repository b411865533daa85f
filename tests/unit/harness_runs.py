"""Items scored by lm-evaluation-harness, as it reads, words and scores them itself.

Run by hand with a real model, and both columns are printed:
``python tests/unit/harness_runs.py MODEL_FOLDER DATA_FOLDER ITEMS``.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

SPLITS = ("training_split", "validation_split", "fewshot_split")


def requests(name: str, path: Path) -> Any:
    """Make the harness's own task of a local file.

    Args:
        name: of the task, there.
        path: items, a JSON object per line.
    """
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager, _yaml_loader

    known = _manager(TaskManager).task_index[name]
    config = _yaml_loader.load_yaml(known.yaml_path)
    config |= {"dataset_path": "json", "dataset_name": None, "test_split": "test"}
    config |= {"dataset_kwargs": {"data_files": {"test": str(path)}}}
    config = {key: value for key, value in config.items() if key not in SPLITS}
    task = ConfigurableTask(config=config)
    task.build_all_requests(rank=0, world_size=1)
    return task


@cache
def _manager(kind: Any) -> Any:
    """List the harness's tasks once, which takes seconds."""
    return kind()


def scores(model: Any, tokenizer: Any, task: Any) -> tuple[Any, list[float]]:
    """Score a task with the harness.

    Returns:
        Log-probabilities float64 [items, options], and whether each item is right.
    """
    from lm_eval.models.huggingface import HFLM

    with contextlib.redirect_stderr(io.StringIO()):
        lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, device="cpu")
        found = lm.loglikelihood(task.instances)
    logs: dict[int, list[Any]] = {}
    for one, answer in zip(task.instances, found, strict=True):
        logs.setdefault(one.doc_id, []).append(answer)
    documents = dict(task.doc_iterator(rank=0, limit=None, world_size=1))
    right = [task.process_results(documents[i], logs[i])["acc"] for i in sorted(logs)]
    return np.array([[x for x, _ in logs[i]] for i in sorted(logs)]), right


def compare(folder: Path, data: Path, items: int) -> None:
    """Print both columns for a few languages of each task that has real data."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "workflow" / "scripts"))
    from langneurons import tasks
    from langneurons.nn.evaluation.language_model import LanguageModel
    from langneurons.nn.models import loading

    model = loading.load_causal(folder, "cpu")
    tokenizer = loading.load_tokenizer(folder)
    lm = LanguageModel.of(model, tokenizer).in_batches(4)
    scratch = tempfile.TemporaryDirectory()
    for kind, code, name, rows in _real(data):
        cut = Path(scratch.name) / f"{name}.jsonl"
        lines = [json.dumps(row) for row in islice(rows, items)]
        cut.write_text("\n".join(lines) + "\n", encoding="utf-8")
        theirs, right = scores(model, tokenizer, requests(name, cut))
        task = tasks.load(kind)
        given = task.PARAMETERS.model_validate({"wording": "harness"})
        asked = list(ours_of(kind, cut))
        with contextlib.redirect_stderr(io.StringIO()):
            table = task.evaluate(lm, asked, given, code)
        ours = table.filter(regex="^logprob_").to_numpy()
        difference = float(np.abs(ours - theirs).max())
        row = {"task": kind, "language": code, "items": len(table)}
        row |= {
            "harness": float(np.mean(right)),
            "here": float(table["correct"].mean()),
        }
        row |= {"items that differ": int((table["correct"] != np.array(right)).sum())}
        print(json.dumps(row | {"largest difference, nats": difference}), flush=True)
        for i in range(3):
            print(f"  item {i}: {theirs[i].round(4)} | {ours[i].round(4)}", flush=True)
    scratch.cleanup()


def ours_of(kind: str, path: Path) -> Iterator[dict[str, Any]]:
    """Read a file of the harness as the task here does, which has XNLI in columns."""
    from langneurons import tasks

    if kind == "xnli_prompt":
        columns = ("premise", "hypothesis", "label")
        given = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        lines = ["\t".join(str(row[x]) for x in columns) for row in given]
        path = path.with_suffix(".tsv")
        text = "\n".join(["\t".join(columns), *lines]) + "\n"
        path.write_text(text, encoding="utf-8")
    return tasks.load(kind).read_file(path)


def _real(data: Path) -> Iterator[tuple[str, str, str, Iterator[dict[str, Any]]]]:
    """List kind, language, the harness's task and its rows, of each file."""
    from langneurons import tasks

    for code in ("et", "it", "zh", "th", "ta", "tr"):
        path = data / f"xcopa/{code}/test.{code}.jsonl"
        yield "xcopa", code, f"xcopa_{code}", _objects(path)
    for code in ("eng_Latn", "deu_Latn"):
        path = data / f"belebele/{code}.jsonl"
        yield "belebele", code, f"belebele_{code}", _objects(path)
    winograd = list(tasks.load("xwinograd").read_file(data / "xwinograd/dataset.tsv"))
    for code in ("en", "fr", "ja", "pt", "ru", "zh"):
        own = (row for row in winograd if row["language"] == code)
        given = ({**row, "answer": str(row["label"] + 1)} for row in own)
        name = f"xwinograd_{'jp' if code == 'ja' else code}"
        yield "xwinograd", code, name, map(_nameless, given)
    exams = list(tasks.load("include").read_file(data / "exams/test.jsonl"))
    for code, language in {
        "vi": "vietnamese",
        "tr": "turkish",
        "it": "italian",
    }.items():
        own = (row for row in exams if row["language"] == code)
        name = f"include_base_44_{language}_stem"
        yield "include", code, name, map(_base, own)
    for code in ("en", "de", "vi", "zh", "ar", "sw"):
        path = data / f"xnli/test-{code}.tsv"
        rows = tasks.load("xnli").read_file(path)
        yield "xnli_prompt", code, f"xnli_{code}", rows


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _nameless(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "language"}


def _base(row: dict[str, Any]) -> dict[str, Any]:
    """Write a question of EXAMS as include-base has them, all of one domain."""
    answers = {f"option_{x}": y for x, y in zip("abcd", row["choices"], strict=True)}
    asked = {"question": row["question"], "answer": row["label"], "domain": "STEM"}
    return asked | answers


if __name__ == "__main__":
    compare(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
