"""What ``compare_languages`` found: how similar each candidate is to a pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs.files import read_object, redo

FORMAT = "langneurons/similarity/1"
KEYS: dict[str, type] = {
    **dict.fromkeys(("format", "model", "pair", "similarity", "kind"), str),
    "candidates": list,
    **dict.fromkeys(("scores", "layers", "sizes", "share"), dict),
    **dict.fromkeys(("draws", "tied"), int),
}
"""Keys of a file of similarities that are never null, and the types of their values."""


@dataclass(frozen=True)
class Similar:
    """How similar the candidates of a pair are, by one similarity, and the choice.

    Attributes:
        kind: the module that compared.
        scores: of each candidate, in their order; NaN where it has none.
        layers: of each candidate its scores by layer; empty where there are none.
        sizes: neurons of each candidate; empty where there are none.
        share: share of the bootstrap's draws that each candidate wins, those that
            several win in part; empty without.
        draws: of the bootstrap.
        anchor: neurons of the pair; None: the similarity compares none.
        probes: words that were recorded; None: it reads none.
        chosen: the candidate; None: nothing could be compared.
        left_out: why not; empty where one is chosen.
        tied: candidates with the largest score, of which the first is chosen unless
            they are all.
    """

    kind: str
    scores: Mapping[str, float]
    layers: Mapping[str, Mapping[int, float]]
    sizes: Mapping[str, int]
    share: Mapping[str, float]
    draws: int
    anchor: int | None
    probes: int | None
    chosen: str | None
    left_out: str
    tied: int


def read(path: Path, model: str, similarity: str, pair: str) -> Similar:
    """Read a file of similarities.

    Raises:
        DataError: it is damaged, or of something else.
    """
    found = read_object(path, "a file of similarities", KEYS)
    given = tuple(found[k] for k in ("format", "model", "similarity", "pair"))
    wanted = (FORMAT, model, similarity, pair)
    if given != wanted:
        raise DataError(
            f"{path}: is of {', '.join(given)}, not of {', '.join(wanted)}{redo(path)}"
        )
    candidates, chosen = found["candidates"], found.get("chosen")
    scores = {k: _number(found["scores"].get(k)) for k in candidates}
    if chosen is not None and not math.isfinite(scores.get(chosen, math.nan)):
        raise DataError(f"{path}: chose {chosen}, which has no score{redo(path)}")
    return Similar(
        found["kind"],
        scores,
        {k: _by_layer(found["layers"].get(k, {})) for k in candidates},
        {k: int(v) for k, v in found["sizes"].items()},
        {k: float(v) for k, v in found["share"].items()},
        found["draws"],
        found.get("anchor"),
        found.get("probes"),
        chosen,
        found.get("left_out") or "",
        found["tied"],
    )


def read_all(
    paths: Sequence[Path], names: Sequence[Sequence[str]]
) -> dict[tuple[str, str, str], Similar]:
    """Read files by model, similarity and pair, which are given in their order."""
    return {
        (model, similarity, pair): read(path, model, similarity, pair)
        for path, (model, similarity, pair) in zip(paths, names, strict=True)
    }


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _by_layer(found: Mapping[str, Any]) -> dict[int, float]:
    return {int(layer): _number(score) for layer, score in found.items()}
