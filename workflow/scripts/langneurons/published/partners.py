"""Which results of ours stand beside a published number, and why others do not.

A result *stands for* a published number by its names: ``published_as`` of its model and
methods, the value that its statistic writes, its language. It is the number's *partner*
if besides every field that decides is the published one (``procedure``); else the first
field that differs is the reason why the number has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from langneurons import tasks
from langneurons.config.names import (
    NO_TREATMENT,
    UNTREATED,
    Overwritten,
    Selection,
    TuningName,
    split_draw,
)
from langneurons.config.schema import Config
from langneurons.grid import rows
from langneurons.grid.axes import Row

from . import numbers, procedure
from .numbers import Key
from .procedure import RANDOM

SetKey = tuple[str, str, str]
"""Model, method and language set of published neurons."""


class Evaluated(NamedTuple):
    """An evaluation of ours that stands for a published number.

    Attributes:
        task: its name in the configuration.
        row: what was evaluated.
        key: of the published number.
        why: the first field that is not as published; None: it is the partner.
    """

    task: str
    row: Row
    key: Key
    why: str | None


class Identified(NamedTuple):
    """Neurons of ours that stand for a published set; ``why`` as in Evaluated."""

    model: str
    selection: Selection
    key: SetKey
    why: str | None


class Recorded(NamedTuple):
    """Activations of ours that stand for Table 6; ``why`` as in Evaluated."""

    model: str
    corpus: str
    key: str
    why: str | None


class Partners:
    """Finds the partners of published numbers in one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._known: dict[tuple[Any, ...], str | None] = {}

    def values(self, task: str, row: Row) -> dict[str, float]:
        """Return the published value of each metric beside an evaluation of ours."""
        key = self.key(task, row)
        if key is None or self.why_not(task, row, key):
            return {}
        return numbers.values(key)

    def key(self, task: str, row: Row) -> Key | None:
        """Name the published number that an evaluation stands for, by its names."""
        config = self.config
        model = config.model(row.model).published_as
        tuning = self._tuning_key(row.tuning)
        if model is None or tuning is None:
            return None
        method, statistic = None, NO_TREATMENT
        if isinstance(row.treatment, Overwritten):
            parsed = row.treatment
            if parsed.language not in (None, row.lang):
                return None  # the published neurons are of the tested language
            method = self._method_key(parsed.selection.method)
            statistic = config.statistic(parsed.statistic).value
            if method is None:
                return None
        elif row.treatment != UNTREATED:
            return None  # nobody published it
        if (of_task := self._tasks.get(task)) is None:
            return None
        key = Key(model, tuning, of_task, row.lang, method, statistic)
        return key if numbers.values(key) else None

    @cached_property
    def _tasks(self) -> dict[str, str]:
        """Published key of each task."""
        given = self.config.tasks.items()
        keys = ((name, tasks.load(entry.kind).PUBLISHED) for name, entry in given)
        return {name: key for name, key in keys if key is not None}

    def _method_key(self, name: str) -> str | None:
        entry = self.config.method(name)
        return RANDOM if entry.draws else entry.published_as

    def _tuning_key(self, name: TuningName) -> str | None:
        """Name a tuning as the file of figures does, by what it is, not is called."""
        entry = self.config.tuning(name)
        if entry.kind == "attention":
            return numbers.BASELINE
        if entry.kind != "masked_lora" or name.selection is None:
            return None
        method = self._method_key(name.selection.method)
        return f"{method}:{'+'.join(sorted(name.languages))}" if method else None

    def why_not(self, task: str, row: Row, key: Key) -> str | None:
        """Name the first field that differs from the published procedure, if any."""
        config, model = self.config, key.model
        tuned = row.tuning
        entry = config.tuning(row.tuning)
        checks: list[tuple[tuple[Any, ...], Callable[[], str | None]]] = [
            (("model", row.model), lambda: self._model(row.model)),
            (("task", task), lambda: self._task(task)),
            (("tuning", tuned.entry), lambda: self._tuning(tuned.entry, entry.kind)),
            (
                ("training", task, row.model, tuned.entry),
                lambda: self._training(task, row, model),
            ),
        ]
        selections = [tuned.selection] if tuned.selection else []
        if isinstance(row.treatment, Overwritten):
            parsed = row.treatment
            selections.append(parsed.selection)
            name = parsed.statistic
            checks.append((("statistic", name), lambda: self._statistic(name)))
        for selection in selections:
            known = ("selection", str(selection), row.model, row.lang)
            checks.append((known, self._neurons_of(selection, row, model)))
        return self._first(checks)

    def _first(
        self, checks: list[tuple[tuple[Any, ...], Callable[[], str | None]]]
    ) -> str | None:
        """Return the first difference; each check is made once a configuration."""
        for known, check in checks:
            if known not in self._known:
                self._known[known] = check()
            if self._known[known]:
                return self._known[known]
        return None

    def _model(self, name: str) -> str | None:
        entry = self.config.model(name)
        given = procedure.of_model(entry)
        return procedure.difference(
            "model", given, f"models.{name}", entry.published_as
        )

    def _task(self, name: str) -> str | None:
        entry = self.config.task(name)
        part = f"task.{self._tasks[name]}"
        return procedure.difference(part, procedure.of_task(entry), f"tasks.{name}")

    def _tuning(self, name: str, kind: str) -> str | None:
        given = procedure.fields(self.config.tunings[name])
        return procedure.difference(f"tuning.{kind}", given, f"tunings.{name}")

    def _training(self, task: str, row: Row, model: str) -> str | None:
        given = self.config.training(task, row.model, row.tuning)
        part = f"training.{self._tasks[task]}"
        where = f"tasks.{task}.training"
        return procedure.difference(part, procedure.fields(given), where, model)

    def _statistic(self, name: str) -> str | None:
        given = procedure.of_statistic(self.config, name)
        return procedure.difference("statistic", given, f"statistics.{name}")

    def _neurons_of(
        self, selection: Selection, row: Row, model: str
    ) -> Callable[[], str | None]:
        def check() -> str | None:
            method = self._method_key(selection.method)
            used = numbers.set_used(str(method), row.lang)
            key = (model, str(method), used or "")
            return self._selection(selection, key, procedure.STUDY)

        return check

    def _selection(self, selection: Selection, key: SetKey, study: str) -> str | None:
        """Compare a method, the text it read and the languages it contrasted."""
        config, method = self.config, key[1]
        name = split_draw(selection.method)[0]
        corpus = config.method_corpus(name)
        given = procedure.of_method(config, name)
        differs = procedure.difference
        found = differs(f"method.{method}", given, f"methods.{name}", study=study)
        found = found or self._text(corpus, study)
        if found or method not in numbers.CONTRASTIVE:
            return found
        wanted = numbers.set_languages(*key)
        langset = selection.languages
        ours = config.language_set(langset).languages
        if not wanted or set(wanted) == set(ours):
            return None
        return (
            f"language_sets.{langset}.languages: [{', '.join(ours)}] "
            f"(published: [{', '.join(wanted)}])"
        )

    def _text(self, corpus: str, study: str = procedure.STUDY) -> str | None:
        """Compare the text and how activations are recorded on it."""
        config, differs = self.config, procedure.difference
        text = procedure.fields(config.corpus(corpus), "hub")
        recorded = procedure.fields(config.recorded(corpus))
        return differs("corpus", text, f"corpora.{corpus}", study=study) or differs(
            "activations", recorded, "activations", study=study
        )

    @cached_property
    def evaluations(self) -> list[Evaluated]:
        """Every evaluation of the grid that stands for a published number, once."""
        if not self.any_model:
            return []
        found: dict[tuple[str, Row], Evaluated] = {}
        for task in rows.tasks(self.config):
            for untreated, treatments in rows.task_blocks(self.config, task):
                if not self.config.model(untreated.model).published_as:
                    continue
                for row in map(untreated.under, treatments):
                    key = self.key(task, row)
                    if key is not None and (task, row) not in found:
                        why = self.why_not(task, row, key)
                        found[task, row] = Evaluated(task, row, key, why)
        return list(found.values())

    @property
    def any_model(self) -> bool:
        """Whether a model of the grid stands for a published one."""
        return any(self.config.model(m).published_as for m in rows.models(self.config))

    @cached_property
    def neurons(self) -> list[Identified]:
        """Every selection of the grid that stands for a published neuron set."""
        return list(self._identified())

    def _identified(self) -> Iterator[Identified]:
        config = self.config
        for model in rows.models(config):
            known = config.model(model).published_as
            drawn = rows.drawn_selections(config, model)
            for selection in drawn if known else ():
                method = config.method(selection.method).published_as
                for entry in numbers.figures()["neuron_sets"]:
                    if (entry["model"], entry["method"]) == (known, method):
                        key = (str(known), str(method), entry["language_set"])
                        if self._shares_languages(selection, key):
                            study = entry["source"].partition(".")[0]
                            why = self._neurons(model, selection, key, study)
                            yield Identified(model, selection, key, why)

    def _shares_languages(self, selection: Selection, key: SetKey) -> bool:
        """Tell whether a selection is named like a set, or is made of its languages.

        A method that does not compare languages selects the same neurons of a language
        in any set, so that one language of the published set is enough.
        """
        ours = set(self.config.language_set(selection.languages).languages)
        theirs = set(numbers.set_languages(*key))
        if key[1] in numbers.CONTRASTIVE:
            return ours == theirs or selection.languages == key[2]
        return bool(ours & theirs)

    def _neurons(
        self, model: str, selection: Selection, key: SetKey, study: str
    ) -> str | None:
        entry = self.config.model(model)
        given, where = procedure.of_model(entry), f"models.{model}"
        found = procedure.difference("model", given, where, key[0], study)
        return found or self._selection(selection, key, study)

    @cached_property
    def activations(self) -> list[Recorded]:
        """Every model and corpus of the grid that stand for those of Table 6."""
        found: dict[tuple[str, str], Recorded] = {}
        for model, corpus, _ in rows.measured(self.config):
            known = self.config.model(model).published_as
            if known:
                why = self._model(model) or self._text(corpus)
                found[model, corpus] = Recorded(model, corpus, known, why)
        return list(found.values())
