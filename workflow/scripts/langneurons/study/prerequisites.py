"""What the tables and figures of a grid need, from evaluations back to tokens."""

from __future__ import annotations

from pathlib import Path

from langneurons.config.names import BASE, Selection
from langneurons.config.schema import Config
from langneurons.costs.parts import Parts
from langneurons.grid import result_paths
from langneurons.grid.rows import drawn_selections, measured, models
from langneurons.grid.subjects import OnTask, OnText, read_files

from . import targets
from .table_specs import TableSpecs


class Needs:
    """Everything that ``snakemake all`` has to make, each once and in order.

    Attributes:
        tables: names of the tables.
        evaluations: parts of the treatments on tasks, one per job.
        perplexities: parts of the treatments on text.
        tunings: (task, model, tuning, seed).
        neurons: (model, selection).
        activations: (corpus, model, language).
        tokens: (corpus, model, language).
        held_out: the same, where perplexity is measured.
    """

    def __init__(self, config: Config, parts: Parts) -> None:
        self.config = config
        tables = TableSpecs(config, parts)
        self.tables = targets.wanted_tables(config)
        made = [name for name in targets.task_tables(config) if name in self.tables]
        wanted = [each for name in made for each in tables.asked(name)]
        if "profiles" in self.tables:
            wanted += tables.paired
        needed = set(parts.indexes(wanted))
        self.evaluations = [p for p in parts.evaluations if p.index in needed]
        self.perplexities = parts.perplexities if "perplexity" in self.tables else []
        # As keys of dictionaries: each once, in order.
        self.tunings = dict.fromkeys(
            (p.subject.task, p.subject.model, p.subject.tuning, p.subject.seed)
            for p in self.evaluations
            if isinstance(p.subject, OnTask) and p.subject.tuning != BASE
        )
        self.neurons: dict[tuple[str, Selection], None] = {}
        for model in models(config):
            for selection in drawn_selections(config, model):
                self._add_neurons(model, selection)
        self.activations: dict[tuple[str, str, str], None] = {}
        for part in (*self.evaluations, *self.perplexities):
            read = read_files(config, part.subject, part.treatments)
            for path in read["neurons"]:
                found = Selection.parse(Path(path).stem)
                self._add_neurons(part.subject.model, found)
            for path in read["activations"]:
                _, corpus, model, lang = Path(path).with_suffix("").parts[-4:]
                self.activations[corpus, model, lang] = None
        for _, model, tuning, _ in self.tunings:
            for path in result_paths.tuned_neurons(model, tuning):
                self._add_neurons(model, Selection.parse(Path(path).stem))
        for model, selection in self.neurons:
            corpus = config.method_corpus(selection.method)
            for lang in config.language_set(selection.languages).languages:
                self.activations[corpus, model, lang] = None
        if "activation_statistics" in self.tables:
            self.activations |= {(c, m, x): None for m, c, x in measured(config)}
        self.held_out = dict.fromkeys(
            (p.subject.corpus, p.subject.model, p.subject.lang)
            for p in self.perplexities
            if isinstance(p.subject, OnText)
        )
        self.tokens = self.activations | self.held_out

    def _add_neurons(self, model: str, selection: Selection) -> None:
        """Add the neurons of a selection, and those that they are made from."""
        if (model, selection) not in self.neurons:
            self.neurons[model, selection] = None
            for read in self.config.made_from(selection):
                self._add_neurons(model, read)
