"""This project against lm-evaluation-harness, which scores the same and how fast.

Model, items and wording are the same, both score in turn within a round, and the
scores must agree to 1e-4 nats. Both take the same number as their batch: texts in the
harness, items here, whose options then pass together. Both start from items that are
read and end with a log-probability of every option; the harness has worded its
requests before. mLAMA is no task of the harness: it is given the same prompts with
each of their objects, which is how one would do it there.

``make bench`` runs it with random weights and made-up items, where the harness is
(``make test-harness`` installs it); with a real model and real items:
``python -m benchmarks.race MODEL_FOLDER DATA_FOLDER``. A vocabulary as large as Gemma
3's makes the harness slower: it scores all of it after every token of a text.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.nn.evaluation.language_model import LanguageModel
from langneurons.tasks.mlama import prompt

from . import courses, shapes
from .courses import LANGUAGES, Course
from .measuring import Row, Run, Setting, Variant, compare, row, silence

Scores = np.ndarray[Any, Any]

# Items of XCOPA, XWinograd, Belebele and mLAMA, and texts in a batch.
SIZES = {
    "tiny": ((4, 4, 3, 2), 3),
    "gemma270m": ((24, 24, 6, 8), 8),
    "llama8b": ((256, 256, 128, 64), 32),
}
# No slower, and noise: where no context is shared and the vocabulary is small, both do
# the same work.
TARGETS = {"xcopa": 1.03, "xwinograd": 1.03, "belebele": 1.03, "mlama": 0.5}
ALIKE = 1e-4
"""Nats by which two scores of an option may differ."""


def absent() -> str:
    """Say why there is no race; empty where there can be one."""
    if importlib.util.find_spec("lm_eval") is None:
        return (
            "lm-evaluation-harness is absent; `make test-harness` installs it where "
            "`make bench` finds it"
        )
    return ""


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run, none where the harness is absent."""
    if absent():
        return []
    found = shapes.settings([n for n in names if n in SIZES], device, repeats)
    return [setting for setting in found if setting.dtype != "nf4"]


def rows(setting: Setting) -> list[Row]:
    """Time both, and see that they agree."""
    found: dict[str, Scores] = {}
    timed = compare("race", partial(variants, found), setting)
    return [*timed, *agreement(found, setting)]


def agreement(found: dict[str, Scores], setting: Setting) -> list[Row]:
    """Compare the scores of the last round.

    Raises:
        DataError: some differ by more than ``ALIKE``.
    """
    listed = []
    for kind in TARGETS:
        theirs = found[f"{kind}_harness"]
        apart = float(np.abs(found[kind] - theirs).max())
        if not apart <= ALIKE:  # nor where one is not a number
            raise DataError(
                f"race: {kind}: scores differ by {apart:.2g} nats from those of "
                f"lm-evaluation-harness, {ALIKE:g} are allowed"
            )
        measure = "largest difference, nats"
        more: dict[str, Any] = {"measure": measure, "value": apart, "target": ALIKE}
        listed.append(row("race", setting, kind, **more))
    return listed


def variants(found: dict[str, Scores], setting: Setting) -> list[Variant]:
    """List both for each task; the harness is the baseline.

    Args:
        found: given the scores of each variant when it runs.
        setting: shape, device and repeats.
    """
    items, batch = SIZES[setting.shape]

    @cache
    def model() -> Any:
        return shapes.build(setting, "causal")

    words = shapes.configuration(setting.shape).vocab_size
    listed = courses.made_up(items, words)
    ways = _of_courses(found, listed, model, courses.tokenizer(words), batch)
    if setting.shape == "tiny":
        ways = [replace(way, target=None) for way in ways]
    return ways


def _of_courses(
    found: dict[str, Scores],
    listed: Sequence[Course],
    model: Callable[[], Any],
    tokenizer: Any,
    batch: int,
) -> list[Variant]:
    def kept(name: str, make: Callable[[], Callable[[], Scores]]) -> Callable[[], Run]:
        def making() -> Run:
            scored = make()

            def run() -> None:
                found[name] = scored()

            return run

        return making

    ways = []
    for course in listed:
        kind, count = course.kind, len(course.rows)
        name = f"{kind}_harness"
        harness = partial(theirs, course, model, tokenizer, batch)
        own = partial(ours, course, model, tokenizer, batch)
        ways.append(Variant(name, kept(name, harness), count, "items", None))
        target = TARGETS[kind]
        ways.append(Variant(kind, kept(kind, own), count, "items", name, target))
    return ways


