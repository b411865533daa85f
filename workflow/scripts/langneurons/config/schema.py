"""The whole configuration: loading, checking, and lookups that explain a bad name.

A configuration says which experiments to ``run``, over catalogues (what each name
means), so that ``--configfile`` replaces that list and merges the catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SerializeAsAny, model_validator

from . import names
from .catalogue import (
    NAME,
    PROFILES,
    Activations,
    Corpus,
    DemoModel,
    DemoWorld,
    Frozen,
    LanguageSet,
    Method,
    Model,
    Statistic,
)
from .demo_entries import SIZES
from .dictionary_entries import Dictionary
from .errors import ConfigError, unknown_name
from .experiment_entries import Experiment
from .fields import Language
from .resource_entries import Resources
from .similarity_entries import Similarity
from .sweep_entries import Sweep, expand
from .task_entries import UNTRAINED, Task, Training, Tuning

Entry = TypeVar("Entry")
Seeds = tuple[int, ...]
RESULTS = "results"
SHARED = (
    "demo_world", "models", "text", "tokens", "activations", "neurons", "directions",
    "dictionaries", "probes",
)  # fmt: skip
"""Folders of results/ that all studies share."""
OF_STUDY = (
    "tasks", "tables", "figures", "adapters", "perplexity", "evaluations",
    "similarities", "alignment", "cards",
)  # fmt: skip
"""Folders of results/, or of the study's folder in it, that are of one study."""
FOLDERS = (*SHARED, *OF_STUDY)


