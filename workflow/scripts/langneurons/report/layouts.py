"""Tables laid out like the paper's: languages by statistics, a few dozen lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from langneurons import tables
from langneurons.config import names
from langneurons.tables.metrics import COLUMNS, Shown

from . import html_cells
from .html_cells import ABSENT, Cell, Grid, grid
from .inputs import Table
from .verdicts import tuning_role

Row = list[Cell | str]
UNTUNED = f"{names.BASE} (not fine-tuned)"


def compact(table: Table, source: str) -> list[Grid]:
    """Lay out a table for reading; none for a table of unknown kind.

    Args:
        table: what to lay out.
        source: language of the training data, for tables of tuned neurons.
    """
    frame = table.frame
    if frame.empty:
        return []
    if table.kind in ("task", "finetune"):
        tuned = table.kind == "finetune"
        return [_by_statistic(part, m, tuned, source) for m, part in _by_metric(frame)]
    if table.kind == "random":
        return [_by_role(part, m, source) for m, part in _by_metric(frame)]
    if table.kind == "perplexity":
        return _perplexity(frame)
    if table.kind == "activation_statistics":
        return _activation(frame)
    if table.kind == "profiles":
        return [_profiles(part, m) for m, part in _by_metric(frame)]
    if table.kind == "reproduction":
        return [_reproduction(frame), *_not_compared(frame)]
    return []


def _groups(
    frame: pd.DataFrame, keys: Sequence[str]
) -> Iterable[tuple[Any, pd.DataFrame]]:
    """Group rows in the order of their first appearance."""
    for values, part in frame.groupby([*keys], sort=False, dropna=False):
        yield (values[0] if len(keys) == 1 else values), part


def _by_metric(frame: pd.DataFrame) -> Iterable[tuple[Shown, pd.DataFrame]]:
    """Group rows by metric; tasks may mean different ones by one name."""
    for _, part in _groups(frame, ["metric", *COLUMNS]):
        yield Shown.read(part.iloc[0]), part


def _value(row: Any, metric: Shown, *, reference: bool = False) -> Cell:
    """Word a cell as the paper does: value, mark, published value in parentheses."""
    if tables.is_empty(row):
        return Cell(tables.NO_NEURONS)
    sign = html_cells.mark(row["delta"], row["p_holm"])
    text = metric.value(row["value"]) + sign.text
    if reference:
        text += html_cells.limits(row["ci_low"], row["ci_high"], metric.value)
    if not pd.isna(row["published"]):
        text += f" ({metric.value(row['published'])})"
    return Cell(text, sign.style)


def _spread(rows: pd.DataFrame, metric: Shown) -> Cell:
    """Word several random draws: their mean, lowest and highest value."""
    if rows.empty:
        return Cell(ABSENT)
    if all(map(tables.is_empty, rows.to_dict("records"))):
        return Cell(tables.NO_NEURONS, "random")
    value = rows["value"]
    text = metric.value(value.mean())
    if len(rows) > 1:
        text += html_cells.limits(value.min(), value.max(), metric.value)
    return Cell(text, "random")


def _by_statistic(frame: pd.DataFrame, metric: Shown, tuned: bool, source: str) -> Grid:
    """Lay out interventions: a line for each model, tuning, neurons and language.

    Where neurons are tuned (Table 7), tunings are named by whose neurons they are of.
    """
    statistics = [s for s in frame["statistic"].unique() if s != names.NO_TREATMENT]
    lines: list[Row] = []
    blocks: list[tuple[str, ...]] = []
    for axes, rows in _groups(frame, ["model", "tuning", "seed", "lang"]):
        model, tuning, seed, lang = map(str, axes)
        own = names.TuningName.parse(tuning).selection if tuned else None
        if tuning == names.BASE:
            tuning, seed = UNTUNED, tables.NOTHING
        tuning = _role(tuning, lang, source) if own else tuning
        none = rows[rows["statistic"] == names.NO_TREATMENT]
        first = Cell(ABSENT)
        if len(none):
            first = _value(none.iloc[0], metric, reference=True)
        treated = rows[rows["statistic"] != names.NO_TREATMENT]
        # Languages of different sets are in one block, as in the paper.
        block = (
            model,
            tuning.replace(f".{own.languages}", "") if own else tuning,
            seed,
        )
        if treated.empty:
            empty = [ABSENT] * len(statistics)
            lines.append([model, tuning, seed, tables.NOTHING, lang, first, *empty])
            blocks.append((*block, ""))
        for whose, part in _groups(treated, ["method", "matched", "langset"]):
            is_random = whose[0] == tables.RANDOM
            label = html_cells.neurons(part.iloc[0].drop("draw"))
            shown: list[Cell] = []
            for statistic in statistics:
                found = part[part["statistic"] == statistic]
                if found.empty:
                    shown.append(Cell(ABSENT))
                elif is_random:
                    shown.append(_spread(found, metric))
                else:
                    shown.append(_value(found.iloc[0], metric))
            label = "the same" if label == str(own) else label
            head = Cell("") if is_random else first
            lines.append([model, tuning, seed, label, lang, head, *shown])
            method = str(whose[1] if is_random else whose[0])
            blocks.append((*block, "" if tuned else method))
    place = {block: i for i, block in enumerate(dict.fromkeys(blocks))}
    order = sorted(range(len(lines)), key=lambda i: place[blocks[i]])
    lines = [lines[i] for i in order]
    name = "tuning, neurons of" if tuned else "tuning"
    header = ["model", name, "seed", "neurons", "lang", "No Int", *statistics]
    if all(line[3] in ("the same", tables.NOTHING) for line in lines):
        # Whose neurons are overwritten is said by the tuning, or none are.
        header.pop(3)
        lines = [[*line[:3], *line[4:]] for line in lines]
    return grid(header, lines, header.index("No Int"), title=metric.heading)


def _role(tuning: str, lang: str, source: str) -> str:
    """Name a tuning without its draw, and its languages by what they are."""
    parsed = names.TuningName.parse(tuning)
    if parsed.selection is None:
        return UNTUNED if tuning == names.BASE else tuning
    named = {source: "source", lang: "target"}
    whose = "+".join(named.get(x, x) for x in parsed.languages)
    method = names.split_draw(parsed.selection.method)[0]
    front = "" if parsed.entry == names.MASKED else f"{parsed.entry}: "
    return f"{front}{method}.{parsed.selection.languages}, {whose}"


def _by_role(frame: pd.DataFrame, metric: Shown, source: str) -> Grid:
    """Lay out tunings: a line for each kind, a column for each language (Table 8)."""
    frame = frame[frame["statistic"] == names.NO_TREATMENT]
    roles = [
        _role(str(t), str(x), source)
        for t, x in zip(frame["tuning"], frame["lang"], strict=True)
    ]
    frame = frame.assign(role=roles, kind=frame["tuning"].map(tuning_role))
    languages = list(frame["lang"].unique())
    lines: list[Row] = []
    for axes, rows in _groups(frame, ["model", "seed", "role", "kind"]):
        shown: list[Cell] = []
        for lang in languages:
            cell = rows[rows["lang"] == lang]
            if cell.empty:
                shown.append(Cell(ABSENT))
            elif axes[3] == "random":
                shown.append(_spread(cell, metric))
            else:
                shown.append(_value(cell.iloc[0], metric, reference=True))
        model, seed, role = map(str, axes[:3])
        lines.append([model, tables.NOTHING if role == UNTUNED else seed, role, *shown])
    header = ["model", "seed", "tuning, neurons of", *languages]
    return grid(header, lines, 3, title=metric.heading)


def _perplexity(frame: pd.DataFrame) -> list[Grid]:
    """Lay out changes of nats per token: neurons by text, then random neurons."""
    treated = frame[frame["statistic"] != names.NO_TREATMENT]
    summary = tables.perplexity_summary(frame)
    keys = ["model", "method", "langset", "statistic"]
    found = []
    for values, part in _groups(treated[treated["method"] != tables.RANDOM], keys):
        texts = list(part["lang"].unique())
        change = part.pivot(index="neuron_lang", columns="lang", values="delta_nll")
        own = summary[(summary[keys] == list(values)).all(axis=1)]
        random = dict(zip(own["neuron_lang"], own["random_median"], strict=True))
        lines: list[Row] = []
        empty = set(part.loc[part["n_neurons"] == 0, "neuron_lang"])
        for whose in part["neuron_lang"].unique():
            if whose in empty:
                nothing = [Cell(tables.NO_NEURONS) for _ in range(2 + len(texts))]
                lines.append([str(whose), *nothing])
                continue
            shown = [
                Cell(html_cells.nats(change.loc[whose, x]), "own" if whose == x else "")
                for x in texts
            ]
            own_text = change.loc[whose].get(whose)
            first = Cell(html_cells.nats(own_text), "own")
            beside = Cell(html_cells.nats(random.get(whose)), "random")
            lines.append([str(whose), first, beside, *shown])
        header = ["neurons of", "own text", "random, own text", *map(str, texts)]
        title = f"{values[0]}, {values[1]}.{values[2]}, {values[3]}: "
        title += "change of nats per token, by text"
        found.append(grid(header, lines, 1, title, fold=False))
    return found


def _activation(frame: pd.DataFrame) -> list[Grid]:
    """Lay out means over all neurons: languages by statistics (Table 6)."""
    found = []
    is_any = frame["quantile"].isin(["", tables.NOTHING])  # a mean has no quantile
    kinds = frame[~is_any] if not is_any.all() else frame
    for values, _ in _groups(kinds, ["site", "quantile"]):
        here = (frame["quantile"] == values[1]) | is_any
        part = frame[(frame["site"] == values[0]) & here]
        statistics = list(part["statistic"].unique())
        lines: list[Row] = []
        for axes, rows in _groups(part, ["model", "corpus", "lang"]):
            by_name: Mapping[str, Any] = {r["statistic"]: r for _, r in rows.iterrows()}
            shown: list[Cell] = []
            for name in statistics:
                row = by_name.get(name)
                text = ABSENT if row is None else html_cells.value4(row["value"])
                if row is not None and not pd.isna(row["published"]):
                    text += f" ({html_cells.value4(row['published'])})"
                shown.append(Cell(text))
            lines.append([*map(str, axes), *shown])
        title = ", ".join(x for x in map(str, values) if x not in ("", tables.NOTHING))
        header = ["model", "corpus", "lang", *map(str, statistics)]
        found.append(grid(header, lines, 3, title))
    return found


def _profiles(frame: pd.DataFrame, metric: Shown) -> Grid:
    """Lay out the change by each value: paper's sites / equal sites."""
    values = list(frame["value_name"].unique())
    lines: list[Row] = []
    keys = ["task", "model", "tuning", "seed", "method", "langset", "matched", "draw"]
    for axes, rows in _groups(frame, [*keys, "lang"]):
        by_name: Mapping[str, Any] = {r["value_name"]: r for _, r in rows.iterrows()}
        shown: list[Cell] = []
        for name in values:
            row = by_name.get(name)
            if row is None:
                shown.append(Cell(ABSENT))
                continue
            if row["n_neurons"] == 0:
                shown.append(Cell(tables.NO_NEURONS))
                continue
            sign = html_cells.mark(row["difference"], row["p_holm"])
            pair = f"{metric.change(row['paper_delta'])} / "
            pair += metric.change(row["consistent_delta"])
            shown.append(Cell(pair + sign.text, sign.style))
        first = rows.iloc[0]
        head = [str(x) for x in axes[:4]] + [html_cells.neurons(first), str(axes[8])]
        lines.append([*head, metric.value(first["none"]), *shown])
    header = ["task", "model", "tuning", "seed", "neurons", "lang", "No Int"]
    return grid([*header, *map(str, values)], lines, 6, title=metric.heading)


