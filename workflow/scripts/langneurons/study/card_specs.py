"""What cards of adapters and of neurons are made from: settings, files, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langneurons import methods, tables, tasks
from langneurons.config.catalogue import Corpus
from langneurons.config.names import Selection, TuningName
from langneurons.config.schema import Config
from langneurons.config.task_entries import FOREIGN
from langneurons.grid import result_paths, rows, subjects
from langneurons.grid.axes import Row
from langneurons.grid.experiments.finetuning import FINETUNE, RANDOM
from langneurons.jobs.files import canonical

from . import check_tuning, targets

CARD = "README.md"
"""Name of a card, which the hub shows; an adapter's is beside it."""


def all_cards(config: Config) -> list[str]:
    """List the cards of every adapter that is trained, and of each model's neurons."""
    found = [
        str(Path(path).with_name(CARD))
        for one in subjects.trained(config)
        for path in subjects.adapter(config, one)
    ]
    models = [name for name in rows.models(config) if described(config, name)]
    return [*found, *(f"{config.results}/cards/{name}/{CARD}" for name in models)]


def described(config: Config, model: str) -> list[Selection]:
    """List the selections that a card of neurons describes: all but random ones."""
    found = rows.computed_selections(config, model)
    return [each for each in found if config.method(each.method).draws is None]


class CardSpecs:
    """Says what cards read, by Snakemake's wildcards."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def adapter_tables(self, wildcards: Any) -> list[str]:
        """List the tables of ``snakemake all`` that have scores of an adapter."""
        task, wanted = wildcards.task, set(tables.wanted(self.config))
        own = wildcards.model, wildcards.tuning, str(wildcards.seed)
        found = []
        for name in (task, f"{FINETUNE}{task}", f"{RANDOM}{task}"):
            blocks = rows.tables(self.config).get(name, ()) if name in wanted else ()
            some = [block.row for block in blocks if isinstance(block.row, Row)]
            if own in {(x.model, str(x.tuning), str(x.seed)) for x in some}:
                found.append(targets.table(self.config, name))
        return found

    def adapter_card(self, wildcards: Any) -> str:
        """Say how an adapter was trained, in the words of the configuration."""
        config, task, model = self.config, wildcards.task, wildcards.model
        entry, name = config.task(task), TuningName.parse(wildcards.tuning)
        kind, hub = tasks.load(entry.kind), entry.data.hub_of("train")
        training = config.training(task, model, name)
        parameters = kind.PARAMETERS.model_validate(entry.parameters)
        local = set(kind.files(parameters))  # paths say nothing elsewhere
        changes = config.tuning(name)
        idle = {"attention", "mlp_targets"} if changes.kind == "attention" else set()
        unread = {"checkpoint_every", *check_tuning.unread(changes)}
        return canonical(
            {
                "task": task,
                "title": kind.TITLE,
                "classes": list(kind.LABELS),
                "parameters": parameters.model_dump(mode="json", exclude=local),
                "language": entry.source_language,
                "data": hub.model_dump(mode="json") if hub else None,
                "tuning": str(name),
                "changes": changes.model_dump(
                    mode="json", exclude={"training", *FOREIGN} | idle
                ),
                "training": training.model_dump(mode="json", exclude=unread),
                "seed": int(wildcards.seed),
            }
            | self._model(model)
        )

    def _model(self, name: str) -> dict[str, Any]:
        entry = self.config.model(name)
        given = {"quantization": entry.quantization, "license": entry.license}
        return {"model": name, **given}

    def neuron_files(self, wildcards: Any) -> list[str]:
        """List the neuron files that a card describes."""
        model = wildcards.model
        found = described(self.config, model)
        return [result_paths.neurons(model, each) for each in found]

    def neuron_tables(self, wildcards: Any) -> list[str]:
        """List the tables that show what overwriting a model's neurons does."""
        wanted = set(tables.wanted(self.config))
        found = []
        for task in rows.tasks(self.config):
            some = rows.task_blocks(self.config, task) if task in wanted else []
            if any(row.model == wildcards.model for row, _ in some):
                found.append(targets.table(self.config, task))
        return found

    def neuron_card(self, wildcards: Any) -> str:
        """Say of which text and by which methods a model's neurons are."""
        config, model = self.config, wildcards.model
        found = described(config, model)
        about = {str(each): self._selection(each) for each in found}
        read = dict.fromkeys(one["corpus"] for one in about.values() if one["corpus"])
        corpora = {name: _corpus(config.corpus(name)) for name in read}
        spec = {"selections": about, "corpora": corpora}
        return canonical(spec | self._model(model))

    def _selection(self, selection: Selection) -> dict[str, Any]:
        entry = self.config.method(selection.method)
        return {
            "corpus": self._text(selection),
            "imported": methods.load(entry.kind).IMPORTED,
            "others": self._of_others(selection),
            # Parameters that are paths, and say nothing elsewhere.
            "files": list(methods.files_of(entry.kind, entry.parameters)),
        }

    def _text(self, selection: Selection) -> str | None:
        """Name the corpus that neurons were found in; None where others found them."""
        config, kind = self.config, self.config.method(selection.method).kind
        read, least = config.reads(selection), methods.load(kind).READS[0]
        # What must read others is made from their neurons alone.
        foreign = least > 0 and not any(map(self._text, read))
        if foreign or methods.load(kind).IMPORTED:
            return None
        return config.method_corpus(selection.method)

    def _of_others(self, selection: Selection) -> bool:
        """Tell whether neurons are somebody else's, or made from such."""
        kind = self.config.method(selection.method).kind
        read = self.config.reads(selection)
        return methods.load(kind).IMPORTED or any(map(self._of_others, read))


def _corpus(entry: Corpus) -> dict[str, Any]:
    """Name a text by its source on the hub; a folder is its owner's own affair."""
    hub = entry.hub.model_dump(mode="json") if entry.hub else None
    return {"hub": hub, "tokens": entry.tokens, "unit": entry.unit}
