"""The slice of the configuration that each job reads, as canonical JSON.

Snakemake reruns a job when its ``spec`` changes, so a slice holds what can change the
job's numbers and nothing else. The functions take Snakemake's wildcards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from langneurons import methods, tasks
from langneurons.config import user_paths
from langneurons.config.catalogue import DemoModel, Frozen
from langneurons.config.demo_entries import SIZES
from langneurons.config.errors import ConfigError
from langneurons.config.names import (
    Prompted,
    Selection,
    Treatment,
    TuningName,
    languages_of,
    split_draw,
)
from langneurons.config.schema import Config
from langneurons.config.task_entries import FOREIGN, TaskData
from langneurons.costs.parts import Parts
from langneurons.grid import result_paths, rows, steering, subjects
from langneurons.grid.subjects import (
    OnTask,
    OnText,
    Subject,
    source_language,
)
from langneurons.jobs.files import canonical
from langneurons.jobs.fingerprint import code_hash
from langneurons.text import pins

from . import check_adapters, sentence_specs
from .alignment_specs import AlignmentSpecs
from .bridge_specs import BridgeSpecs
from .rule_functions import signed
from .treatment_specs import named

SPEED_ONLY = {"checkpoint_every"}


def _dump(entry: Frozen, *left_out: str) -> dict[str, Any]:
    return entry.model_dump(mode="json", exclude=set(left_out))


def _hub(data: TaskData, split: str, lang: str) -> Any:
    """Return the hub source of a split and language, with its codes if any.

    Of a pair it is a list: those of both languages.
    """
    if (source := data.hub_of(split)) is None:
        return None
    if len(both := languages_of(lang)) > 1:
        return [_hub(data, split, each) for each in both]
    found = _dump(source)
    if user_paths.has_code(source.config):
        found["config"] = str(source.config).replace("{code}", data.code(lang))
    if split == "test" and data.test_split:
        found["split"] = data.test_split
    return found | ({"codes": data.codes} if data.codes else {})


class Specs(AlignmentSpecs, BridgeSpecs):
    """Builds the ``spec`` of every rule from one configuration."""

    def __init__(self, config: Config, parts: Parts | None = None) -> None:
        self.config = config
        self.parts = parts or Parts(config)
        self._of_task: dict[tuple[str, str], dict[str, Any]] = {}
        self._of_treatments: dict[Any, dict[str, Any]] = {}

    def pin_models(self, wildcards: Any) -> str:
        sources = pins.unpinned(self.config.model_dump(mode="json"))
        return canonical({"sources": sources})

    def demo_world(self, wildcards: Any) -> str:
        if self.config.demo_world is None:
            raise ConfigError("demo_world: this configuration has no such block")
        return canonical(_dump(self.config.demo_world))

    def demo_model(self, wildcards: Any) -> str:
        entry = self.config.model(wildcards.model)
        demo = entry.demo or DemoModel()
        # The other model, an input, has the sizes of one that goes on from it.
        left_out = SIZES if demo.continued_from else ()
        return canonical(
            {
                "model": wildcards.model,
                "demo": _dump(demo, *left_out),
                "family": entry.family,
            }
        )

    def fetch_model(self, wildcards: Any) -> str:
        entry = self.config.model(wildcards.model)
        elsewhere = ("quantization", "attn_implementation", "demo")
        slice_ = _dump(entry, "parameters", "published_as", "license", *elsewhere)
        return canonical({"name": wildcards.model, "model": slice_})

    def quantise_model(self, wildcards: Any) -> str:
        entry = self.config.model(wildcards.model)
        return canonical({"quantization": entry.quantization, "family": entry.family})

    def fetch_text(self, wildcards: Any) -> str:
        entry = self.config.corpus(wildcards.corpus)
        if entry.hub is None:
            paths = result_paths.text(self.config, wildcards.corpus, wildcards.lang)
            raise ConfigError(
                f"corpora.{wildcards.corpus}: has no hub source; its text is in "
                f"{', '.join(paths)}"
            )
        shared = {
            "hub": _dump(entry.hub),
            "text_column": entry.text_column,
            "language": wildcards.lang,
        }
        if entry.sentences:
            parts = sentence_specs.fetched(entry)
            return canonical(
                shared | {"code": entry.code(wildcards.lang), "parts": parts}
            )
        some = {"bytes": entry.text_bytes, "shuffle_seed": entry.shuffle_seed}
        coded = {"code": entry.code(wildcards.lang)} if entry.codes else {}
        return canonical(shared | some | coded)

    def tokenise_corpus(self, wildcards: Any) -> str:
        """Say what is packed to identify neurons, however much is held out."""
        entry = self.config.corpus(wildcards.corpus)
        if entry.sentences:
            given = (wildcards.corpus, wildcards.lang, "recorded")
            return canonical(
                sentence_specs.tokenised(entry, *given) | {"tokens": entry.tokens}
            )
        some = {"tokens": entry.tokens, "hold_out": entry.heldout_tokens > 0}
        return canonical(self._packing(wildcards) | some)

    def hold_out_text(self, wildcards: Any) -> str:
        entry = self.config.corpus(wildcards.corpus)
        if entry.sentences:
            given = (wildcards.corpus, wildcards.lang, "held_out")
            return canonical(sentence_specs.tokenised(entry, *given))
        some = {"heldout_tokens": entry.heldout_tokens}
        return canonical(self._packing(wildcards) | some)

    def _packing(self, wildcards: Any) -> dict[str, Any]:
        """Return how documents of a language become chunks."""
        entry = self.config.corpus(wildcards.corpus)
        limits = entry.language_filter
        return {
            "corpus": wildcards.corpus,
            "language": wildcards.lang,
            "chunk_length": entry.chunk_length,
            "bos": entry.bos,
            "shuffle_seed": entry.shuffle_seed,
            "language_filter": _dump(limits) if limits else None,
        }

    def measure_activations(self, wildcards: Any) -> str:
        entry = self.config.corpus(wildcards.corpus)
        given = self.config.recorded(wildcards.corpus)
        recorded = _dump(given)
        if entry.sentences:
            recorded = sentence_specs.recorded(entry, given)
        return canonical(
            recorded
            | self._model(wildcards.model)
            | {
                "corpus": wildcards.corpus,
                "language": wildcards.lang,
                "shard": int(wildcards.shard),
                "shards": int(wildcards.shards),
            }
        )

    def identify_neurons(self, wildcards: Any) -> str:
        selection = Selection(wildcards.method, wildcards.langset)
        entry = self.config.method(selection.method)
        recorded = self.config.method_recorded(selection.method)
        kind = methods.load(entry.kind)
        return canonical(
            {
                "model": wildcards.model,
                "method": selection.method,
                "kind": entry.kind,
                "parameters": _dump(kind.PARAMETERS.model_validate(entry.parameters)),
                "language_set": selection.languages,
                "languages": result_paths.selection_languages(
                    self.config, str(selection)
                ),
                "site": recorded["measure"],
                "quantile": recorded["quantile"],
                "draw": split_draw(selection.method)[1],
                "reads": [str(read) for read in self.config.reads(selection)],
                "outside": [str(x) for x in self.config.avoids(selection)],
            }
        )

    def find_directions(self, wildcards: Any) -> str:
        means = steering.means(self.config)
        if means.languages != wildcards.langset:
            raise ConfigError(
                f"{wildcards.langset}: no experiment of run steers with this language "
                f"set; one does with {means.languages}"
            )
        languages = self.config.language_set(means.languages).languages
        return canonical(
            {
                "model": wildcards.model,
                "language_set": means.languages,
                "languages": list(languages),
                "corpus": means.corpus,
            }
        )

    def method_code(self, wildcards: Any) -> str:
        """Hash the identification code, with the one method that is used."""
        kind = self.config.method(wildcards.method).kind
        return code_hash("identify_neurons", (f"methods.{kind}",))

    def task_code(self, rule: str) -> Callable[[Any], str]:
        """Return a function that hashes a rule's code with the task's module."""

        def code(wildcards: Any) -> str:
            kind = self.config.task(wildcards.task).kind
            return code_hash(rule, (f"tasks.{kind}",))

        return signed(code)

    def prepare_task(self, wildcards: Any) -> str:
        """Say which rows of which source are taken; each split has its own."""
        entry, split = self.config.task(wildcards.task), wildcards.split
        data, lang = entry.data, wildcards.lang
        dictionary = {"dictionary": data.dictionary} if data.dictionary else {}
        rows = ["train_fraction"]
        if split == "test":
            rows = ["test_fraction", "test_items", "test_seed"]
        return canonical(
            {
                "task": wildcards.task,
                "kind": entry.kind,
                "split": split,
                "language": wildcards.lang,
                "data": {
                    "hub": _hub(data, split, lang),
                    "file": data.train if split == "train" else data.test,
                    **dictionary,
                },
            }
            | {key: getattr(entry, key) for key in rows}
        )

    def _parameters(self, task: str, split: str = "test") -> dict[str, Any]:
        """Return a task's parameters, defaults filled in; not all are of training."""
        if (task, split) not in self._of_task:
            entry = self.config.task(task)
            kind = tasks.load(entry.kind)
            left_out = kind.TEST_ONLY if split == "train" else ()
            filled = kind.PARAMETERS.model_validate(entry.parameters)
            self._of_task[task, split] = _dump(filled, *left_out)
        return self._of_task[task, split]

    def tune_model(self, wildcards: Any) -> str:
        entry = self.config.task(wildcards.task)
        name, tuning = TuningName.parse(wildcards.tuning), wildcards.tuning
        training = self.config.training(wildcards.task, wildcards.model, tuning)
        neurons = None
        if name.selection is not None:
            neurons = {"selection": str(name.selection), "languages": name.languages}
        return canonical(
            self._model(wildcards.model)
            | {
                "task": wildcards.task,
                "kind": entry.kind,
                "parameters": self._parameters(wildcards.task, "train"),
                "tuning": _dump(self.config.tuning(tuning), "training", *FOREIGN),
                "neurons": neurons,
                "training": training.model_dump(mode="json", exclude=SPEED_ONLY),
                "seed": int(wildcards.seed),
            }
        )

    def fetch_adapter(self, wildcards: Any) -> str:
        """Say where an adapter comes from, and what its task and model ask of it."""
        names = wildcards.tuning, wildcards.model
        entry = self.config.tuning(wildcards.tuning)
        kind = tasks.load(self.config.task(wildcards.task).kind)
        source = {"path": entry.path}
        if entry.id:
            source = {"id": entry.id, "revision": entry.revision}
        return canonical(
            {
                "source": source,
                "base": check_adapters.base_name(self.config, *names),
                "labels": entry.labels,
                "title": f"tasks.{wildcards.task}",
                "classes": list(kind.LABELS),
            }
        )

    def evaluate_task(self, wildcards: Any) -> str:
        part = self.parts.of_job(wildcards)
        return self.treated(part.subject, part.treatments)

    def measure_perplexity(self, wildcards: Any) -> str:
        return self.evaluate_task(wildcards)

    def treated(self, subject: Subject, treatments: Iterable[Treatment]) -> str:
        """Return the spec of a job that works through treatments of a subject.

        Raises:
            ConfigError: a name that the configuration does not have.
        """
        shared = self._model(subject.model)
        if isinstance(subject, OnText):
            shared |= self._on_text(subject)
        else:
            shared |= self._on_task(subject)
        return canonical({"shared": shared} | self._treatments(subject, treatments))

    def _on_task(self, subject: OnTask) -> dict[str, Any]:
        return {
            "task": subject.task,
            "kind": self.config.task(subject.task).kind,
            "parameters": self._parameters(subject.task),
            "tuning": str(subject.tuning),
            "seed": subject.seed,
            "language": subject.lang,
        }

    def _on_text(self, subject: OnText) -> dict[str, Any]:
        chunks = self._chunks.get((subject.corpus, subject.model))
        if chunks is None:
            raise ConfigError(
                f"{subjects.folder(self.config, subject)}: no experiment of run "
                "measures it (kind perplexity)"
            )
        entry = self.config.corpus(subject.corpus)
        unit = sentence_specs.run(entry) if entry.sentences else {}
        shared = {"corpus": subject.corpus, "language": subject.lang, "chunks": chunks}
        return shared | unit

    @cached_property
    def _chunks(self) -> dict[tuple[str, str], int]:
        return rows.chunks(self.config)

    def _treatments(
        self, subject: Subject, treatments: Iterable[Treatment]
    ) -> dict[str, Any]:
        """Return what the job says of its treatments; tunings and seeds share it."""
        names, lang = tuple(treatments), subject.lang
        if isinstance(subject, OnText) and any(isinstance(x, Prompted) for x in names):
            raise ConfigError(
                f"{subjects.folder(self.config, subject)}: a prompt stands before "
                "texts of tasks, not before held-out text"
            )
        source = source_language(self.config, subject)
        key = (names, lang, source)
        if key not in self._of_treatments:
            self._of_treatments[key] = named(self.config, *key)
        return self._of_treatments[key]
