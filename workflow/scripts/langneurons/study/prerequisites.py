"""What the tables and figures of a grid need, from evaluations back to tokens."""

from __future__ import annotations

from pathlib import Path

from langneurons.config.names import BASE, Selection
from langneurons.config.schema import Config
from langneurons.grid import result_paths
from langneurons.grid.rows import drawn_selections, measured, models, table_rows

from . import targets
from .table_specs import profile_pairs


class Needs:
    """Everything that ``snakemake all`` has to make, each once and in order.

    Attributes:
        tables: names of the tables.
        evaluations: bundles of treatments on tasks.
        perplexities: bundles of treatments on text.
        tunings: (task, model, tuning, seed).
        neurons: (model, selection).
        activations: (corpus, model, language).
        tokens: (corpus, model, language).
        held_out: the same, where perplexity is measured.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.tables = targets.wanted_tables(config)
        made = [name for name in targets.task_tables(config) if name in self.tables]
        needed = {
            row.path(targets.split_table(name)[1])
            for name in made
            for row in table_rows(config, name)
        }
        if "profiles" in self.tables:
            needed |= {path for _, paths in profile_pairs(config) for path in paths}
        bundles = result_paths.task_bundles(config)
        self.evaluations = [b for b in bundles if needed & set(b.outputs)]
        self.perplexities = (
            result_paths.perplexity_bundles(config)
            if "perplexity" in self.tables
            else []
        )
        # As keys of dictionaries: each once, in order.
        self.tunings = dict.fromkeys(
            (str(b.task), str(b.model), str(b.tuning), int(b.seed))
            for b in self.evaluations
            if b.tuning != BASE
        )
        self.neurons: dict[tuple[str, Selection], None] = {}
        for model in models(config):
            for selection in drawn_selections(config, model):
                self._add_neurons(model, selection)
        self.activations: dict[tuple[str, str, str], None] = {}
        for bundle in (*self.evaluations, *self.perplexities):
            read = result_paths.bundle_inputs(config, bundle)
            for path in read["neurons"]:
                found = Selection.parse(Path(path).stem)
                self._add_neurons(str(bundle.model), found)
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
            (str(b.corpus), str(b.model), str(b.lang)) for b in self.perplexities
        )
        self.tokens = self.activations | self.held_out

    def _add_neurons(self, model: str, selection: Selection) -> None:
        """Add the neurons of a selection, and those that they are made from."""
        if (model, selection) not in self.neurons:
            self.neurons[model, selection] = None
            for read in self.config.made_from(selection):
                self._add_neurons(model, read)
