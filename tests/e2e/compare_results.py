"""Compare two folders of results: what a change of the code was not to change.

    python tests/e2e/compare_results.py BEFORE AFTER

Names and words (predictions, labels, neurons, layouts of text) must be equal, numbers
equal within 1e-6, whole numbers exactly. Rows of tables are matched by their key
columns, so that their order and added columns do not count. What says how or when a
file was made is left out: provenance, fingerprints, times, costs and pictures.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

TOLERANCE = 1e-6
HOW_MADE = {"fingerprint", "table_sha256", "sha256", "seconds", "files", "code"}
"""Keys of JSON files that differ between two runs of equal content."""

SKIPPED = (
    "*.provenance.json", "tables/cost.*", "*.png", "*.svg", "*.html", "*.md", "*.tex",
)  # fmt: skip
COMPARED = {".json", ".jsonl", ".parquet", ".safetensors", ".tsv", ".txt"}
NO_KEYS = {
    "value", "ci_low", "ci_high", "delta", "delta_ci_low", "delta_ci_high", "p_value",
    "p_holm", "detectable", "published", "nll", "perplexity", "delta_nll", "delta_se",
    "nll_se", "delta_perplexity", "sd", "ours", "difference", "tolerance", "within",
    "diff_ci_low", "diff_ci_high", "none", "paper", "paper_delta", "consistent",
    "consistent_delta", "n", "n_tokens", "n_chunks", "n_neurons", "n_published",
    "n_ours", "not_compared",
}  # fmt: skip
"""Columns of tables of results that are no names; of others, all columns count."""


def differences(before: Path, after: Path) -> Iterator[str]:
    """Yield what differs, a line for each file and place.

    Args:
        before: folder of results.
        after: another; files that are only here are nothing that changed.
    """
    for path in sorted(p for p in before.rglob("*") if p.suffix in COMPARED):
        name = path.relative_to(before)
        if any(name.match(pattern) for pattern in SKIPPED):
            continue
        other = after / name
        if not other.is_file():
            yield f"{name}: is not there any more"
            continue
        yield from (f"{name}: {text}" for text in _of_file(path, other))


def _of_file(path: Path, other: Path) -> Iterator[str]:
    if path.read_bytes() == other.read_bytes():
        return
    if path.suffix == ".parquet":
        yield from _frames(pd.read_parquet(path), pd.read_parquet(other), ["item"])
    elif path.suffix == ".tsv":
        yield from _tables(path, other)
    elif path.suffix == ".safetensors":
        yield from _values(load_file(path), load_file(other), "")
    elif path.suffix == ".json":
        pair = (json.loads(p.read_text(encoding="utf-8")) for p in (path, other))
        yield from _values(*pair, "")
    else:
        yield "other bytes"


def _tables(path: Path, other: Path) -> Iterator[str]:
    first, second = (
        pd.read_csv(p, sep="\t", keep_default_na=False) for p in (path, other)
    )
    known = [name for name in first if name not in NO_KEYS]
    keys = known if set(first) & NO_KEYS and known else []
    for name in set(first) - set(keys):
        for frame in (first, second):
            if name in frame:
                number = pd.to_numeric(frame[name], errors="coerce")
                frame[name] = number.where(number.notna() | (frame[name] == ""), None)
    yield from _frames(first, second, keys)


def _frames(
    first: pd.DataFrame, second: pd.DataFrame, keys: list[str]
) -> Iterator[str]:
    if absent := [name for name in first if name not in second]:
        yield f"columns {', '.join(absent)} are not there any more"
        return
    if keys:
        if first.duplicated(keys).any() or second.duplicated(keys).any():
            yield f"two rows with the same {', '.join(keys)}"
            return
        lost = len(first) - len(first.merge(second[keys], on=keys))
        if lost:
            yield f"{lost} of {len(first)} rows are not there any more"
            return
        second = first[keys].merge(second, on=keys, how="left")
    elif len(first) != len(second):
        yield f"{len(first)} rows, now {len(second)}"
        return
    for name in first:
        pair = first[name].to_numpy(), second[name].to_numpy()
        yield from _values(*pair, str(name))


def _values(first: Any, second: Any, place: str) -> Iterator[str]:
    """Compare values of JSON, of arrays, or columns."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in first:
            if key in HOW_MADE:
                continue
            where = f"{place}.{key}" if place else str(key)
            if key not in second:
                yield f"{where}: is not there any more"
            else:
                yield from _values(first[key], second[key], where)
        return
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        yield from _arrays(first, second, place)
        return
    if isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            yield f"{place}: {len(first)} entries, now {len(second)}"
        for i, pair in enumerate(zip(first, second, strict=False)):
            yield from _values(*pair, f"{place}[{i}]")
        return
    if not _same(first, second):
        yield f"{place}: {first!r}, now {second!r}"


def _arrays(first: np.ndarray, second: np.ndarray, place: str) -> Iterator[str]:
    if first.shape != second.shape:
        yield f"{place}: shape {first.shape}, now {second.shape}"
        return
    if first.dtype.kind == second.dtype.kind == "f":
        same = np.isclose(first, second, rtol=0, atol=TOLERANCE, equal_nan=True)
    else:
        pairs = zip(first.flat, second.flat, strict=True)
        same = np.fromiter((_same(*pair) for pair in pairs), bool, first.size)
    if wrong := int((~same).sum()):
        which = np.flatnonzero(~same)[0]
        values = f"{first.flat[which]!r}, now {second.flat[which]!r}"
        yield f"{place}: {wrong} of {first.size} values, the first {values}"


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, float) or isinstance(second, float):
        try:
            a, b = float(first), float(second)
        except (TypeError, ValueError):
            return bool(first == second)
        return math.isclose(a, b, rel_tol=0, abs_tol=TOLERANCE) or (a != a and b != b)
    return bool(first == second)


def main(before: Path, after: Path) -> int:
    """Print what differs; return 1 if anything does."""
    found = list(differences(before, after))
    for line in found[:200]:
        print(line)
    compared = Counter(p.suffix for p in before.rglob("*") if p.suffix in COMPARED)
    print(f"{len(found)} differences in {dict(compared)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:3])))
