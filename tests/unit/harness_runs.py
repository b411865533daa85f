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
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

SPLIT = {"xcopa": "validation_split", "belebele": "fewshot_split"}


def requests(kind: str, code: str, path: Path) -> Any:
    """Make the harness's own task of a local file.

    Args:
        kind: ``xcopa`` or ``belebele``.
        code: what the harness calls the language.
        path: items, a JSON object per line.
    """
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager, _yaml_loader

    known = _manager(TaskManager).task_index[f"{kind}_{code}"]
    config = _yaml_loader.load_yaml(known.yaml_path)
    config |= {"dataset_path": "json", "dataset_name": None, "test_split": "test"}
    config |= {"dataset_kwargs": {"data_files": {"test": str(path)}}}
    config.pop(SPLIT[kind], None)
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
    """Print both columns for XCOPA (et, it, zh, th) and Belebele (en, de)."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "workflow" / "scripts"))
    from langneurons import tasks
    from langneurons.nn.evaluation.language_model import LanguageModel
    from langneurons.nn.models import loading

    model = loading.load_causal(folder, "cpu")
    tokenizer = loading.load_tokenizer(folder)
    lm = LanguageModel.of(model, tokenizer).in_batches(4)
    files = {("xcopa", c): data / f"xcopa/{c}/test.{c}.jsonl" for c in TESTED}
    files |= {("belebele", c): data / f"belebele/{c}.jsonl" for c in READ}
    scratch = tempfile.TemporaryDirectory()
    for (kind, code), path in files.items():
        cut = Path(scratch.name) / f"{kind}.{code}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()[:items]
        cut.write_text("\n".join(lines) + "\n", encoding="utf-8")
        theirs, right = scores(model, tokenizer, requests(kind, code, cut))
        task = tasks.load(kind)
        given = task.PARAMETERS.model_validate({"wording": "harness"})
        with contextlib.redirect_stderr(io.StringIO()):
            table = task.evaluate(lm, list(task.read_file(cut)), given, code)
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


TESTED = ("et", "it", "zh", "th", "ta", "tr")
READ = ("eng_Latn", "deu_Latn")

if __name__ == "__main__":
    compare(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
