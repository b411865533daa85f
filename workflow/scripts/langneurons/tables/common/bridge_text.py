"""The table of bridges laid out for reading, model by model and task by task."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .bridge_choices import AGAINST, ALWAYS_ENGLISH, DIRECT, ENGLISH, RANDOM, VIA
from .bridge_numbers import ALL
from .document import (
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    direction,
    grid,
    mark,
    number,
)
from .metrics import as_float
from .signs import (
    INTERVAL,
    MARKS,
    SIGNIFICANT,
    has_interval,
    has_parentheses,
    is_marked,
)
from .words import ABSENT, NOTHING

INTRODUCTION = """\
A similarity chooses the bridge of a pair; every candidate is tested, so that its choice
stands beside the best one. Accuracies are shares of test items."""
TITLES = {DIRECT: "over direct", VIA: "over English", RANDOM: "over random"}
PLAIN = ("pair", "direct", "English", "random", "best")
"""Columns of the grid pair by pair, before those of the similarities."""
ENGLISH_ALWAYS = "always English"
GAINS = Sign(
    "*over direct*, *over English*, *over random*",
    "accuracy through the chosen bridge minus that of no bridge, of English, and of a "
    "candidate at random",
    lambda title, _: title in TITLES.values(),
    ", which is the mean over all candidates",
)
OF_PAIRS = Sign(
    INTERVAL,
    "95 % interval over pairs and, within each, its test items",
    has_interval,
    ". Pairs that share a language, or test words, are not independent, which neither "
    "interval nor test knows",
)
OVER_PAIRS = Sign(
    f"{MARKS} at a difference",
    f"above or below 0, {SIGNIFICANT}",
    is_marked,
    " over all ways to choose; sign-flip test over pairs",
)
REGRET = Sign(
    "*regret*",
    "accuracy of the best candidate minus that of the chosen",
    lambda title, _: title == "regret",
)
FOUND = Sign(
    "*best found*",
    "share of pairs whose choice is the best candidate (in parentheses: of a candidate "
    "at random)",
    lambda title, _: title == "best found",
)
RANKS = Sign(
    "*ranks*",
    "Spearman's correlation of similarity and accuracy over the candidates of a pair, "
    "mean over pairs",
    lambda title, _: title == "ranks",
)
LEAST = Sign(
    "*least p*",
    "the smallest that *over English* can have, with as many pairs as differ from "
    "English at all",
    lambda title, _: title == "least p",
    "; where English is chosen nothing can differ",
)
MEANS = (GAINS, OF_PAIRS, OVER_PAIRS, REGRET, FOUND, RANKS, LEAST)
BESIDE = Sign(
    "*direct*, *English*, *random*, *best*",
    "accuracy without a bridge, through English, of a candidate at random, and through "
    "the best candidate",
    lambda title, _: title == "direct",
)
CHOICE = Sign(
    "Under a similarity",
    "the bridge that it chooses, and the accuracy through it",
    lambda title, _: title not in PLAIN,
)
WON = Sign(
    "(number)",
    "the share of draws of the bootstrap over probes that the bridge wins",
    lambda _, cell: re.search(r"\(\d\.\d", cell.text) is not None,
)
EQUAL = Sign(
    "(1 of 2 equal)",
    "two candidates have the largest score, and the first of them is the bridge",
    lambda _, cell: cell.text.endswith(" equal)"),
    ". Where all have the same score nothing is chosen, and the pair is left out; "
    "draws that several win count for each in part",
)
OVER_ENGLISH = Sign(
    f"{MARKS} at a chosen bridge",
    f"higher or lower than through English on the same items, {SIGNIFICANT}",
    is_marked,
    ", with the test and the correction of the task's own table: both mark the same",
)
PAIR_BY_PAIR = (BESIDE, CHOICE, WON, EQUAL, OVER_ENGLISH)
AGREEMENT = Sign(
    "Of two similarities",
    "Kendall's tau-b of their scores over candidates, mean over pairs and, in "
    "parentheses, the share of pairs for which both choose the same",
    has_parentheses,
)
LEGEND = (
    *(sign.bullet for sign in MEANS),
    *(sign.bullet for sign in PAIR_BY_PAIR),
    "- A bridge that is kin to an end of the pair may be chosen for its kinship and "
    "not for what the model\n  has learnt of it: the two cannot be told apart here. "
    "`language_overlap` names the families.",
    f"- *{ENGLISH_ALWAYS}*: no similarity; English, where it is no end of the pair. "
    "Pairs with English at an\n  end have no English bridge, and do not count in "
    "*over English*.",
    AGREEMENT.bullet,
)


def layout(table: pd.DataFrame) -> Document:
    """Lay out what each choice is worth.

    Args:
        table: from ``bridge_table``, or read back.
    """
    parts: list[Part] = [Paragraph(INTRODUCTION)]
    several = table["experiment"].nunique() > 1
    for key, part in table.groupby(["experiment", "task", "model"], sort=False):
        experiment, task, model = map(str, key)
        what = f"{experiment}, {model}, {task}" if several else f"{model}, {task}"
        plain = part[part["beside"] == NOTHING]
        parts += [Heading(f"{what}: over pairs"), _means(plain[plain["pair"] == ALL])]
        own = plain[plain["pair"] != ALL]
        parts += [Heading(f"{what}: pair by pair"), _pairs(own)]
        two = part[part["beside"] != NOTHING]
        if not two.empty:
            parts += [Heading(f"{what}: two similarities"), _together(two)]
        left = own[(own["left_out"] != "") & (own["similarity"] != ALWAYS_ENGLISH)]
        if not left.empty:
            parts += [Heading(f"{what}: left out"), _left_out(left)]
    if table.empty:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("Bridges: what a choice is worth", tuple(parts))


def _means(rows: pd.DataFrame) -> Grid:
    lines: list[list[Cell | str]] = []
    for row in rows.to_dict("records"):
        found = number(row["found"], ".2f")
        lines.append(
            [
                _named(row["similarity"]),
                f"{row['pairs']}",
                number(row["accuracy"], ".3f"),
                *(_gain(row, name) for name in AGAINST),
                number(row["regret"], ".3f"),
                f"{found} ({number(row['chance'], '.2f')})",
                number(row["spearman"], "+.2f"),
                number(row[f"p_least_{VIA}"], ".2g"),
            ]
        )
    titles = ["chosen by", "pairs", "accuracy", *TITLES.values(), "regret"]
    titles += ["best found", "ranks", "least p"]
    return grid(titles, lines, 1, fold=False, signs=MEANS)


def _named(similarity: object) -> str:
    """Name a similarity as the configuration does; in words what is none."""
    return ENGLISH_ALWAYS if similarity == ALWAYS_ENGLISH else code(similarity)


def _gain(row: Mapping[Any, Any], name: str) -> Cell:
    """Write a mean gain with its interval, and mark it."""
    value, p_holm = as_float(row[f"over_{name}"]), as_float(row[f"p_{name}_holm"])
    text = number(value, "+.3f")
    low, high = (as_float(row[f"over_{name}_{end}"]) for end in ("low", "high"))
    if not (math.isnan(low) or low == high == 0):
        text += f" [{number(low, '+.3f')}, {number(high, '+.3f')}]"
    title = "" if math.isnan(p_holm) else f"Holm p {p_holm:.2g}"
    return Cell(text + mark(p_holm, value), direction(p_holm, value), title)


def _pairs(rows: pd.DataFrame) -> Grid:
    names = [x for x in dict.fromkeys(rows["similarity"]) if x != ALWAYS_ENGLISH]
    lines: list[list[Cell | str]] = []
    for pair, own in rows.groupby("pair", sort=False):
        by_name = {r["similarity"]: r for r in own.to_dict("records")}
        first = next(iter(by_name.values()))
        lines.append(
            [
                str(pair),
                number(first[DIRECT], ".3f"),
                _english(first),
                number(first[RANDOM], ".3f"),
                f"{first['best']} {number(first['best_accuracy'], '.3f')}",
                *(_choice(by_name[name]) for name in names),
            ]
        )
    titles = [*PLAIN, *map(code, names)]
    return grid(titles, lines, 1, fold=False, references=2, signs=PAIR_BY_PAIR)


def _english(row: Mapping[Any, Any]) -> str:
    """Write the accuracy through English, or that it is an end of the pair."""
    if ENGLISH in str(row["pair"]).split("-"):
        return "an end"
    return number(row[VIA], ".3f")


def _choice(row: Mapping[Any, Any]) -> Cell:
    if not row["chosen"]:
        return Cell(ABSENT, title=str(row["left_out"]))
    text = f"{row['chosen']} {number(row['accuracy'], '.3f')}"
    given = [] if math.isnan(as_float(row["share"])) else [number(row["share"], ".2f")]
    if as_float(row["tied"]) > 1:
        given.append(f"1 of {int(row['tied'])} equal")
    if given:
        text += f" ({', '.join(given)})"
    value, p_holm = as_float(row[f"over_{VIA}"]), as_float(row[f"p_{VIA}_holm"])
    title = f"{number(value, '+.3f')} over English"
    return Cell(text + mark(p_holm, value), direction(p_holm, value), title)


def _together(rows: pd.DataFrame) -> Grid:
    names = list(dict.fromkeys([*rows["similarity"], *rows["beside"]]))
    cells = {(r["similarity"], r["beside"]): r for r in rows.to_dict("records")}
    lines = [
        [_named(a), *(_agreement(cells.get((a, b))) for b in names[1:])]
        for a in names[:-1]
    ]
    titles = ["", *map(_named, names[1:])]
    return grid(titles, lines, 1, fold=False, signs=[AGREEMENT])


def _agreement(row: Mapping[Any, Any] | None) -> str:
    if row is None:
        return ""
    tau, same = number(row["kendall"], "+.2f"), number(row["same_choice"], ".2f")
    return f"{tau} ({same})"


def _left_out(rows: pd.DataFrame) -> Bullets:
    """Say which pairs are left out, and why, each reason once."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for row in rows.to_dict("records"):
        of = reasons.setdefault(str(row["left_out"]), {})
        of.setdefault(str(row["pair"]), []).append(str(row["similarity"]))
    return Bullets(tuple(f"{_who(of)}: {why}" for why, of in reasons.items()))


def _who(of: Mapping[str, Sequence[str]]) -> str:
    """Name pairs with their similarities; those with the same ones together."""
    pairs: dict[str, list[str]] = {}
    for pair, names in of.items():
        pairs.setdefault(", ".join(names), []).append(pair)
    return "; ".join(f"{', '.join(some)} ({names})" for names, some in pairs.items())
