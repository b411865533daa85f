"""Every candidate for a bridge: how similar it is, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons.grid.experiments.bridges import CANDIDATES as NAME

from . import Table
from .common import bridge_rows, columns
from .common.bridge_choices import ALWAYS_ENGLISH, Choice, chosen_by
from .common.columns import Column
from .common.document import (
    Bullets,
    Cell,
    Document,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    grid,
    number,
)
from .common.signs import has_parentheses, is_any, is_bold
from .common.words import ABSENT

if TYPE_CHECKING:
    from .common.inputs import Inputs

COLUMNS = (
    Column("experiment", "of the configuration", key=True),
    Column("task", "that is tested", key=True),
    Column("model", "name in the configuration", key=True),
    Column("similarity", "in the configuration", key=True),
    Column("pair", "from which language into which", key=True),
    Column("candidate", "through which", key=True),
    Column("kind", "of the similarity"),
    Column("score", "how similar it is to the pair", "number", form=".4g"),
    Column("rank", "of the score, 1 the largest", "count"),
    Column("size", "its neurons, |B_k|", "count"),
    Column("share", "of the bootstrap's draws, that it wins", "number", form=".2f"),
    Column("chosen", "yes: the similarity chooses it"),
    Column("n", "test items", "count"),
    Column("accuracy", "through it", "number", form=".3f"),
    Column("over_direct", "minus that of the direct way", "number", form="+.3f"),
)
CELLS = Sign("Cells", "similarity of the candidate to the pair", is_any)
CHOSEN = Sign("**Bold**", "the candidate that the similarity chooses", is_bold)
WON = Sign(
    "(in parentheses)",
    "the share of draws of the bootstrap over probes that the candidate wins",
    has_parentheses,
    ", where there is one",
)
ACCURACY = Sign(
    "*accuracy*",
    "of the task, through the candidate",
    lambda title, _: title == "accuracy",
)
SIGNS = (CELLS, CHOSEN, WON, ACCURACY)
LEGEND = (
    *(sign.bullet for sign in SIGNS),
    "- Scores of two similarities are not on one scale, and those of two pairs need "
    "not be.",
)


def lines(read: bridge_rows.Read) -> Iterator[dict[str, Any]]:
    """Yield a line for each similarity, pair and candidate."""
    for by_name in chosen_by(read.tested, read.similar).values():
        for name, some in by_name.items():
            for one in some if name != ALWAYS_ENGLISH else ():
                yield from _candidates(name, one)


def _candidates(name: str, one: Choice) -> Iterator[dict[str, Any]]:
    tested, similar = one.tested, one.similar
    scores = {k: similar.scores.get(k, math.nan) for k in tested.bridges}
    # Of two that are equal the one that stands first is first.
    order = sorted((k for k, x in scores.items() if math.isfinite(x)),
                   key=lambda k: -scores[k])  # fmt: skip
    for candidate, items in tested.bridges.items():
        yield one.place._asdict() | {
            "similarity": name,
            "candidate": candidate,
            "kind": similar.kind,
            "score": scores[candidate],
            "rank": order.index(candidate) + 1 if candidate in order else None,
            "size": similar.sizes.get(candidate),
            "share": similar.share.get(candidate),
            "chosen": "yes" if candidate == similar.chosen else "",
            "n": len(items),
            "accuracy": float(items.mean()),
            "over_direct": float((items - tested.direct).mean()),
        }


def layout(table: pd.DataFrame) -> Document:
    """Lay out a grid for each task and model: candidates down, similarities across."""
    parts: list[Part] = []
    several = table["experiment"].nunique() > 1
    for key, part in table.groupby(["experiment", "task", "model"], sort=False):
        experiment, task, model = map(str, key)
        front = f"{experiment}, " if several else ""
        names = list(dict.fromkeys(part["similarity"]))
        rows: list[list[Cell | str]] = []
        for (pair, candidate), own in part.groupby(["pair", "candidate"], sort=False):
            cells = {r["similarity"]: r for r in own.to_dict("records")}
            accuracy = number(own["accuracy"].iloc[0], ".3f")
            spots = [_cell(cells[name]) for name in names]
            rows.append([str(pair), str(candidate), accuracy, *spots])
        parts.append(Heading(f"{front}{model}, {task}"))
        titles = ["pair", "through", "accuracy", *map(code, names)]
        parts.append(grid(titles, rows, 2, fold=False, references=1, signs=SIGNS))
    if not parts:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("Candidates for a bridge", tuple(parts))


def _cell(row: Mapping[Any, Any]) -> Cell:
    text = number(row["score"], ".4g")
    if text != ABSENT and not math.isnan(row["share"]):
        text += f" ({number(row['share'], '.2f')})"
    return Cell(text, "own" if row["chosen"] else "")


class BridgeCandidates(bridge_rows.OfChoices, Table):
    """Scores and accuracies of all candidates."""

    NAME = NAME
    COLUMNS = COLUMNS
    SHOWS = "how similar every candidate for a bridge is, and what it is worth"
    PLACE = 47

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        return columns.frame(list(lines(bridge_rows.read(spec, read))), COLUMNS)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


TABLE = BridgeCandidates()
