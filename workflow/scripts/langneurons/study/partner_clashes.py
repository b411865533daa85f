"""Refuse, before the first job, results that would be taken for one another."""

from __future__ import annotations

from typing import Any

from langneurons.config.names import Selection, split_draw
from langneurons.config.schema import Config
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
        seen: dict[tuple[str | None, str], str] = {}
        for text in given:
            selection = Selection.parse(text)
            base = split_draw(selection.method)[0]
            match = config.methods[base].control_of
            first = seen.setdefault((match, selection.languages), base)
            if match is not None and first != base:
                problems.append(
                    f"{where}: {first} and {base} are both controls of {match} in "
                    f"{selection.languages}; tables name random neurons by what they "
                    "match, and would take one for the other. Name one of them here"
                )
    return problems
