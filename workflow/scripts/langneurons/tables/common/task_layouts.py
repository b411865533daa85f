"""The three layouts of a task table, with the lines and columns of the paper's."""

from __future__ import annotations

from itertools import product

import pandas as pd

from langneurons.config.names import BASE, MASKED, Selection, TuningName, split_draw

from .bridged_text import DIRECT, is_bridged, via
from .document import code
from .task_columns import is_random_tuning
from .task_lines import Layout, Line, Section, called, without_draw
from .words import ATTENTION, NO_INT, NOTHING


def interventions(section: Section, tuning: str) -> Layout:
    """Lay out Tables 1, 4 and 5: model, method and language down, statistics across.

    Of bridges, which write into no neurons: model and pair down, bridges across.

    Args:
        section: rows of a task table.
        tuning: the one whose interventions are shown.
    """
    lines: list[Line] = []
    for model in section.models:
        lines += [
            line
            for whose in section.overwritten
            for lang in section.langs
            for line in section.treated(model, tuning, lang, whose)
        ] or [
            line
            for lang in section.langs
            for line in section.untreated(model, tuning, lang, NOTHING)
        ]
    if is_bridged(section.table):
        pairs = [Line([line.head[0], line.head[2]], line.cells) for line in lines]
        titles = ["model", "pair", DIRECT, *map(via, section.statistics)]
        return Layout(titles, pairs, 1)
    titles = ["model", "neurons", "lang", NO_INT, *map(code, section.statistics)]
    return Layout(titles, lines, 1)


def tunings(section: Section, entry: str) -> Layout:
    """Lay out Tables 3 and 7: model, method, language and fine-tuned neurons down.

    Args:
        section: rows of a task table.
        entry: of the ``tunings`` catalogue. The lines of ``masked`` are below those of
            the tunings without neurons, to which all are compared.
    """
    families: dict[Selection | None, list[TuningName]] = {}
    partners = matched(section.table)
    for name in map(TuningName.parse, section.tunings):
        if name.entry == entry or (name.selection is None and entry == MASKED):
            family = partners.get(str(name), name.selection)
            families.setdefault(family, []).append(name)
    lines = [
        line
        for model in section.models
        for family, names in families.items()
        for lang in section.langs
        for name in names
        for line in _of_tuning(section, model, name, lang, family)
    ]
    header = ["model", "neurons", "fine-tuned", "lang", NO_INT]
    return Layout([*header, *map(code, section.statistics)], lines, 1)


def _of_tuning(
    section: Section, model: str, name: TuningName, lang: str, family: Selection | None
) -> list[Line]:
    """Make the lines of one tuning; one without its interventions if it has none."""
    tuned = code(name.entry)
    if name.selection is not None:
        tuned = "+".join(name.languages)
        if name.selection != family:
            tuned = f"{code(name.selection)}: {tuned}"
    where = (model, str(name), lang)
    found = [
        line
        for whose in section.overwritten
        for line in section.treated(*where, whose, tuned)
    ]
    neurons = code(family) if family else NOTHING
    return found or section.untreated(*where, neurons, tuned)


def entries(section: Section) -> list[str]:
    """List the entries of ``tunings`` that have lines of their own."""
    names = map(TuningName.parse, section.tunings)
    return list(
        dict.fromkeys(MASKED if n.selection is None else n.entry for n in names)
    )


def random(section: Section) -> Layout:
    """Lay out Table 8: tuning of a language's neurons beside tuning of random ones."""
    partners = matched(section.table)
    beside = [x for x in (BASE, ATTENTION) if x in section.tunings]
    # By family, so that all languages of a selection stand together as in the paper.
    chosen: dict[Selection, dict[tuple[str, tuple[str, ...]], dict[bool, str]]] = {}
    for tuning in section.tunings:
        name = TuningName.parse(tuning)
        if name.selection is not None:
            family = partners.get(tuning, name.selection)
            same = chosen.setdefault(family, {})
            both = same.setdefault((name.entry, name.languages), {})
            both[tuning in partners] = tuning
    lines: list[Line] = []
    order = [
        (f, *key, both) for f, same in chosen.items() for key, both in same.items()
    ]
    for model, (family, entry, languages, both) in product(section.models, order):
        tuned = "+".join(languages) + ("" if entry == MASKED else f" ({code(entry)})")
        for lang in section.langs:
            own = section.none(model, both.get(False, ""), lang)
            drawn = section.none(model, both.get(True, ""), lang)
            if own or drawn:
                references = [section.none(model, name, lang) for name in beside]
                head = [model, code(family), tuned, called(lang)]
                lines.append(Line(head, [*references, own, drawn]))
    header = ["model", "neurons", "fine-tuned", "lang"]
    header += [*beside, "language neurons", "random neurons"]
    return Layout(header, lines, len(beside))


def matched(table: pd.DataFrame) -> dict[str, Selection]:
    """Say for each random tuning (without its draw) which selection it matches.

    It is the row's ``matched`` where that is given. Else it is the selection of the
    same language set tuned for the same languages; of several the one whose method ends
    the name of the random one (``random_lape``).
    """
    given = dict(zip(table["tuning"], table["matched"], strict=True))
    names = [TuningName.parse(tuning) for tuning in given]
    found: dict[str, Selection] = {}
    for name in names:
        if name.selection is None or not is_random_tuning(str(name)):
            continue
        langset = name.selection.languages
        base = split_draw(name.selection.method)[0]
        same = [
            other.selection.method
            for other in names
            if other.selection is not None
            and not is_random_tuning(str(other))
            and (other.entry, other.selection.languages, other.languages)
            == (name.entry, langset, name.languages)
        ]
        candidates = [method for method in same if base.endswith(f"_{method}")] or same
        method = given[str(name)]
        if method == NOTHING:
            method = candidates[0] if len(set(candidates)) == 1 else base
        found[without_draw(str(name))] = Selection(method, langset)
    return found