def _reproduction(frame: pd.DataFrame) -> Grid:
    """Sum up the comparison with published numbers by source, model and metric."""
    lines: list[Row] = []
    for axes, rows in _groups(frame, ["source", "model", "metric"]):
        run = rows[rows["ours"].notna()]
        judged = run[run["within"].isin(["yes", "no"])]
        largest = run["difference"].abs().max()
        lines.append(
            [
                *map(str, axes),
                *(html_cells.count(len(rows)), html_cells.count(len(run))),
                f"{int((judged['within'] == 'yes').sum())} of {len(judged)}"
                if len(judged)
                else ABSENT,
                html_cells.quantity(float(largest), str(rows["unit"].iloc[0])),
            ]
        )
    header = ["source", "model", "metric", "published", "run here", "within tolerance"]
    return grid([*header, "largest difference"], lines, 3, fold=False)


def _not_compared(frame: pd.DataFrame) -> list[Grid]:
    """List why results with a published number's names are not set beside it."""
    rows = frame[frame["not_compared"] != ""]
    if rows.empty:
        return []
    lines: list[Row] = [
        [*map(str, axes), html_cells.count(len(part))]
        for axes, part in _groups(rows, ["source", "not_compared"])
    ]
    header = ["source", "not the published procedure", "published numbers"]
    return [grid(header, lines, 2, "Not compared", fold=False)]
