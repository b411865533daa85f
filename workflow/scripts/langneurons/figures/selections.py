"""The data behind figures of neuron files: from our own and from published counts.

Mondal et al. 2025, Figures 2 to 19; methods.md 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.neurons.neuron_sets import NeuronSets

Ids = dict[str, npt.NDArray[np.int64]]


def _ids(sets: NeuronSets) -> Ids:
    """Number the neurons of each language through all layers."""
    width = sets.intermediate_size
    return {
        lang: np.array(
            [layer * width + i for layer, ids in rows.items() for i in ids], np.int64
        )
        for lang, rows in sets.neurons.items()
    }


def _crossed(a: Ids, b: Ids) -> list[tuple[str, str, int]]:
    return [(x, y, int(np.isin(a[x], b[y]).sum())) for x in a for y in b]


def counts(sets: NeuronSets) -> pd.DataFrame:
    """Count the neurons of each language: columns lang, neurons."""
    return pd.DataFrame(list(sets.counts.items()), columns=["lang", "neurons"])


def overlap(sets: NeuronSets) -> pd.DataFrame:
    """Count the neurons that two languages share: columns lang, other, neurons.

    Every pair is there in both orders, and each language with itself.
    """
    ids = _ids(sets)
    return pd.DataFrame(_crossed(ids, ids), columns=["lang", "other", "neurons"])


def jaccard(sets: NeuronSets) -> pd.DataFrame:
    """Divide shared neurons by the neurons of either: lang, other, jaccard (0 to 1).

    NaN where neither language has neurons.
    """
    found = overlap(sets)
    size = sets.counts
    both = found["neurons"].to_numpy(float)
    either = found["lang"].map(size) + found["other"].map(size) - both
    share = both / either.where(either > 0)
    return found[["lang", "other"]].assign(jaccard=share)


def layers(sets: NeuronSets) -> pd.DataFrame:
    """Count the neurons of each language in each layer: lang, layer, neurons."""
    rows = [
        (lang, layer, len(by_layer.get(layer, ())))
        for lang, by_layer in sets.neurons.items()
        for layer in range(sets.layers)
    ]
    return pd.DataFrame(rows, columns=["lang", "layer", "neurons"])


def multiplicity(sets: NeuronSets) -> pd.DataFrame:
    """Count neurons by the number of languages that they are selected for.

    Returns:
        Columns languages (from 1 to the most that one neuron has), neurons, and share
        (of all selected neurons, each counted once).
    """
    every = np.concatenate([*_ids(sets).values(), np.array([], np.int64)])
    times = np.unique(every, return_counts=True)[1]
    found = np.bincount(times, minlength=2)[1:]
    return pd.DataFrame(
        {
            "languages": np.arange(1, len(found) + 1),
            "neurons": found,
            "share": found / max(1, found.sum()),
        }
    )


def shared(sets: NeuronSets, other: NeuronSets) -> pd.DataFrame:
    """Count the neurons that two selections share, language by language.

    Returns:
        Columns lang (of the first), other (of the second), neurons, and the sizes
        n_lang and n_other of the two sets.

    Raises:
        DataError: the selections are of different models.
    """
    theirs = f"{other.method}.{other.language_set}"
    other.require_model(
        sets.layers, sets.intermediate_size, sets.model_revision, theirs
    )
    found = _crossed(_ids(sets), _ids(other))
    table = pd.DataFrame(found, columns=["lang", "other", "neurons"])
    table["n_lang"] = table["lang"].map(sets.counts)
    return table.assign(n_other=table["other"].map(other.counts))


def published_entry(
    figures: Mapping[str, Any], model: str, method: str, langset: str
) -> Mapping[str, Any]:
    """Find a published selection in ``config/published_results.json``.

    Raises:
        DataError: lists those that are there.
    """
    names = ("model", "method", "language_set")
    known = {tuple(x[k] for k in names): x for x in figures["neuron_sets"]}
    if (model, method, langset) not in known:
        listed = ", ".join(sorted(".".join(key) for key in known))
        given = f"{model}.{method}.{langset}"
        raise DataError(f"no published neurons of {given}; there are {listed}")
    return known[model, method, langset]


def published_counts(entry: Mapping[str, Any]) -> pd.DataFrame:
    """Return what :func:`counts` would, as published."""
    return pd.DataFrame(list(entry["counts"].items()), columns=["lang", "neurons"])


def published_overlap(entry: Mapping[str, Any]) -> pd.DataFrame:
    """Return what :func:`overlap` would, as published."""
    size = entry["counts"]
    pairs = {(x, x): n for x, n in size.items()}
    for a, b, n in entry["overlaps"]:
        pairs[a, b] = pairs[b, a] = n
    rows = [(a, b, pairs[a, b]) for a in size for b in size]
    return pd.DataFrame(rows, columns=["lang", "other", "neurons"])


def published_layers(entry: Mapping[str, Any]) -> pd.DataFrame:
    """Return what :func:`layers` would, as published."""
    by_lang: Mapping[str, Sequence[int]] = entry["neurons_per_layer"]
    rows = [
        (lang, layer, by_lang[lang][layer])
        for lang in entry["counts"]
        for layer in range(entry["layers"])
    ]
    return pd.DataFrame(rows, columns=["lang", "layer", "neurons"])
