"""Which language open answers are in, while languages are switched off one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from langneurons.config.names import Overwritten, Treatment
from langneurons.stats.appearing import Part, largest
from langneurons.stats.cells import Cells

from . import columns
from .columns import Column
from .evaluations import RESAMPLES
from .open_items import Treated, shares_of
from .task_columns import NEURONS
from .ways import Place, Way
from .words import NOTHING, RANDOM

ALL = "all"
"""In place of a language of prompts: the mean over all."""
COLUMNS = (
    Column("experiment", "of the configuration", key=True),
    Column("task", "whose prompts are answered", key=True),
    Column("model", "name in the configuration", key=True),
    *NEURONS,
    Column("statistic", "what is written into the neurons", key=True),
    Column("lang", "language of the prompts; all: the mean over all", key=True),
    Column("off", "languages whose neurons are overwritten; -: none", key=True),
    Column(
        "language", "of the answers; other: one whose share is not kept, none: nothing "
        "is found", key=True,
    ),
    Column("step", "how many languages are switched off", "count"),
    Column("n", "prompts", "count"),
    Column("share", "of the answers' words, mean over prompts", "number", form=".3f"),
    Column("ci_low", "low end of its 95 % interval over prompts", "number", form=".3f"),
    Column("ci_high", "high end of its 95 % interval", "number", form=".3f"),
    Column("delta", "change against nothing switched off", "number", form="+.3f"),
    Column("delta_ci_low", "low end of its 95 % interval", "number", form="+.3f"),
    Column("delta_ci_high", "high end of its 95 % interval", "number", form="+.3f"),
    Column("random", "difference to random neurons (n_neurons)", "number", form="+.3f"),
    Column("random_ci_low", "low end of its 95 % interval", "number", form="+.3f"),
    Column("random_ci_high", "high end of its 95 % interval", "number", form="+.3f"),
    Column(
        "largest", "share of resamples of the prompts in which no other language has "
        "a larger share", "number", form=".3f",
    ),
    Column("n_neurons", "neurons overwritten", "count"),
)  # fmt: skip


class Step(NamedTuple):
    """A way to switch off, and the languages whose neurons it overwrites, joined."""

    way: Way
    off: str


class Found(NamedTuple):
    """Shares of words by language of the prompts: items, and [items, languages]."""

    parts: dict[str, Part]
    n_neurons: int | None


Steps = dict[Step, Found]


def gather(found: Iterable[Treated], languages: Sequence[str]) -> Steps:
    """Put the answers of a model to a task together, by step.

    What is untreated stands beside each way as its step 0; the mean over draws of
    random neurons is a way without a draw.
    """
    names = shares_of(languages)
    steps: dict[Step, dict[str, Part]] = {}
    sizes: dict[Step, int] = {}
    for row, after, before in found:
        way, off = Way.of(row), switched_off(row)
        for step, given in ((Step(way, off), after), (Step(way, NOTHING), before)):
            shares = np.column_stack([given.columns[name] for name in names])
            steps.setdefault(step, {})[row["lang"]] = given.items, shares
        sizes[Step(way, off)] = after.n_neurons
    drawn: dict[Step, list[dict[str, Part]]] = {}
    for step, parts in steps.items():
        if step.way.method == RANDOM:
            mean = Step(step.way._replace(draw=None), step.off)
            drawn.setdefault(mean, []).append(parts)
    whole = {step: Found(parts, sizes.get(step)) for step, parts in steps.items()}
    own: dict[Step, list[int]] = {}
    for step, size in sizes.items():
        own.setdefault(Step(step.way._replace(draw=None), step.off), []).append(size)
    return whole | {
        step: Found(_mean(each), round(np.mean(own[step])) if step in own else None)
        for step, each in drawn.items()
    }


def switched_off(row: Mapping[str, Any]) -> str:
    """Return the languages whose neurons a row overwrites, joined."""
    parsed = Treatment.parse(row["treatment"])
    language = parsed.language if isinstance(parsed, Overwritten) else None
    return language or NOTHING


def _mean(draws: Sequence[Mapping[str, Part]]) -> dict[str, Part]:
    """Average the draws of random neurons, prompt by prompt."""
    common = [lang for lang in draws[0] if all(lang in one for one in draws)]
    return {
        lang: (draws[0][lang][0], np.mean([one[lang][1] for one in draws], axis=0))
        for lang in common
    }


def fallback_table(
    found: Iterable[Treated],
    languages: Mapping[str, Sequence[str]],
    *,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Say of every step how much of the answers is in which language.

    Args:
        found: answers while languages are switched off.
        languages: of each task, those whose shares are kept.
        resamples: of each bootstrap.
    """
    by_place: dict[Place, list[Treated]] = {}
    for one in found:
        place = Place(*(one.row[k] for k in Place._fields))
        by_place.setdefault(place, []).append(one)
    lines = [
        place._asdict() | line
        for place, own in by_place.items()
        for line in _of_place(
            gather(own, languages[place.task]), languages[place.task], resamples
        )
    ]
    return columns.frame(lines, COLUMNS)


def _of_place(
    steps: Steps, languages: Sequence[str], resamples: int
) -> Iterator[dict[str, Any]]:
    names = [name.partition("_")[2] for name in shares_of(languages)]
    order = sorted(steps, key=lambda step: (_size(step.off), step.way.draw or 0))
    first = list(dict.fromkeys(step.way for step in steps))
    for step in sorted(order, key=lambda step: first.index(step.way)):
        is_first = step.off == NOTHING
        nothing = None if is_first else steps[Step(step.way, NOTHING)]
        control = None if is_first else steps.get(_control(step))
        for lang, parts in _by_lang(steps[step].parts).items():
            shown = {"lang": lang, "off": step.off, "step": _size(step.off)}
            shown |= {"n_neurons": steps[step].n_neurons}
            often = largest([*parts.values()], resamples)
            for number, name in enumerate(names):
                own = _cells(parts, number)
                beside = [_beside(x, parts, number) for x in (nothing, control)]
                yield (
                    step.way._asdict()
                    | shown
                    | {
                        "language": name,
                        "largest": often[number],
                        **_line(own, beside, resamples),
                    }
                )


def _size(off: str) -> int:
    return 0 if off == NOTHING else off.count("+") + 1


def _control(step: Step) -> Step:
    """Name the step that overwrites random neurons of the same languages."""
    return Step(step.way.random, step.off)


def _by_lang(parts: Mapping[str, Part]) -> dict[str, dict[str, Part]]:
    """Return each language of prompts by itself, and if there are several all."""
    each = {lang: {lang: part} for lang, part in parts.items()}
    return each | ({ALL: dict(parts)} if len(parts) > 1 else {})


def _cells(parts: Mapping[str, Part], number: int) -> Cells:
    return Cells.of({x: (items, v[:, number]) for x, (items, v) in parts.items()})


def _beside(
    other: Found | None, parts: Mapping[str, Part], number: int
) -> Cells | None:
    if other is None or not set(parts) <= set(other.parts):
        return None
    return _cells({x: other.parts[x] for x in parts}, number)


def _line(own: Cells, beside: Sequence[Cells | None], resamples: int) -> dict[str, Any]:
    """Write a share, and its differences to nothing and to random neurons."""
    names = ("share", "ci_low", "ci_high")
    found: dict[str, Any] = dict(zip(names, own.interval(resamples), strict=True))
    for name, other in zip(("delta", "random"), beside, strict=True):
        if other is not None:
            ends = (name, f"{name}_ci_low", f"{name}_ci_high")
            found |= zip(ends, own.minus(other).interval(resamples), strict=True)
    return found | {"n": len(own.items)}
