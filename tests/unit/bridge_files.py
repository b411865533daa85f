"""Made-up evaluations and similarities of a study of bridges, as its rules write them.

In the planted world words of en-ur and vi-ur are right through hi alone, and those of
vi-el through hi and zh; the similarity `right` knows it, `wrong` chooses zh, `few` has
too few probes for vi-ur.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langneurons.jobs import files
from langneurons.tables.common import columns, task_columns

WORDS = 40
CANDIDATES = {"en-ur": ("hi", "zh", "fr"), "vi-ur": ("en", "hi", "zh", "fr"),
              "vi-el": ("en", "hi", "zh", "fr")}  # fmt: skip
RIGHT = {"en-ur": ("hi",), "vi-ur": ("hi",), "vi-el": ("hi", "zh")}
"""Bridges through which nine of ten words are right."""
SOME = {"en": 0.3, "none": 0.1}
"""Share that is right through English, and directly; through others 0.05."""


def evaluations(folder: Path, model: str = "m", task: str = "words") -> list[Path]:
    """Write the evaluations of all pairs; return their indexes."""
    return [
        _pair(folder, {"task": task, "model": model, "lang": pair}, ways)
        for pair, ways in CANDIDATES.items()
    ]


def _pair(folder: Path, axes: dict[str, Any], bridges: Sequence[str]) -> Path:
    whole = axes | {"tuning": "base", "seed": 0}
    where = folder.joinpath(*map(str, axes.values()))
    where.mkdir(parents=True)
    treatments = {}
    for way in ("none", *bridges):
        name = way if way == "none" else f"via_{way}"
        share = SOME.get(way, 0.05)
        share = 0.9 if way in RIGHT[axes["lang"]] else share
        # The first words are the easy ones: through a better bridge they stay right.
        right = np.arange(WORDS) < round(share * WORDS)
        path = where / f"{name}.parquet"
        table = pd.DataFrame({"item": np.arange(WORDS), "correct": right})
        table.to_parquet(path)
        own = {"n": WORDS, "n_neurons": 0, "metrics": {}}
        treatments[name] = own | {"sha256": files.sha256(path)}
    index = where / "part-1-of-1.json"
    index.write_text(json.dumps(whole | {"treatments": treatments}))
    return index


def corrected(pair: str, bridge: str, against: str) -> float:
    """Return the corrected p-value that the table of the task has."""
    place = [*CANDIDATES].index(pair) * 10 + ["en", "hi", "zh", "fr"].index(bridge)
    return round(0.001 * (place + 1) + (0.5 if against == "none" else 0), 3)


def tables(folder: Path, model: str = "m", task: str = "words") -> list[Path]:
    """Write the table of the task, which says how its comparisons are marked."""
    usual: dict[str, Any] = dict.fromkeys(columns.names(task_columns.COLUMNS), "")
    usual |= {"model": model, "method": "bridge", "metric": "correct"}
    usual |= {"tuning": "base", "seed": "0"}
    rows = [
        usual
        | {"lang": pair, "statistic": f"via_{k}", "against": against}
        | {"p_holm": corrected(pair, k, against)}
        for pair, bridges in CANDIDATES.items()
        for k in bridges
        for against in ("none", "via_en")
        if (k, against) != ("en", "via_en")
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task}.tsv"
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    return [path]


SCORES: Mapping[str, Mapping[str, float]] = {
    "right": {"en": 0.3, "hi": 0.9, "zh": 0.5, "fr": 0.1},
    "wrong": {"en": 0.2, "hi": 0.1, "zh": 0.9, "fr": 0.3},
    "few": {"en": 0.9, "hi": 0.2, "zh": 0.3, "fr": 0.1},
}
KINDS = {"right": "measured", "wrong": "hsic", "few": "overlap"}
LEFT_OUT = "12 probes, at least 20 are needed; give keep: all"


def similarity(name: str, pair: str, model: str = "m") -> dict[str, Any]:
    """Return what a file of similarities holds."""
    there = not (name == "few" and pair == "vi-ur")
    candidates = list(CANDIDATES[pair])
    scores = {k: SCORES[name][k] if there else None for k in candidates}
    best = max(candidates, key=lambda k: scores[k] or 0.0)
    drawn = name == "wrong"
    layers = {k: {"0": 0.5 * SCORES[name][k], "2": 1.5 * SCORES[name][k]}
              for k in candidates} if drawn else {}  # fmt: skip
    return {
        "format": "langneurons/similarity/1", "model": model, "pair": pair,
        "similarity": name, "kind": KINDS[name], "candidates": candidates,
        "scores": scores, "layers": layers,
        "sizes": dict.fromkeys(candidates, 7) if drawn else {},
        "anchor": 11 if drawn else None, "chosen": best if there else None,
        "draws": 200 if drawn else 0,
        "share": {k: float(k == best) * 0.8 for k in candidates} if drawn else {},
        "tied": int(there), "probes": 33 if drawn else None,
        "left_out": None if there else LEFT_OUT,
    }  # fmt: skip


def similarities(folder: Path, model: str = "m") -> list[Path]:
    """Write the files of all similarities; return them in the order of the spec."""
    found = []
    for pair in CANDIDATES:
        for name in SCORES:
            path = folder / model / name / f"{pair}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(similarity(name, pair, model)))
            found.append(path)
    return found


def spec(model: str = "m", task: str = "words") -> dict[str, Any]:
    """Return the spec of the tables."""
    places = [["bridges", task, model, pair, list(k)] for pair, k in CANDIDATES.items()]
    names = [[model, name, pair] for pair in CANDIDATES for name in SCORES]
    rows = {"places": places, "similarities": names}
    return {"rows": rows, "kinds": {task: "bli"}}
