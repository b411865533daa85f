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

from langneurons.config.schema import RESULTS, Config
from langneurons.costs import rates
from langneurons.costs.estimates import Work
from langneurons.costs.parts import Parts
from langneurons.costs.requests import Requests
from langneurons.grid import result_paths, rows
from langneurons.grid.subjects import OnTask

from . import targets
from .prerequisites import Needs
from .specs import text_bytes

DEFAULT_MEMORY = 4000
"""MB, of rules that ask for none (profiles/slurm)."""


@dataclass(frozen=True)
class Job:
    """One job of the plan.

    Attributes:
        rule: name of its rule.
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
        self.config, self.parts = config, Parts(config, gpu)
        self.estimates = self.parts.estimates
        self.requests = Requests(config, self.parts)
        needs = Needs(config, self.parts)
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
        self, rule: str, files: list[str], name: str, work: Work, **more: Any
    ) -> Job:
        """Make a job that loads a model and then works."""
        seconds = rates.loading(self.config.model(name)) + work.seconds
        more |= {"tokens": work.tokens, "disk": work.disk}
        wildcards = SimpleNamespace(model=name)
        more.setdefault("memory", self.requests.memory(wildcards, 1))
        more.setdefault("gpus", self.requests.gpu_of(name))
        more.setdefault("benchmark", _benchmark(files[0]))
        return Job(rule, tuple(files), model=name, seconds=seconds, **more)

    def _models(self) -> Iterator[Job]:
        config = self.config
        used = [m for m in rows.models(config) if any(m == k[1] for k in self.tokens)]
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
                place = f"results/models/{name}/pinned.pretraining.tsv"
                work = self.estimates.building(entry)
                yield self._with_model(
                    "pretrain_demo_model", [pinned], name, work, gpus=0, benchmark=place
                )
                continue
            speed = rates.DOWNLOAD if entry.hub else rates.READ
            place = f"results/models/{name}/pinned.tsv"
            seconds = rates.SMALL_JOB + size / speed
            yield Job("fetch_model", (pinned,), place, name, seconds, disk=size)
            if entry.quantization == "nf4":
                nf4 = [f"{folder}/nf4/manifest.json"]
                place = f"results/models/{name}/nf4.tsv"
                work = Work(size / rates.READ, 0, rates.weight_bytes(entry))
                yield self._with_model(
                    "quantise_model", nf4, name, work, benchmark=place
                )

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
        for part in self.evaluations:
            if isinstance(part.subject, OnTask):
                wanted[part.subject.task, "test", part.subject.lang] = None
        for item in wanted:
            file = result_paths.items(self.config, *item)
            yield Job("prepare_task", (file,), _benchmark(file))

    def _source(self, task: str) -> str:
        return self.config.task(task).source_language

    def _activations(self) -> Iterator[Job]:
        for key in self.activations:
            corpus, name, _ = key
            pieces, wildcards = result_paths.shards(self.config, *key), _just(name)
            work = self.estimates.shard(corpus, name, len(pieces))
            for file in pieces:
                yield self._with_model(
                    "measure_activations", [file], name, work,
                    memory=self.requests.measuring_memory(wildcards, 1),
                )  # fmt: skip
            merged = result_paths.activations(*key)
            seconds = rates.SMALL_JOB + (len(pieces) + 1) * work.disk / rates.READ
            yield Job(
                "merge_activations", (merged,), _benchmark(merged), name, seconds,
                disk=work.disk, memory=self.requests.statistics_memory(wildcards, 1),
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
            task, name, tuning, seed = key
            file = result_paths.adapter(self.config, task, name, tuning, seed=seed)
            yield self._with_model(
                "tune_model", [file], name, self.estimates.tuning(task, name, tuning),
                benchmark=_named(str(Path(file).parent)),
            )  # fmt: skip

    def _evaluations(self) -> Iterator[Job]:
        rules = {"evaluate_task": self.evaluations}
        rules["measure_perplexity"] = self.perplexities
        for rule, parts in rules.items():
            for part in parts:
                one, n = self.estimates.treatment(part.subject), len(part.treatments)
                work = Work(n * one.seconds, n * one.tokens, n * one.disk)
                yield self._with_model(rule, [part.index], part.subject.model, work)

    def _reports(self) -> Iterator[Job]:
        rules = {
            "perplexity": "build_perplexity_table",
            "activation_statistics": "build_activation_table",
            "profiles": "compare_profiles",
            "reproduction": "build_reproduction_table",
        }
        for name in self.tables:
            file = targets.table(name)
            yield Job(rules.get(name, "build_task_table"), (file,), _benchmark(file))
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
    if first in rows.models(config):
        place = f"{targets.FIGURES}/{first}/perplexity.{rest}"
        return "draw_perplexity", _named(place)
    rule = "draw_profiles" if first == "profiles" else "draw_effects"
    return rule, _named(f"{targets.FIGURES}/{first}.{rest}")