def ours(
    course: Course, model: Callable[[], Any], tokenizer: Any, batch: int
) -> Callable[[], Scores]:
    """Prepare scoring with this library; the function returns [items, options]."""
    task = tasks.load(course.kind)
    given = task.PARAMETERS.model_validate(course.parameters)
    with tempfile.TemporaryDirectory() as folder:
        items = _of(course, task.read_file(course.write(Path(folder))))
    lm = LanguageModel.of(model(), tokenizer).in_batches(batch)

    def score() -> Scores:
        table = task.evaluate(lm, items, given, course.lang)
        return np.asarray(table.filter(regex="^logprob_").to_numpy(), np.float64)

    return score


def theirs(
    course: Course, model: Callable[[], Any], tokenizer: Any, batch: int
) -> Callable[[], Scores]:
    """Prepare scoring with the harness; the function returns [items, options]."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    from lm_eval.models.huggingface import HFLM

    with tempfile.TemporaryDirectory() as folder, silence():
        requests = _requests(course, Path(folder))
    whole = model()
    lm = HFLM(
        pretrained=whole,
        tokenizer=tokenizer,
        batch_size=batch,
        device=whole.device.type,
    )

    def score() -> Scores:
        answers = lm.loglikelihood(requests, disable_tqdm=True)
        sums = np.array([logprob for logprob, _ in answers])
        return sums.reshape(len(course.rows), -1)

    return score


def _requests(course: Course, folder: Path) -> list[Any]:
    """Word items as the harness does, which reads them from a file in its own way."""
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import _yaml_loader

    path = course.write(folder)
    if course.theirs:
        config = _yaml_loader.load_yaml(_known()[course.theirs].yaml_path)
        files = {"data_files": {"test": str(path)}, "cache_dir": str(folder / "cache")}
        config |= {"dataset_path": "json", "dataset_name": None, "test_split": "test"}
        config |= {"dataset_kwargs": files}
        for split in ("training_split", "validation_split", "fewshot_split"):
            config.pop(split, None)
        task = ConfigurableTask(config=config)
        task.build_all_requests(rank=0, world_size=1)
        return list(task.instances)
    asked = _of(course, tasks.load(course.kind).read_file(path))
    texts = [
        (prompt(one, "prefix"), f" {one['objects'][code]}")
        for one in asked
        for code in LANGUAGES
    ]
    return [Instance("loglikelihood", {}, text, i) for i, text in enumerate(texts)]


@cache
def _known() -> Any:
    """List the harness's tasks once, which takes seconds."""
    from lm_eval.tasks import TaskManager

    return TaskManager().task_index


def _of(course: Course, items: Any) -> list[Any]:
    """Keep a language's items of a file that has several."""
    return [one for one in items if one.get("language", course.lang) == course.lang]


def main(arguments: list[str] | None = None) -> None:
    """Race with a real model and real items, on a CPU."""
    from . import suite

    parser = argparse.ArgumentParser("python -m benchmarks.race", description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a language model")
    parser.add_argument("data", type=Path, help="folder of the items")
    parser.add_argument("--items", type=int, nargs=4, default=[48, 48, 12, 12])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args(arguments)
    if reason := absent():
        raise SystemExit(f"error: {reason}")
    os.environ["HF_HUB_OFFLINE"] = "1"
    setting = Setting(given.model.name, repeats=given.repeats)
    found: dict[str, Scores] = {}
    where = (given.model, given.data, tuple(given.items), given.batch)
    timed = compare("race", partial(_of_real, found, *where), setting)
    print(suite.text([*timed, *agreement(found, setting)]))


def _of_real(
    found: dict[str, Scores],
    folder: Path,
    data: Path,
    items: Sequence[int],
    batch: int,
    setting: Setting,
) -> list[Variant]:
    from langneurons.nn.models import loading

    model = cache(partial(loading.load_causal, folder, setting.device))
    tokenizer = loading.load_tokenizer(folder)
    return _of_courses(found, courses.real(data, items), model, tokenizer, batch)


if __name__ == "__main__":
    main()
