"""What a job costs before any was run: speeds and sizes, each with its source.

They are right within a factor of two, which is enough to choose a grid, a partition and
a disk. ``planning`` puts measured times of earlier jobs in their place.

Arithmetic (FLOP): 2 x parameters for each token of a forward pass; training is three
forward passes (Kaplan et al. 2020, section 2.1). For LoRA that is an upper bound: the
frozen weights need no gradient, which about pays for unpacking 4-bit weights.
"""

from __future__ import annotations

import glob
import math
import os
import re
from functools import cache
from pathlib import Path

from langneurons import tasks
from langneurons.config.catalogue import Activations, Corpus, Model
from langneurons.config.fields import Frozen
from langneurons.config.schema import Config
from langneurons.config.task_entries import Task, Training, Tuning

LINE_PER_ITEM = {".tsv", ".jsonl", ".csv"}
PLACEHOLDER = re.compile(r"\{\w+\}")

GPU_FROM = 3e8
"""Parameters: jobs of smaller models run on the CPU; Gemma 3 270M is one."""

NEURON_BYTES = 2052
"""Of a neuron's statistics: 481 bins of 4 bytes, counts and sums."""

FORWARD = 2
"""FLOP per parameter and token."""

TRAINING = 3 * FORWARD

FLOPS = {"a100": 1.2e14, "h100": 4.0e14, "h200": 4.2e14, "cpu": 5e10}
"""Sustained FLOP/s: 0.4 of the dense bf16 peak (312, 989 and 989 T), assumed; two CPU
cores: measured on models of 0.3 M parameters."""

FLOAT32 = {"a100": 1.2e13, "h100": 4.0e13, "h200": 4.0e13, "cpu": 5e10}
"""The same of models in float32: 0.6 of the peak without tensor cores (19.5, 67 and 67
T), assumed. TF32 is faster, but rounds as 16 bits do, and is off."""

START = 20.0
"""Seconds of a job before its model is loaded: two starts of Snakemake on the node,
imports of torch and transformers: 10 s here, twice that on a shared file system."""

READ = 5e8
"""Bytes/s from a shared file system to a GPU, of weights and of results."""

DOWNLOAD = 3e7
"""Bytes/s from the hub."""

DECODING = 4e11
"""Bytes/s of 16-bit weights passed through for one more token of a batch. Kernel starts
and unpacking bound it, not memory: 40 ms a token with 8 B parameters."""

RECORDING = 0.05
"""Share of a forward pass that all sums, counts and histograms take besides it."""

BATCH_QUANTILES = 0.25
"""The same for the percentiles of one batch and site: estimated for a GPU (see
``nn.kernels``), 0.13 measured on two CPU cores with 0.27 B parameters."""

TOKENISING = 5e5
"""Tokens/s of a fast tokenizer on one core, with reading and packing."""

SENTENCE = 50
"""Tokens of a sentence of news, assumed: some 30 in English, and 166 in Tamil with the
vocabulary of Qwen 2.5."""

SMALL_JOB = 10.0
"""Seconds of a job without a model: tables, figures, items."""

PROBE = 12
"""Tokens of a prompt that asks for a word, assumed."""

ANSWER = 30
"""Tokens of a word that is generated: the study's limit."""

COMPARING = 100.0
"""Seconds of a similarity of recorded neurons with 200 draws on two CPU cores, of a
model of 8 B parameters: 1,720 neurons of each language in 12 layers, 500 probes and 6
candidates (a seventh of `python -m benchmarks --only similarity`)."""

COMPARED = 8e9
"""Parameters of that model."""

SELECTED = 0.01
"""Share of all neurons that a selection has of a language: what methods that rank all
neurons take by default. Neurons of several languages count for each."""

BATCH = 16
"""Sequences decoded side by side."""

HIDDEN_UNITS = 0.036
"""layers x hidden size over parameters^(2/3): Llama 3.1 8B .033, Nemo .039, 70B .038"""


def weight_bytes(entry: Model) -> float:
    """Return the size of a model as jobs load it: 4-bit (0.6 bytes a weight) or not."""
    if entry.quantization == "nf4":
        return 0.6 * entry.parameters
    return fetched_bytes(entry)


def fetched_bytes(entry: Model) -> float:
    """Return the size of a model as it is fetched, 16 bits a weight or 32."""
    return (4 if entry.dtype == "float32" else 2) * entry.parameters


def statistics_bytes(parameters: float) -> float:
    """Return about the size of an activations file of a model of that size.

    MLP neurons grow with the power 2/3 of the parameters: 458,752 for Llama 3.1 8B,
    573,440 for Nemo 12B and 2,293,760 for Llama 3.1 70B are within 15 %.
    """
    neurons = 0.12 * parameters ** (2 / 3)
    return float(NEURON_BYTES * neurons)


def recorded_bytes(model: Model, probes: int, languages: int) -> float:
    """Return the size of the float32 activations of a selection on some probes.

    Args:
        model: its entry.
        probes: how many.
        languages: of the selection; the neurons of all are recorded (upper bound).
    """
    neurons = statistics_bytes(model.parameters) / NEURON_BYTES
    return 4 * probes * neurons * min(1.0, SELECTED * languages)


def flops(model: Model, gpu: str) -> float:
    """Return FLOP/s of a job; GPUs that share a model take turns, so one counts."""
    plain = model.quantization == "none" and model.dtype == "float32"
    return (FLOAT32 if plain else FLOPS)[gpu if model.parameters >= GPU_FROM else "cpu"]


