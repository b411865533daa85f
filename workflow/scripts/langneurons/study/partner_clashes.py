"""Refuse, before the first job, results that would be taken for one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from langneurons.config.names import Overwritten, Selection, split_draw
from langneurons.config.schema import Config
from langneurons.grid import rows
from langneurons.grid.axes import Block, Row
from langneurons.published import numbers
from langneurons.published.partners import Evaluated, Partners
from langneurons.tables.common import planned

from .check_experiments import lists


def clashes(config: Config) -> list[str]:
    """Say where two results of ours are the partner of one published number.

    Results that differ in the seed only are no such pair, nor are neurons of a
    language in several sets by a method that does not compare languages.
    """
    partners = Partners(config)
    if not partners.any_model:
        return []
    found: dict[Any, dict[Any, str]] = {}
    for one in partners.evaluations:
        if one.why is None:
            names = found.setdefault(one.key, {})
            names.setdefault(planned.identity(config, one), _label(one))
    for kept in partners.neurons:
        if kept.why is None:
            shown = f"neurons {kept.model} {kept.selection}"
            same = (kept.model, kept.selection.method)
            if kept.key[1] in numbers.CONTRASTIVE:
                same = (kept.model, str(kept.selection))
            found.setdefault(kept.key, {}).setdefault(same, shown)
    for table in partners.activations:
        if table.why is None:
            shown = f"activations of {table.model} on {table.corpus}"
            same = (table.model, table.corpus)
            found.setdefault(table.key, {}).setdefault(same, shown)
    return _worded([list(names.values()) for names in found.values()])


def _label(one: Evaluated) -> str:
    row = one.row
    return f"{one.task} {row.model} {row.tuning} {row.lang} {row.treatment}"


def _worded(groups: list[list[str]]) -> list[str]:
    """Word the groups with several results, one example and how many there are."""
    several = [names for names in groups if len(names) > 1]
    if not several:
        return []
    more = f" (and {len(several) - 1} more)" if len(several) > 1 else ""
    return [
        f"published_as: {' and '.join(several[0])} are all made by the published "
        f"procedure, and would stand beside the same published number{more}; leave all "
        "but one out of the experiments, or take 'published_as' from the entry that is "
        "not the paper's"
    ]


def twin_controls(config: Config) -> list[str]:
    """Check that tables, which name what is matched, can tell random neurons apart."""
    problems = []
    for where, given in lists(config, "selections", "controls").items():
        seen: dict[tuple[str, str], str] = {}
        for text in given:
            for key, base in _control(config, Selection.parse(text)):
                if (first := seen.setdefault(key, base)) != base:
                    problems.append(f"{where}: {first} and {base} {_twins(*key)}")
    return problems or list(dict.fromkeys(_twins_of_two(config)))


def _twins_of_two(config: Config) -> Iterator[str]:
    """Find two such controls in one table, for which different experiments ask."""
    for table, listed in rows.tables(config).items():
        seen: dict[tuple[str, str], tuple[str, str]] = {}
        for selection, name in _first_asked(listed).items():
            for key, base in _control(config, selection):
                first, asks = seen.setdefault(key, (base, name))
                if first != base:
                    yield (
                        f"experiments.{name}: its {base}, and {first} of experiments."
                        f"{asks}, {_twins(*key)} (table {table})"
                    )


def _first_asked(listed: Iterable[Block]) -> dict[Selection, str]:
    """Return whose neurons rows tune or overwrite, and which experiment asks first."""
    found: dict[Selection, str] = {}
    for block in listed:
        row = block.row
        for treatment in block.treatments:
            if isinstance(treatment, Overwritten):
                found.setdefault(treatment.selection, row.experiment)
        if isinstance(row, Row) and row.tuning.selection is not None:
            found.setdefault(row.tuning.selection, row.experiment)
    return found


def _control(
    config: Config, selection: Selection
) -> Iterator[tuple[tuple[str, str], str]]:
    """Return what random neurons are set beside, and the method that draws them."""
    base = split_draw(selection.method)[0]
    match = config.methods[base].control_of
    if match is not None:
        yield (match, selection.languages), base


def _twins(match: str, langset: str) -> str:
    return (
        f"are both controls of {match} in {langset}; tables name random neurons by "
        "what they match, and would take one for the other. Name one of them here"
    )