class Config(Frozen):
    """A checked configuration. Build it with ``study.configuration.load``."""

    profile: Literal["paper", "consistent"] = Field(
        "paper",
        description="defaults of `measure`, `write` and `quantile` of statistics:\n"
        "`paper`: the released code; measured at gate_pre, written at act_post, mean "
        "over batches\n`consistent`: act_post, act_post, pooled",
    )
    study: str | None = Field(
        None,
        pattern=NAME,
        max_length=60,
        description="folder below results/ for what is of these experiments: items of "
        "tasks, adapters, evaluations, perplexity, tables, figures and report; models, "
        "text, tokens, activations, neurons, directions, dictionaries and probes are "
        "shared by all studies. null: results/ itself",
    )
    run: tuple[str, ...] = Field(min_length=1, description="experiments to run")
    experiments: dict[str, SerializeAsAny[Experiment]] = Field(
        description="catalogue of experiments"
    )
    default_corpus: str = Field(
        description="text from which neurons are identified, and which perplexity is "
        "of, where no other is named"
    )
    tables: tuple[str, ...] | None = Field(
        None,
        description="tables of `snakemake all`: names of tasks (interventions), "
        "`finetune_{task}`, `random_{task}`, `perplexity`, `activation_statistics`, "
        "`profiles`, `steering`, `amplification`, `open_text`, `fallback`, `bridges`, "
        "`bridge_candidates`, `language_overlap`, `alignment`, "
        "`alignment_correlation`, `reproduction`; null: every one",
    )
    bundle_size: int | None = Field(
        None,
        ge=1,
        description="treatments per evaluation job; null: all of one model, tuning, "
        "seed and language, which loads the model once",
    )
    job_hours: float | None = Field(
        None,
        gt=0,
        description="hours that an evaluation job may take by the estimate, instead "
        "of `bundle_size`; null: as many as its treatments need",
    )
    models: dict[str, Model] = Field(description="catalogue of models")
    corpora: dict[str, Corpus] = Field(description="catalogue of corpora")
    language_sets: dict[str, LanguageSet] = Field(
        description="catalogue of language sets"
    )
    language_names: dict[Language, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict,
        description="English names of languages by code, as prompts name them",
    )
    methods: dict[str, Method] = Field(description="catalogue of methods")
    statistics: dict[str, Statistic] = Field(
        default_factory=dict, description="catalogue of statistics"
    )
    sweeps: dict[str, Sweep] = Field(
        default_factory=dict,
        description="catalogue of sweeps: entries for several values of one parameter",
    )
    tasks: dict[str, Task] = Field(
        default_factory=dict, description="catalogue of tasks"
    )
    dictionaries: dict[str, Dictionary] = Field(
        default_factory=dict, description="catalogue of dictionaries"
    )
    similarities: dict[str, Similarity] = Field(
        default_factory=dict, description="catalogue of ways to choose a bridge"
    )
    tunings: dict[str, Tuning] = Field(
        default_factory=lambda: {"attention": Tuning(kind="attention")},
        description="catalogue of tunings",
    )
    activations: Activations = Field(
        Activations(), description="what the measuring pass records"
    )
    demo_world: DemoWorld | None = Field(
        None, description="the artificial world; null: none"
    )
    resources: Resources = Field(Resources(), description="what the machine has")
    report: Literal["complete", "existing"] = Field(
        "complete",
        description="what the report shows:\n`complete`: it waits for all tables and "
        "figures\n`existing`: what is there (`make report`)",
    )

    @property
    def results(self) -> str:
        """The folder of what is of this study alone."""
        return RESULTS if self.study is None else f"{RESULTS}/{self.study}"

    @model_validator(mode="before")
    @classmethod
    def _sweeps_make_entries(cls, raw: Any) -> Any:
        return expand(raw) if isinstance(raw, Mapping) else raw

    @model_validator(mode="after")
    def _study_is_no_folder_of_results(self) -> Config:
        if self.study in FOLDERS:
            raise ValueError(
                f"study: {self.study!r} is a folder of results/ already; not allowed: "
                f"{', '.join(FOLDERS)}"
            )
        return self

    @model_validator(mode="after")
    def _one_size_of_jobs(self) -> Config:
        if self.bundle_size is not None and self.job_hours is not None:
            raise ValueError(
                "'bundle_size' and 'job_hours' both say how many treatments share a "
                "job; give one of them"
            )
        return self

    def experiment(self, name: str) -> Experiment:
        return _lookup("experiment", name, self.experiments, "experiments")

    def model(self, name: str) -> Model:
        return _lookup("model", name, self.models, "models")

    def demo_model(self, name: str) -> DemoModel:
        """Return how a demo model is made; one that goes on has the other's sizes."""
        made = self.model(name).demo or DemoModel()
        if made.continued_from is None:
            return made
        where = f"models.{name}.demo.continued_from"
        found = _lookup("model", made.continued_from, self.models, where)
        base = found.demo or DemoModel()
        return made.model_copy(update={key: getattr(base, key) for key in SIZES})

    def corpus(self, name: str) -> Corpus:
        return _lookup("corpus", name, self.corpora, "corpora")

    def recorded(self, corpus: str) -> Activations:
        """Return what the measuring pass records of a corpus.

        Of sentences there are no quantiles of batches: they are run by their lengths.
        """
        entry = self.corpus(corpus)
        own = entry.chunk_means
        update: dict[str, Any] = {} if own is None else {"chunk_means": own}
        if entry.sentences:
            update["batch_quantiles"] = ()
        return self.activations.model_copy(update=update)

    def language_set(self, name: str) -> LanguageSet:
        return _lookup("language set", name, self.language_sets, "language_sets")

    def method(self, name: str) -> Method:
        """Return the entry of a method; a draw such as ``random-2`` has its base's."""
        return _lookup("method", names.split_draw(name)[0], self.methods, "methods")

    def task(self, name: str) -> Task:
        return _lookup("task", name, self.tasks, "tasks")

    def dictionary(self, name: str) -> Dictionary:
        return _lookup("dictionary", name, self.dictionaries, "dictionaries")

    def similarity(self, name: str) -> Similarity:
        return _lookup("similarity", name, self.similarities, "similarities")

    def tuning(self, name: str | names.TuningName) -> Tuning:
        """Return the entry behind a tuning's name, such as ``lape.set1.en+vi``."""
        parsed = names.TuningName.parse(name) if isinstance(name, str) else name
        entry = parsed.entry
        return _lookup("tuning", entry, self.tunings, "tunings")

    def is_trained(self, name: str | names.TuningName) -> bool:
        """Tell whether a tuning is trained here; not ``base`` and others' adapters."""
        return self.tuning(name).kind not in UNTRAINED

    def seeds_of(self, name: names.TuningName, seeds: tuple[int, ...]) -> Seeds:
        """Return the seeds of a tuning; of one that is not trained here the only one.

        Args:
            name: of the tuning.
            seeds: of those that are trained.
        """
        return seeds if self.is_trained(name) else (names.BASE_SEED,)

    def statistic(self, name: str) -> Statistic:
        """Return a statistic with the profile's measure, write and quantile filled."""
        entry = _lookup("statistic", name, self.statistics, "statistics")
        return _filled(entry, entry.profile or self.profile)

    def reads(self, selection: names.Selection) -> list[names.Selection]:
        """List the selections whose neurons a selection is made from, in order."""
        given = self.method(selection.method).reads
        return [names.Selection.beside(text, selection) for text in given]

    def avoids(self, selection: names.Selection) -> list[names.Selection]:
        """List the selections outside of which random neurons are drawn, in order."""
        given = self.method(selection.method).outside
        return [names.Selection.beside(text, selection) for text in given]

    def made_from(self, selection: names.Selection) -> list[names.Selection]:
        """List every selection whose neurons must be known first, each once."""
        return list(dict.fromkeys([*self.reads(selection), *self.avoids(selection)]))

    def method_profile(self, name: str) -> str:
        """Name the profile whose site and quantile a method reads."""
        return self._of_method(name, "profile") or self.profile

    def method_recorded(self, name: str) -> dict[str, str]:
        """Return the site (``measure``) and quantile that a method reads."""
        return PROFILES[self.method_profile(name)]

    def method_corpus(self, name: str) -> str:
        return self._of_method(name, "corpus") or self.default_corpus

    def _of_method(self, name: str, key: str) -> str | None:
        """Return what a method says, or else the first one that it reads.

        Where it reads several, all of these say the same (``study.check_methods``).
        """
        entry = self.method(name)
        own: str | None = getattr(entry, key)
        if own or not entry.reads:
            return own
        return self._of_method(entry.reads[0].partition(".")[0], key)

    def training(
        self, task: str, model: str, tuning: str | names.TuningName
    ) -> Training:
        """Return the optimiser's settings: the tuning's own keys come last."""
        entry = self.task(task)
        settings = entry.training.model_dump()
        for changed in (
            entry.training_by_model.get(model),
            self.tuning(tuning).training,
        ):
            settings |= changed.model_dump(exclude_unset=True) if changed else {}
        return Training.model_validate(settings)


@lru_cache(maxsize=1024)
def _filled(entry: Statistic, profile: str) -> Statistic:
    """Fill in a profile; grids ask for the same few statistics at each treatment."""
    default = PROFILES[profile]
    filled = {k: v for k, v in default.items() if getattr(entry, k) is None}
    return entry.model_copy(update={**filled, "profile": profile})


def _lookup(what: str, name: str, entries: Mapping[str, Entry], where: str) -> Entry:
    if name not in entries:
        raise ConfigError(unknown_name(what, name, entries, where))
    return entries[name]