def comparing(model: Model) -> float:
    """Return seconds of a similarity of recorded neurons: the square of their number.

    Neurons grow with the power 2/3 of the parameters; see ``statistics_bytes``.
    """
    return SMALL_JOB + COMPARING * (model.parameters / COMPARED) ** (4 / 3)


def loading(model: Model) -> float:
    """Return seconds from the start of a job until its model is loaded."""
    return START + weight_bytes(model) / READ


def decoding(model: Model, items: int, made: int, gpu: str) -> float:
    """Return seconds of generating ``made`` tokens per item (upper bound)."""
    steps = math.ceil(items / BATCH) * made
    arithmetic = FORWARD * model.parameters * BATCH / flops(model, gpu)
    if model.parameters < GPU_FROM:
        return steps * (arithmetic + 0.005)  # 5 ms of Python a step
    return steps * max(2 * model.parameters / DECODING, arithmetic)


def recorded_tokens(entry: Corpus) -> float:
    """Return about how many tokens of a language are recorded."""
    rows = entry.rows("recorded") if entry.sentences else None
    if rows is None or rows.below is None:
        return entry.tokens
    return min(entry.tokens, SENTENCE * (rows.below - rows.at_least))


def recording(recorded: Activations) -> float:
    """Return the cost of a forward pass that is recorded, in bare forward passes."""
    sites = len(recorded.batch_quantiles)
    return 1 + RECORDING + BATCH_QUANTILES * sites / recorded.batch_quantiles_every


def activation_bytes(
    model: Model, recorded: Activations, neurons: int | None = None
) -> float:
    """Return the size of an activations file, or of one shard: 2,052 bytes per neuron.

    A histogram of 481 bins (int32), the count of positive values, three sums, minimum
    and maximum at two sites, seven sums of batch percentiles at each site asked for.

    Args:
        model: its parameters are used where ``neurons`` is None.
        recorded: what the pass records.
        neurons: layers x MLP width, where it is known.
    """
    if neurons is None:
        neurons = round(statistics_bytes(model.parameters) / NEURON_BYTES)
    each = NEURON_BYTES + 56 * (len(recorded.batch_quantiles) - 1)
    chunks = 2 * 2 * recorded.chunk_means  # one float16 per site and chunk
    return float(neurons * (each + chunks))


def adapter_bytes(
    model: Model, training: Training, tuning: Tuning, checkpoint: bool = False
) -> float:
    """Return about the size of a saved adapter: float32 matrices of rank r.

    Query and output projections are r x 2 hidden, key and value r x 1.25 hidden (a
    quarter of the heads is kept); an MLP projection is r x (hidden + 3 hidden). A
    checkpoint holds Adam's two moments as well, and is removed at the end.
    """
    widths = {"q": 2.0, "k": 1.25, "v": 1.25, "o": 2.0}
    width = 0.0
    if tuning.kind == "attention" or tuning.attention:
        width += sum(widths[name] for name in training.attention_modules)
    if tuning.kind != "attention":
        width += 4 * (1 + tuning.mlp_targets.count("_"))
    hidden = HIDDEN_UNITS * model.parameters ** (2 / 3)
    return 4 * training.rank * width * hidden * (3 if checkpoint else 1)


def items_of(config: Config, task: str, split: str) -> int:
    """Return the items of a split and language: as the task says, or the demo's."""
    entry = config.task(task)
    made = tasks.load(entry.kind)
    whole = made.SIZE.train if split == "train" else made.SIZE.test
    if config.demo_world and entry.data.hub is None and made.DEMO is not None:
        whole = getattr(config.demo_world, f"{made.DEMO}_{split}")
    if split == "train":
        own = _lines(entry.data.train)
        return math.ceil((whole if own is None else own) * entry.train_fraction)
    # A test file may hold more than is asked: other languages, items without an answer.
    own = _lines(entry.data.test)
    found = math.ceil(min(whole, whole if own is None else own) * entry.test_fraction)
    return min(found, entry.test_items or found)


def _lines(pattern: str | None) -> int | None:
    """Count the lines of a file of the user's, the longest of its languages.

    Items stand one per line in these layouts. None: there is no such file, or it has
    another layout.
    """
    path = Path(PLACEHOLDER.sub("*", pattern or ""))
    if path.suffix not in LINE_PER_ITEM:
        return None
    files = glob.glob(str(path))
    return max((_count(one, os.stat(one).st_mtime_ns) for one in files), default=None)


@cache
def _count(path: str, time: int) -> int:
    with open(path, "rb") as file:
        return sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b""))


def tokens_of(entry: Task, split: str) -> int:
    """Return tokens of an item; no more than the task keeps."""
    made = tasks.load(entry.kind)
    size = made.SIZE
    each = size.train_tokens if split == "train" else size.test_tokens
    longest = made.longest(_parameters(entry))
    return each if longest is None else min(each, longest)


def new_tokens(entry: Task) -> int:
    """Return the tokens that are generated at most for an item; 0 for classifiers."""
    return tasks.load(entry.kind).generates(_parameters(entry))


def on_the_way(entry: Task, items: int) -> tuple[int, int]:
    """Return what a third language adds: texts, and new tokens of each at most.

    A text that several items are about is put into that language once.
    """
    kind, parameters = tasks.load(entry.kind), _parameters(entry)
    more = kind.generates_via(parameters) - kind.generates(parameters)
    return min(items, kind.SIZE.texts or items), more


def _parameters(entry: Task) -> Frozen:
    return tasks.load(entry.kind).PARAMETERS.model_validate(entry.parameters)
