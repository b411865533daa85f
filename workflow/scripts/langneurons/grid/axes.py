"""What the rows of every experiment are made of.

A row is one evaluation: a treatment of a model, on a task or on held-out text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from langneurons.config.names import (
    Selection,
    Treatment,
    TuningName,
    draw,
    hashed,
    split_draw,
)
from langneurons.config.schema import Config


@hashed
@dataclass(frozen=True)
class Row:
    """A treatment of a tuned model on a task, in one language.

    Attributes:
        model: its name.
        tuning: which weights were fine-tuned.
        seed: of the fine-tuning.
        lang: language of the items.
        treatment: what is done to the model when it is tested.
        experiment: that asks for it first; it makes no other evaluation of it.
    """

    model: str
    tuning: TuningName
    seed: int | str
    lang: str
    treatment: Treatment
    experiment: str = field(default="", compare=False)

    def under(self, treatment: Treatment) -> Row:
        """Return the same row under another treatment."""
        same = (self.model, self.tuning, self.seed, self.lang)
        return Row(*same, treatment, self.experiment)


@hashed
@dataclass(frozen=True)
class TextRow:
    """A treatment of a model on held-out text of one language.

    Attributes:
        corpus: that the text is of.
        model: its name.
        lang: language of the text.
        treatment: what is done to the model.
        chunks: of text, at most.
        experiment: that asks for it first.
    """

    corpus: str
    model: str
    lang: str
    treatment: Treatment
    chunks: int
    experiment: str = field(default="", compare=False)

    def under(self, treatment: Treatment) -> TextRow:
        """Return the same row under another treatment."""
        same = (self.corpus, self.model, self.lang)
        return TextRow(*same, treatment, self.chunks, self.experiment)


@dataclass(frozen=True)
class Block:
    """Rows that differ in their treatment only.

    Grids have hundreds of treatments of each model and language, and most questions
    about a grid are none about single ones.

    Attributes:
        row: any of them; its treatment says nothing.
        treatments: theirs, in order.
    """

    row: Row | TextRow
    treatments: tuple[Treatment, ...]

    @property
    def rows(self) -> list[Row | TextRow]:
        """The rows themselves."""
        return [self.row.under(treatment) for treatment in self.treatments]


def expand_draws(config: Config, selection: str) -> list[Selection]:
    """List a selection, or each of its draws if its method is a random one."""
    parsed = Selection.parse(selection)
    draws = config.method(parsed.method).draws
    if draws is None or split_draw(parsed.method)[1] is not None:
        return [parsed]
    return [
        Selection(draw(parsed.method, i + 1), parsed.languages) for i in range(draws)
    ]


def covers(config: Config, selection: Selection, lang: str) -> bool:
    """Tell whether interventions in ``lang`` use this selection's language set."""
    entry = config.language_set(selection.languages)
    return lang in (entry.evaluate or entry.languages)


def is_control(config: Config, selection: str | Selection) -> bool:
    """Tell whether a selection holds random neurons."""
    method = Selection.parse(str(selection)).method
    return config.method(method).draws is not None


class Written(Protocol):
    """What says which statistics are written: an experiment, or its task's own part."""

    @property
    def statistics(self) -> tuple[str, ...]: ...

    @property
    def control_statistics(self) -> tuple[str, ...] | None: ...


def written(
    config: Config, selections: Iterable[str], said: Written
) -> Iterator[tuple[Selection, tuple[str, ...]]]:
    """Yield selections, random ones draw by draw, and what is written into each.

    Args:
        config: the configuration.
        selections: as experiments list them.
        said: statistics, and those of random neurons (None: the same).
    """
    usual, control = said.statistics, said.control_statistics
    for text in selections:
        own = usual if control is None or not is_control(config, text) else control
        for selection in expand_draws(config, text):
            yield selection, own


def neuron_languages(
    config: Config, langset: str, asked: str | tuple[str, ...]
) -> list[str]:
    """List the languages of a set whose turn it is, whatever is tested.

    Args:
        config: the configuration.
        langset: name of the language set.
        asked: ``all`` languages of the set, or these, as far as the set has them.
    """
    inside = config.language_set(langset).languages
    return [x for x in (inside if asked == "all" else asked) if x in inside]
