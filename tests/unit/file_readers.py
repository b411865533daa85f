"""Every kind of file that a user hands over or a crash can damage, with its reader."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

import evaluation_files
import tiny_models
from activation_files import build, heavy_tailed
from langneurons.config.task_entries import Training
from langneurons.costs import spending
from langneurons.figures import effects, selections
from langneurons.figures import training as learning
from langneurons.jobs import batching, files, manifests, provenance, tensors
from langneurons.methods import published as published_neurons
from langneurons.neurons import neuron_sets
from langneurons.neurons.chunk_statistics import ChunkStatistics
from langneurons.neurons.recorded_activations import Activations
from langneurons.nn.evaluation import perplexity, treatments
from langneurons.nn.models import adapter_files, folders, foreign_adapters, tuned
from langneurons.nn.recording import measuring
from langneurons.nn.tuning import adapters, training
from langneurons.published import numbers, numbers_file
from langneurons.report import adapter_card, inputs, origin
from langneurons.tables import perplexity as perplexity_table
from langneurons.tables.common import (
    columns,
    evaluations,
    reproduction_numbers,
    task_columns,
    task_table,
)
from langneurons.tables.common.perplexities import Perplexities
from langneurons.tasks import belebele, include, mlama, xcopa, xnli, xquad, xwinograd
from langneurons.text import corpora

LANGUAGES = ("en", "vi")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: of the file.
        make: writes a good one, and what lies beside it, into a folder; returns its
            path.
        read: reads it as jobs do.
        text: whether it is UTF-8 text.
        users: whether it is a user's own file, not one that the workflow made.
        cost: of reading it, in some milliseconds; it is damaged less often.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    text: bool = True
    users: bool = False
    cost: int = 1


def _text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(content, encoding="utf-8")
        return path

    return make


def _json(name: str, content: object) -> Callable[[Path], Path]:
    return _text(name, json.dumps(content, ensure_ascii=False, indent=1))


NLI = "premise\thypothesis\tlabel\n" + "".join(
    f"một {i} của tôi\tđúng {i}\t{i % 3}\n" for i in range(12)
)
SQUAD = {
    "data": [
        {
            "title": "t",
            "paragraphs": [
                {
                    "context": f"Tháp {i} màu đỏ.",
                    "qas": [
                        {
                            "id": str(i),
                            "question": "Màu gì?",
                            "answers": [{"text": "đỏ", "answer_start": 12}],
                        }
                    ],
                }
                for i in range(3)
            ],
        }
    ]
}
ITEMS = "".join(
    json.dumps({"id": i, "premise": f"p {i}", "hypothesis": "h", "label": i % 3}) + "\n"
    for i in range(8)
)
QUESTIONS = "".join(
    json.dumps({"id": i, "context": f"c {i}", "question": "q", "answers": ["a"]}) + "\n"
    for i in range(8)
)
CAUSES = "".join(
    json.dumps({"premise": f"đỏ {i}.", "choice1": "Một", "choice2": "Hai", "idx": i})[
        :-1
    ]
    + f', "question": "cause", "label": {i % 2}}}\n'
    for i in range(8)
)
PASSAGES = "".join(
    json.dumps({"flores_passage": f"{i}.", "question": "Màu gì?", "mc_answer1": "đỏ"})
    [:-1] + f', "mc_answer2": "a", "mc_answer3": "b", "mc_answer4": "{i}", '
    f'"correct_answer_num": "{1 + i % 4}"}}\n'
    for i in range(8)
)  # fmt: skip
PRONOUNS = "".join(
    json.dumps({"sentence": f"Đỏ {i} _ là.", "option1": "Một", "option2": "Hai"})[:-1]
    + f', "answer": "{1 + i % 2}"}}\n'
    for i in range(8)
)
OFFICIAL_PRONOUNS = "".join(
    f'en\tx\t?\tMột {i} là đỏ.\t["Một", "{i}", "là", "đỏ", "."]\t'
    '["là", [2, 3], ["là"]]\t[["a", [0, 1], ["a"], true], '
    '["b", [1, 2], ["b"], false]]\n'
    for i in range(8)
)
EXAMS = "".join(
    json.dumps({"question": f"Màu {i}?", "choices": ["đỏ", "a", "b", f"{i}"]})[:-1]
    + f', "answer": {i % 4}}}\n'
    for i in range(8)
)
FACTS = "".join(
    json.dumps({"relation": "P36", "sub": {"en": f"s {i}"}, "obj": {"en": "o"}}) + "\n"
    for i in range(8)
)
TEMPLATES = "relation\ten\nP36\t[X] is [Y] .\nP17\t[X] lies in [Y]\n"
FACT_ITEMS = "".join(
    json.dumps({"id": i, "relation": "P36", "template": "[X] is [Y]", "subject": "s"})[
        :-1
    ]
    + ', "objects": {"en": "o"}}\n'
    for i in range(8)
)


def _facts(name: str) -> Callable[[Path], Path]:
    """Write facts and their templates; one of both is what is damaged."""

    def make(folder: Path) -> Path:
        _text("facts.jsonl", FACTS)(folder)
        _text("templates.tsv", TEMPLATES)(folder)
        return folder / name

    return make


def _read_facts(path: Path) -> object:
    return list(mlama.TASK.read_file(path.with_name("facts.jsonl")))


def _documents(path: Path) -> object:
    found = corpora.Documents(path, "en")
    return list(found.read(np.arange(len(found))))


def _neurons(folder: Path) -> Path:
    lists = {lang: {0: [1, 4], 1: [2]} for lang in LANGUAGES}
    sets = neuron_sets.NeuronSets(
        "lape", "s", "lape", "m", "r1", 2, 24, "gate_pre", lists
    )
    sets.write(folder / "n.json")
    return folder / "n.json"


def _read_neurons(path: Path) -> object:
    sets = neuron_sets.NeuronSets.read(path)
    return [sets.mask(lang) for lang in LANGUAGES]


def _published_neurons(folder: Path) -> Path:
    published_neurons.write_published(
        neuron_sets.NeuronSets.read(_neurons(folder)), folder / "n.pth"
    )
    return folder / "n.pth"


def _activations(folder: Path) -> Path:
    pre = heavy_tailed(0, 40, 2, 6)
    path = folder / "en.safetensors"
    more = np.ones((40, 2, 6), np.float32)
    build(path, pre, batch_tokens=10, chunk_means=4, contribution_top=0.5,
          contributions=more)  # fmt: skip
    return path


def _read_activations(path: Path) -> object:
    one = Activations.open(path)
    assert isinstance(one, ChunkStatistics)
    one.probability(), one.counts(), one.chunk_means("gate_pre", 1), one.top_chunks()
    one.product_sums(), one.value("p90", "gate_pre", "batch_mean")
    one.fraction_above(0.5, "act_post")
    return one.value("p90", "act_post", "pooled"), one.value(
        "mean", "gate_pre", "pooled"
    )


def _tokens(folder: Path) -> Path:
    arrays = {name: np.ones((6, 8), np.int32) for name in ("tokens", "heldout")}
    starts = np.array([0, 5, 9], np.int64)
    tensors.write(folder / "t.safetensors", arrays | {"document_starts": starts})
    return folder / "t.safetensors"


def _read_tokens(path: Path) -> object:
    shard = measuring.read_shard(path, 2, 0, 1, "document")
    assert shard.documents is not None
    return shard.documents.position_ids(0, 2), perplexity.read_heldout(path, 3, "x")


def _model(folder: Path) -> Path:
    made = _made_once(tiny_models_folder)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return folder / "config.json"


MANIFEST = {
    "format": "langneurons/model/1", "model": "m", "source": "here", "revision": "r1",
    "family": "llama", "dtype": "float32", "layers": 2, "intermediate_size": 24,
    "hidden_size": 16, "quantization": "none",
    "files": {"config.json": "0" * 64},
}  # fmt: skip


def tiny_models_folder(folder: Path) -> None:
    """Save a tiny classifier with a trained adapter beside it."""
    model = tiny_models.build("llama", "classifier")
    model.save_pretrained(folder)
    settings = Training(rank=2, alpha=4, learning_rate=0.01, epochs=1, batch_size=4)
    wrapped = adapters.wrap(
        tuned.prepare(model), "llama", {"kind": "attention"}, settings, 1
    )
    out = folder / "adapter"
    made = out / adapters.ADAPTER, out / adapters.CONFIG
    adapters.save(wrapped, *made, MANIFEST, folder)


def _adapter(name: str) -> Callable[[Path], Path]:
    return lambda folder: _model(folder).parent / "adapter" / name


def _read_adapter(path: Path) -> object:
    model = tiny_models.build("llama", "classifier")
    return tuned.open_adapter(model, path.parent)


def _read_training(path: Path) -> object:
    files.read_object(path, "the record of a training", adapter_card.SUMMARY)
    return learning.curves([path], [("attention", 42)])


def _adapter_of_others(path: Path) -> object:
    found = adapter_files.Adapter.read(path.parent, str(path))
    found.require_layers(2)
    found.require_head("x", ["a", "b", "c"])
    foreign_adapters.compare(found, path.parent, path.parents[1], ["a", "b", "c"])
    return found


def _checkpoint(folder: Path) -> Path:
    model, optimizer, losses = _learner()
    saved = training.Checkpoint(folder, "key")
    saved.save(1, model, optimizer, losses)
    return saved.path


def _learner() -> tuple[Any, Any, torch.Tensor]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return model, optimizer, torch.zeros(4)


def _read_checkpoint(path: Path) -> object:
    return training.Checkpoint(path.parent, "key").load(*_learner())


class _Gpu:
    name, gib = "H1", 8

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name}: the cache alone is read here")


def _cache(folder: Path) -> batching.MicroBatch:
    found = batching.MicroBatch(4, _Gpu(), "m", folder=folder)  # type: ignore[arg-type]
    found._work = "record", 16
    return found


def _micro_batch(folder: Path) -> Path:
    kept = _cache(folder)
    kept._remember("memory")
    return kept._path()


def _evaluation(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        row = evaluation_files.row("vi", "none")
        right = evaluation_files.right(30, 12)
        path = evaluation_files.write(folder, row, "none", accuracy=right)
        return path.with_name(name)

    return make


def _read_evaluation(path: Path) -> object:
    metrics = evaluation_files.XNLI
    rows = [evaluation_files.row("vi", "none")]
    found = evaluations.Evaluations([path.with_name(INDEX)], {"xnli": metrics})
    read = [found.of(row, task="xnli") for row in rows]
    return task_table.task_table(rows, read, metrics, resamples=10)


INDEX = "part-1-of-1.json"
PERPLEXITY = {"n_chunks": 2, "n_tokens": 14, "nll": 2.5, "n_neurons": 0}


def _perplexity(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "none.parquet"
        pd.DataFrame({"nll": [2.25, 2.75], "tokens": [7, 7]}).to_parquet(path)
        listed = {"none": PERPLEXITY | {"sha256": files.sha256(path)}}
        made = {"corpus": "c", "model": "m", "lang": "vi", "treatments": listed}
        files.write_json(folder / INDEX, made)
        return folder / name

    return make


def _read_perplexity(path: Path) -> object:
    row = {"model": "m", "lang": "vi", "method": None, "langset": None, "draw": None}
    row |= {"matched": None, "neuron_lang": None, "statistic": "none"}
    row |= {"treatment": "none", "corpus": "c"}
    found = Perplexities([path.with_name(INDEX)])
    return perplexity_table.perplexity_table([row], [found.of(row)])


def _treatment(folder: Path) -> Path:
    run = treatments.Run("none", {}, folder / "none.parquet", {"code": "x"})
    table = pd.DataFrame({"item": np.arange(3, dtype=np.int32)})
    treatments.write(run, {"lang": "vi"}, {"n": 3}, table)
    return run.path


def _table(folder: Path) -> Path:
    study = evaluation_files.Study(folder, evaluation_files.XNLI)
    for lang in LANGUAGES:
        for i, treatment in enumerate(("none", "lape.s.zero")):
            right = evaluation_files.right(30, 12 + i)
            study.add(lang, treatment, {}, accuracy=right)
    table = task_table.task_table(
        study.rows, study.evaluations, study.metrics, resamples=10
    )
    columns.write_tsv(folder / "xnli.tsv", table)
    return folder / "xnli.tsv"


def _read_table(path: Path) -> object:
    known = [{"name": "xnli", "table": "interventions", "spec": {}}]
    columns.read_table(path, task_columns.COLUMNS, effects.NEEDED)
    return inputs.read_table(path, known)


def _provenance(folder: Path) -> Path:
    out = folder / "x.tsv"
    out.write_text("a\n")
    inside = {"model": {"results/a": "0" * 64}}
    provenance.write([out], "rule", {"a": 1}, "code", inside, 1.0)
    return provenance.path_of(out)


def _read_provenance(path: Path) -> object:
    out = path.with_name("x.tsv")
    origin.trace([out], {}, {})
    return provenance.hashes({"out": [out]})


def _read_figures(path: Path) -> object:
    whole = numbers_file.read(path)
    numbers.figures.cache_clear()
    numbers._cells.cache_clear()
    key = numbers.Key("llama31", "attention", "xnli", "vi", "lape", "zero")
    numbers.values(key, path)
    numbers.set_used("lape", "vi", path)
    for entry in whole["neuron_sets"]:
        selections.published_counts(entry)
        selections.published_overlap(entry)
        selections.published_layers(entry)
    return reproduction_numbers.table(whole, {}, {})


def _figures(folder: Path) -> Path:
    """A shortened file: the whole one takes long to read a thousand times."""
    whole = json.loads(numbers.FIGURES.read_text(encoding="utf-8"))
    for part in numbers_file.TABLES:
        whole[part]["rows"] = whole[part]["rows"][:6]
    whole["neuron_sets"] = whole["neuron_sets"][:2]
    return _json("published.json", whole)(folder)


def _merge(path: Path) -> object:
    import merge_activations

    job = SimpleNamespace(
        inputs={"shards": [path]}, outputs={"out": path.with_name("whole.safetensors")}
    )
    merge_activations.main(job)  # type: ignore[arg-type]
    return job


def _shard(folder: Path) -> Path:
    arrays, metadata = tensors.read(_activations(folder))
    path = folder / "shard.safetensors"
    tensors.write(path, arrays, metadata | {"shard": "0", "shards": "1"})
    return path


SPENT = "s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t100.0\t11.0\n"
TRAINED = {
    "format": "langneurons/training/1", "items": 8, "steps": 2, "final_loss": 0.5,
    "trainable_parameters": 9, "loss_curve": [{"step": 2, "loss": 0.5}],
}  # fmt: skip
TOKENS = {"tokens_sha256": "0" * 64, "tokens": 48}
KINDS = [
    Kind("xnli.tsv", _text("a.tsv", NLI), lambda p: list(xnli.TASK.read_file(p)),
         users=True),
    Kind("xquad.json", _json("a.json", SQUAD), lambda p: list(xquad.TASK.read_file(p)),
         users=True),
    Kind("xcopa.jsonl", _text("x.jsonl", CAUSES),
         lambda p: list(xcopa.TASK.read_file(p)), users=True),
    Kind("belebele.jsonl", _text("b.jsonl", PASSAGES),
         lambda p: list(belebele.TASK.read_file(p)), users=True),
    Kind("xwinograd.jsonl", _text("w.jsonl", PRONOUNS),
         lambda p: list(xwinograd.TASK.read_file(p)), users=True),
    Kind("xwinograd.tsv", _text("w.tsv", OFFICIAL_PRONOUNS),
         lambda p: list(xwinograd.TASK.read_file(p)), users=True),
    Kind("include.jsonl", _text("e.jsonl", EXAMS),
         lambda p: list(include.TASK.read_file(p)), users=True),
    Kind("facts.jsonl", _facts("facts.jsonl"), _read_facts, users=True),
    Kind("templates.tsv", _facts("templates.tsv"), _read_facts, users=True),
    Kind("fact items", _text("i.jsonl", FACT_ITEMS), mlama.TASK.read_items),
    Kind("text.txt", _text("en.txt", "một hai\nba bốn\n\n" * 8), _documents,
         users=True),
    Kind("text.jsonl", _text("en.jsonl", '{"text": "một hai"}\n' * 9), _documents,
         users=True),
    Kind("xnli items", _text("i.jsonl", ITEMS), xnli.TASK.read_items),
    Kind("xquad items", _text("i.jsonl", QUESTIONS), xquad.TASK.read_items),
    Kind("neurons.json", _neurons, _read_neurons),
    Kind("neurons.pth", _published_neurons,
         lambda p: published_neurons.read_published(p, LANGUAGES, 2, 24), text=False,
         users=True),
    Kind("activations", _activations, _read_activations, text=False),
    Kind("activation shard", _shard, _merge, text=False),
    Kind("tokens", _tokens, _read_tokens, text=False),
    Kind("token manifest", _json("t.json", TOKENS), manifests.read_tokens),
    Kind("model manifest", _json("manifest.json", MANIFEST), manifests.read_model),
    Kind("config.json", _model, lambda p: folders.describe(p.parent), users=True),
    Kind("adapter config", _adapter(adapters.CONFIG), _read_adapter, cost=10),
    Kind("adapter", _adapter(adapters.ADAPTER), _read_adapter, text=False, cost=10),
    Kind("training record", _json("training.json", TRAINED), _read_training),
    Kind("their adapter config", _adapter(adapters.CONFIG), _adapter_of_others,
         users=True, cost=10),
    Kind("their adapter", _adapter(adapters.ADAPTER), _adapter_of_others, text=False,
         users=True, cost=10),
    Kind("checkpoint", _checkpoint, _read_checkpoint, text=False),
    Kind("micro-batch", _micro_batch, lambda p: _cache(p.parent)._recall()),
    Kind("evaluations", _evaluation(INDEX), _read_evaluation, cost=4),
    Kind("evaluation", _evaluation("none.parquet"), _read_evaluation, text=False,
         cost=4),
    Kind("perplexities", _perplexity(INDEX), _read_perplexity),
    Kind("perplexity", _perplexity("none.parquet"), _read_perplexity, text=False),
    Kind("treatment", _treatment, treatments.read_record, text=False),
    Kind("table", _table, _read_table, cost=6),
    Kind("provenance", _provenance, _read_provenance),
    Kind("published figures", _figures, _read_figures, users=True, cost=3),
    Kind("benchmark", _text("b.tsv", SPENT), spending.read),
]  # fmt: skip


@cache
def _made_once(make: Callable[[Path], None]) -> Path:
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="readers-"))
    make(folder)
    return folder


@contextmanager
def quiet() -> Iterator[None]:
    """Keep numpy and libraries from warning of values that damage makes."""
    import warnings

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
