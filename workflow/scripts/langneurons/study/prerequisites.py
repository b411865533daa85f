"""What the tables and figures of a grid need, from evaluations back to tokens."""

from __future__ import annotations

from pathlib import Path

from langneurons import tables
from langneurons.config.names import BASE, Selection
from langneurons.config.schema import Config
from langneurons.grid import result_paths
from langneurons.grid.rows import drawn_selections

from .table_specs import TableSpecs, files_of


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
        self.tables = tables.wanted(config)
        specs = TableSpecs(config)
        reads = [specs.reads(name) for name in self.tables]
        needed = {
            path for read in reads for path in files_of(config, read)["evaluations"]
        }
        bundles = result_paths.task_bundles(config)
        self.evaluations = [b for b in bundles if needed & set(b.outputs)]
        self.perplexities = (
            result_paths.perplexity_bundles(config)
            if any(read.perplexities for read in reads)
            else []
        )
        # As keys of dictionaries: each once, in order.
        self.tunings = dict.fromkeys(
            (str(b.task), str(b.model), str(b.tuning), int(b.seed))
            for b in self.evaluations
            if b.tuning != BASE
        )
        self.neurons: dict[tuple[str, Selection], None] = {}
        for model in config.grid.models:
            for selection in drawn_selections(config):
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
        for table in reads:
            self.activations |= {(c, m, x): None for m, c, x in table.activations}
        self.held_out = dict.fromkeys(
            (str(b.corpus), str(b.model), str(b.lang)) for b in self.perplexities
        )
        self.tokens = self.activations | self.held_out

    def _add_neurons(self, model: str, selection: Selection) -> None:
        """Add the neurons of a selection, and those that they are made from."""
        if (model, selection) not in self.neurons:
            self.neurons[model, selection] = None
            for read in self.config.reads(selection):
                self._add_neurons(model, read)
