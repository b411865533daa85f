"""Cards that go with adapters and neurons to whoever gets them, as the hub reads them.

A card is Markdown below a block of YAML. Nothing in it is guessed: what the
configuration and the results do not say is said to be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.config.names import NO_TREATMENT
from langneurons.jobs import files
from langneurons.tables.common import columns
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.document import Document
from langneurons.tables.common.metrics import Shown
from langneurons.tables.common.task_columns import COLUMNS

UNKNOWN_LICENSE = "other"
OF_BASE = (
    "# The licence of the base model is not known here: look it up, write it in its "
    "place, and\n# as models.<name>.license in the configuration.\n"
)
ISO_639 = re.compile(r"[a-z]{2,3}")
INTERVALS = (
    "Brackets are 95 % intervals over test items: Wilson's where an item is right or "
    "wrong, else a bootstrap; of a change, a paired bootstrap."
)


def base_of(manifest: Mapping[str, Any]) -> tuple[str | None, str]:
    """Name a base model: its repository on the hub, if it is on one; and in words.

    Args:
        manifest: of the pinned model.
    """
    kind, _, name = str(manifest["source"]).partition(":")
    revision = f"revision `{manifest['revision']}`"
    if kind == "hub":
        return name, f"[`{name}`](https://huggingface.co/{name}), {revision}"
    known = {"folder": "from a local folder", "gguf": "from a GGUF file"}
    where = known.get(kind, "trained by the workflow that made this")
    return None, f"`{manifest['model']}` ({where}; {revision})"


def write(
    path: Path, head: Mapping[str, Any], text: Document, *, unknown: str = OF_BASE
) -> None:
    """Write a card: what the hub reads, then what people read.

    Args:
        path: of the card.
        head: keys of the block of YAML; those without a value are left out.
        text: below it.
        unknown: remark of YAML where the licence is not known.
    """
    import yaml

    given = {key: value for key, value in head.items() if value not in (None, [], "")}
    block = yaml.safe_dump(given, sort_keys=False, allow_unicode=True, width=88)
    if given.get("license") == UNKNOWN_LICENSE:
        block += unknown
    with files.atomic(path) as part:
        part.write_text(f"---\n{block}---\n\n{markdown(text)}", encoding="utf-8")


def languages(codes: Sequence[str]) -> list[str]:
    """Keep the codes that the hub knows languages by: two or three small letters."""
    return [code for code in dict.fromkeys(codes) if ISO_639.fullmatch(code)]


def license_text(given: str | None, base: str) -> str:
    """Say under which licence the base is, or that it is not known.

    Args:
        given: in the configuration.
        base: the model in words.
    """
    if given is None:
        return (
            f"The base model, {base}, has a licence that holds for what is made from "
            "it; which one is not known to the configuration. Look it up before you "
            "pass this on. The data that was read may have terms of its own."
        )
    return (
        f"The base model, {base}, is under `{given}`, says the configuration, which "
        "holds for what is made from it. The data that was read may have terms of its "
        "own."
    )


def read_scores(paths: Sequence[Path]) -> pd.DataFrame:
    """Read tables of tasks one below the other; column ``table`` names each."""
    found = [columns.read_table(x, COLUMNS).assign(table=x.stem) for x in paths]
    if not found:
        return pd.DataFrame({name: [] for name in (*columns.names(COLUMNS), "table")})
    return pd.concat(found, ignore_index=True)


def untreated(scores: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of models without an intervention, each evaluation once."""
    kept = scores[scores["statistic"] == NO_TREATMENT]
    order = kept["against"].map(lambda text: text == "-").astype(int)
    # A change says more than a value alone: of two tables the one that has it.
    return (
        kept.assign(order=order)
        .sort_values("order", kind="stable")
        .drop_duplicates(["model", "tuning", "seed", "lang", "metric"])
        .sort_index()
    )


def value(row: Mapping[Any, Any]) -> str:
    """Write a score with its interval, in the unit of its metric."""
    shown = Shown.read(row)
    unit = " %" if shown.is_percent else f" {shown.unit}" if shown.unit else ""
    number = shown.value(row["value"]) + unit
    return number + shown.interval(row["ci_low"], row["ci_high"])


def change(row: Mapping[Any, Any]) -> str:
    """Write a difference with its interval; nothing where there is none."""
    shown = Shown.read(row)
    if pd.isna(row["delta"]):
        return ""
    found = shown.change(row["delta"]) + shown.points
    if pd.isna(row["delta_ci_low"]):
        return found
    low, high = shown.change(row["delta_ci_low"]), shown.change(row["delta_ci_high"])
    return f"{found} [{low}, {high}]"
