"""Every job of ``snakemake all``, from the configuration alone, with its estimate.

The jobs are those of the rules; a test counts both. Works backwards, from tables and
figures to models and text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from langneurons import tables
from langneurons.config.catalogue import Model
from langneurons.config.schema import Config
from langneurons.costs import rates
from langneurons.costs.requests import Requests, weight_bytes
from langneurons.grid import result_paths
from langneurons.grid.rows import RESULTS

from . import targets
from .prerequisites import Needs
from .specs import text_bytes

DEFAULT_MEMORY = 4000
"""MB, of rules that ask for none (profiles/slurm)."""


@dataclass(frozen=True)
class Job:
    """One job of the plan.

    Attributes:
        rule: name of its rule; one name for all evaluations, and for all perplexities.
        outputs: files it writes; it is to do while one of them is missing.
        benchmark: where Snakemake writes its time, below the folder of benchmarks.
        model: that it loads, for measured rates; empty if none.
        seconds: estimated time.
        tokens: that pass through a model, or through the tokenizer.
        gpus: that it asks for.
        memory: MB of main memory that it asks for at first.
        disk: bytes that it leaves behind.
    """

    rule: str
    outputs: tuple[str, ...]
    benchmark: str
    model: str = ""
    seconds: float = rates.SMALL_JOB
    tokens: float = 0
    gpus: int = 0
    memory: int = DEFAULT_MEMORY
    disk: float = 0

    @property
    def to_do(self) -> bool:
        return not all(Path(path).exists() for path in self.outputs)


def plan(config: Config, gpu: str = "a100") -> list[Job]:
    """List every job of ``snakemake all``, in the order of a run.

    Args:
        config: the configuration.
        gpu: key of ``rates.FLOPS``.
    """
    return list(_Planner(config, gpu).jobs())


class _Planner:
    """Estimates each job of what is needed."""

    def __init__(self, config: Config, gpu: str) -> None:
        self.config, self.gpu, self.requests = config, gpu, Requests(config)
        needs = Needs(config)
        self.tables, self.neurons = needs.tables, needs.neurons
        self.evaluations, self.perplexities = needs.evaluations, needs.perplexities
        self.tunings, self.tokens = needs.tunings, needs.tokens
        self.activations, self.held_out = needs.activations, needs.held_out

    def jobs(self) -> Iterator[Job]:
        yield from self._models()
        yield from self._text()
        yield from self._activations()
        yield from self._tunings()
        yield from self._evaluations()
        yield from self._reports()

    def _with_model(
        self, rule: str, files: list[str], name: str, work: float, **more: Any
    ) -> Job:
        """Make a job that loads a model and then works for some seconds."""
        seconds = rates.loading(self.config.model(name)) + work
        wildcards = SimpleNamespace(model=name)
        more.setdefault("memory", self.requests.memory(wildcards, 1))
        more.setdefault("gpus", self.requests.gpu_of(name))
        more.setdefault("benchmark", _benchmark(files[0]))
        return Job(rule, tuple(files), model=name, seconds=seconds, **more)

    def _time(self, model: Model, tokens: float, each: int = rates.FORWARD) -> float:
        return each * model.parameters * tokens / rates.flops(model, self.gpu)

    def _models(self) -> Iterator[Job]:
        config = self.config
        used = [m for m in config.grid.models if any(m == k[1] for k in self.tokens)]
        built = any(config.model(name).builder for name in used)
        if built or any("demo_world" in (c.folder or "") for c in self._corpora()):
            folder = f"{RESULTS}/demo_world"
            yield Job("generate_demo_world", (f"{folder}/world.json",), _named(folder))
        for name in used:
            entry = config.model(name)
            folder = f"{RESULTS}/models/{name}"
            pinned = f"{folder}/pinned/manifest.json"
            size = (4 if entry.dtype == "float32" else 2) * entry.parameters
            if entry.builder:
                demo = entry.demo
                tokens = demo.steps * demo.tokens_per_step if demo else 0
                work = self._time(entry, tokens, rates.TRAINING)
                place = f"results/models/{name}/pinned.pretraining.tsv"
                yield self._with_model(
                    "pretrain_demo_model", [pinned], name, work, disk=size, gpus=0,
                    tokens=tokens, benchmark=place,
                )  # fmt: skip
                continue
            speed = rates.DOWNLOAD if entry.hub else rates.READ
            place = f"results/models/{name}/pinned.tsv"
            seconds = rates.SMALL_JOB + size / speed
            yield Job("fetch_model", (pinned,), place, name, seconds, disk=size)
            if entry.quantization == "nf4":
                nf4 = [f"{folder}/nf4/manifest.json"]
                yield self._with_model(
                    "quantise_model", nf4, name, size / rates.READ,
                    disk=weight_bytes(entry),
                    benchmark=f"results/models/{name}/nf4.tsv",
                )  # fmt: skip

    def _corpora(self) -> list[Any]:
        return [self.config.corpus(c) for c in dict.fromkeys(k[0] for k in self.tokens)]

    def _text(self) -> Iterator[Job]:
        for corpus, lang in dict.fromkeys((c, x) for c, _, x in self.tokens):
            entry = self.config.corpus(corpus)
            if entry.hub:
                size = text_bytes(entry)
                file = f"{RESULTS}/text/{corpus}/{lang}.jsonl"
                seconds = rates.SMALL_JOB + size / rates.DOWNLOAD
                yield Job(
                    "fetch_text", (file,), _benchmark(file), "", seconds, disk=size
                )
        for key in self.tokens:
            entry = self.config.corpus(key[0])
            packed = [("tokenise_corpus", entry.tokens, result_paths.tokens(*key))]
            if key in self.held_out:
                aside = result_paths.held_out(*key)
                packed.append(("hold_out_text", entry.heldout_tokens, aside))
            for rule, tokens, file in packed:
                seconds = rates.SMALL_JOB + tokens / rates.TOKENISING
                yield Job(
                    rule, (file,), _benchmark(file), key[1], seconds, tokens,
                    memory=8000, disk=4 * tokens,
                )  # fmt: skip
        wanted = {(t, "train", self._source(t)): None for t, *_ in self.tunings}
        for bundle in self.evaluations:
            wanted[str(bundle.task), "test", str(bundle.lang)] = None
        for item in wanted:
            file = result_paths.items(*item)
            yield Job("prepare_task", (file,), _benchmark(file))

    def _source(self, task: str) -> str:
        return self.config.task(task).source_language

    def _activations(self) -> Iterator[Job]:
        for key in self.activations:
            corpus, name, _ = key
            entry, model = self.config.corpus(corpus), self.config.model(name)
            pieces, wildcards = result_paths.shards(self.config, *key), _just(name)
            size = rates.activation_bytes(model, self.config.activations)
            tokens = entry.tokens / len(pieces)
            work = self._time(model, tokens)
            work *= rates.recording(self.config.activations)
            for file in pieces:
                yield self._with_model(
                    "measure_activations", [file], name, work, tokens=tokens, disk=size,
                    memory=self.requests.measuring_memory(wildcards, 1),
                )  # fmt: skip
            merged, work = (
                result_paths.activations(*key),
                (len(pieces) + 1) * size / rates.READ,
            )
            yield Job(
                "merge_activations", (merged,), _benchmark(merged), name,
                rates.SMALL_JOB + work, disk=size,
                memory=self.requests.statistics_memory(wildcards, 1),
            )  # fmt: skip
        for name, selection in self.neurons:
            file = result_paths.neurons(name, selection)
            languages = self.config.language_set(selection.languages).languages
            size = rates.activation_bytes(
                self.config.model(name), self.config.activations
            )
            seconds = rates.SMALL_JOB + len(languages) * size / rates.READ
            yield Job(
                "identify_neurons", (file,), _benchmark(file), name, seconds,
                memory=self.requests.statistics_memory(_just(name), 1),
            )  # fmt: skip

    def _tunings(self) -> Iterator[Job]:
        for key in self.tunings:
            task, name, tuning, _ = key
            entry, model = self.config.task(task), self.config.model(name)
            training = self.config.training(task, name, tuning)
            tokens = rates.items_of(self.config, task, "train") * training.epochs
            tokens *= rates.tokens_of(entry, "train")
            file = result_paths.adapter(*key)
            chosen = self.config.tuning(tuning)
            yield self._with_model(
                "tune_model", [file], name, self._time(model, tokens, rates.TRAINING),
                tokens=tokens, disk=rates.adapter_bytes(model, training, chosen),
                benchmark=_named(str(Path(file).parent)),
            )  # fmt: skip

    def _evaluations(self) -> Iterator[Job]:
        for bundle in self.evaluations:
            entry, model = (
                self.config.task(str(bundle.task)),
                self.config.model(str(bundle.model)),
            )
            items = rates.items_of(self.config, str(bundle.task), "test")
            each = items * rates.tokens_of(entry, "test")
            new = rates.new_tokens(entry)
            once = self._time(model, each)
            if new:
                once += rates.decoding(model, items, new, self.gpu)
            yield self._bundle(
                "evaluate_task", bundle, once, each + items * new, 20 * items
            )
        for bundle in self.perplexities:
            block = self.config.perplexity
            corpus = self.config.corpus(str(bundle.corpus))
            held_out = corpus.heldout_tokens // corpus.chunk_length
            chunks = min(block.chunks if block else 0, held_out)
            tokens = chunks * corpus.chunk_length
            once = self._time(self.config.model(str(bundle.model)), tokens)
            yield self._bundle("measure_perplexity", bundle, once, tokens, 1000)

    def _bundle(
        self,
        rule: str,
        bundle: result_paths.Bundle,
        once: float,
        tokens: float,
        disk: float,
    ) -> Job:
        """Make the job of a bundle from the work for one treatment."""
        n = len(bundle.treatments)
        place = f"{bundle.folder}/bundle-{bundle.number}.tsv"
        return self._with_model(
            rule, bundle.outputs, str(bundle.model), n * once, tokens=n * tokens,
            disk=n * disk, benchmark=place,
        )  # fmt: skip

    def _reports(self) -> Iterator[Job]:
        for name in self.tables:
            file = targets.table(name)
            memory = tables.load(tables.kind_of(name)).MEMORY
            yield Job("build_table", (file,), _benchmark(file), memory=memory)
        drawn: dict[tuple[str, str], list[str]] = {}
        for figure in targets.figures(self.config):
            drawn.setdefault(_drawing(figure, self.config), []).append(figure)
        for (rule, place), made in drawn.items():
            yield Job(rule, tuple(made), place)
        yield Job("build_report", (targets.REPORT,), _benchmark(targets.REPORT))


def _just(model: str) -> SimpleNamespace:
    return SimpleNamespace(model=model)


def _named(label: str) -> str:
    return f"{label}.tsv"


def _benchmark(output: str) -> str:
    """Name the benchmark of an output; most mirror its path."""
    return _named(str(Path(output).with_suffix("")))


def _drawing(figure: str, config: Config) -> tuple[str, str]:
    """Return the rule that draws a figure, and the name of that job's benchmark."""
    parts = Path(figure).relative_to(targets.FIGURES).with_suffix("").parts
    first, last = parts[0], Path(figure).name.removesuffix(".svg")
    if first == "published":
        return "draw_published", _named(f"{targets.FIGURES}/published.{parts[1]}")
    if len(parts) == 3 and last.startswith("shared_with."):
        folder = "/".join(parts[:2])
        return "draw_shared", _named(f"{targets.FIGURES}/{folder}.{last}")
    if len(parts) == 3:
        return "draw_neurons", _named(f"{targets.FIGURES}/{'/'.join(parts[:2])}")
    _, _, rest = last.partition(".")
    if first in config.grid.models:
        place = f"{targets.FIGURES}/{first}/perplexity.{rest}"
        return "draw_perplexity", _named(place)
    rule = "draw_profiles" if first == "profiles" else "draw_effects"
    return rule, _named(f"{targets.FIGURES}/{first}.{rest}")
