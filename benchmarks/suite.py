"""All benchmarks: which there are, where each runs, and running them."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd
import torch

from langneurons.config.errors import ConfigError, unknown_name
from langneurons.tables.common.columns import write_tsv

from . import (
    batching,
    bootstrap,
    generation,
    identification,
    interventions,
    likelihood,
    quantile_error,
    race,
    recorder_memory,
    recording,
    shapes,
    similarity,
    task_statistics,
    tuning,
)
from .measuring import COLUMNS, Row, Setting

BENCHMARKS: dict[str, ModuleType] = {
    "recording": recording,
    "quantile_error": quantile_error,
    "recorder_memory": recorder_memory,
    "interventions": interventions,
    "tuning": tuning,
    "batching": batching,
    "generation": generation,
    "likelihood": likelihood,
    "bootstrap": bootstrap,
    "task_statistics": task_statistics,
    "identification": identification,
    "similarity": similarity,
    "race": race,
}
"""Name -> module with ``settings(shapes, device, repeats)`` and ``rows(setting)``.

One that needs what may not be there says so with ``absent()``.
"""

DEVICES = ("cpu", "cuda")


def jobs(
    only: Sequence[str] | None, names: Sequence[str] | None, device: str, repeats: int
) -> list[tuple[str, Setting]]:
    """List what is to run.

    Args:
        only: benchmarks; None: all.
        names: shapes; None: all that each benchmark can run on the device.
        device: ``cpu`` or ``cuda``.
        repeats: rounds that count.

    Raises:
        ConfigError: an unknown name, no GPU, less than one round, or nothing to run.
    """
    for name in only or ():
        if name not in BENCHMARKS:
            raise ConfigError(unknown_name("benchmark", name, BENCHMARKS, "--only"))
    for name in names or ():
        shapes.shape(name)
    if device not in DEVICES:
        raise ConfigError(unknown_name("device", device, DEVICES, "--device"))
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch sees no GPU here; allowed: cpu")
    if repeats < 1:
        raise ConfigError(f"--repeats {repeats}: at least one round is needed")
    wanted = list(names or shapes.SHAPES)
    chosen = {k: m for k, m in BENCHMARKS.items() if only is None or k in only}
    found = [
        (name, setting)
        for name, module in chosen.items()
        for setting in module.settings(wanted, device, repeats)
    ]
    for name, module in chosen.items():
        if hasattr(module, "absent") and (reason := module.absent()):
            if len(chosen) == 1:
                raise ConfigError(f"--only {name}: {reason}")
            _say(f"{name} is skipped: {reason}")
    if not found:
        able = {
            setting.shape
            for module in chosen.values()
            for setting in module.settings(list(shapes.SHAPES), device, repeats)
        }
        raise ConfigError(
            f"--shapes {' '.join(wanted)}: {', '.join(chosen)} cannot run there on "
            f"{device}; allowed: {', '.join(sorted(able)) or 'nothing'}"
        )
    return found


def run(todo: Sequence[tuple[str, Setting]]) -> list[Row]:
    """Run benchmarks, saying on stderr which."""
    found: list[Row] = []
    for number, (name, setting) in enumerate(todo, start=1):
        start = time.monotonic()
        where = f"{name}, {setting.shape}, {setting.dtype}"
        _say(f"[{number}/{len(todo)}] {where} ...", end="")
        with warnings.catch_warnings():
            # transformers' own, about names that PEFT uses.
            warnings.simplefilter("ignore", FutureWarning)
            found += BENCHMARKS[name].rows(setting)
        if setting.device == "cuda":
            torch.cuda.empty_cache()
        _say(f" {time.monotonic() - start:.0f} s")
    return found


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Lay rows out, one column per field of ``Row``."""
    table = pd.DataFrame([[getattr(r, c) for c in COLUMNS] for r in rows])
    table.columns = pd.Index(COLUMNS)
    for column in ("repeats", "amount", "held"):
        table[column] = table[column].astype("Int64")
    table["holds"] = table["holds"].fillna("")
    numbers = ["seconds", "ratio", "ratio_min", "ratio_max", "cpu_ratio", "per_second"]
    numbers += ["extra_mb", "value", "target"]
    table[numbers] = table[numbers].astype(float)
    return table


def write(rows: Sequence[Row], path: Path) -> pd.DataFrame:
    """Write the table as TSV, and return it."""
    table = frame(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tsv(path, table)
    return table


def text(rows: Sequence[Row]) -> str:
    """Lay the rows out for reading: one block per benchmark and shape."""
    where = {(r.processor, r.threads, r.torch): None for r in rows}
    lines = [f"on {p}; {n} threads, torch {version}" for p, n, version in where]
    before = None
    head = f"  {'':26}{'ratio':>9}  {'min - max':<19} {'by cpu':>7}"
    head += f" {'per second':>16} {'extra MB':>9}  target"
    for r in rows:
        place = (r.benchmark, r.shape, r.dtype)
        if place != before:
            lines += ["", f"{r.benchmark}: {r.shape}, {r.dtype}, {r.device}"]
            if before is None or before[0] != r.benchmark:
                lines.append(head)
            before = place
        lines.append(_line(r))
    return "\n".join(lines)


def _line(r: Row) -> str:
    if r.measure is None:
        own = r.baseline == r.variant
        spread = "(baseline)" if own else f"{r.ratio_min:.3f} - {r.ratio_max:.3f}"
        start = f"{r.ratio:9.3f}  {spread:<19}"
    else:
        start = f"{short(r.value or 0):>9}  {r.measure:<19}"
    rate = "" if r.per_second is None else f"{short(r.per_second)} {_unit(r)}".strip()
    extra = "" if r.extra_mb is None else f"{r.extra_mb:,.0f}"
    cpu = "" if r.cpu_ratio is None else f"{r.cpu_ratio:.3f}"
    return (
        f"  {r.variant:26}{start} {cpu:>7} {rate:>16} {extra:>9}  {_kept(r)}".rstrip()
    )


def _kept(r: Row) -> str:
    """Say whether the target is kept, and in how many rounds."""
    if r.target is None:
        return ""
    told = {"yes": "holds", "no": "NO", "open": "open: more rounds"}[r.holds or "no"]
    rounds = "" if r.held is None else f" ({r.held} of {r.repeats} rounds)"
    return f"<= {r.target:g}: {told}{rounds}"


def _unit(r: Row) -> str:
    return "" if r.unit is None or " " in r.unit else r.unit


def short(number: float) -> str:
    """Write a number with three digits that count: 1,230, 12.3, 0.0123."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"
