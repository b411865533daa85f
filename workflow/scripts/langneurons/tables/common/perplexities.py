"""Measured perplexities, chunk by chunk: how they are found and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.errors import DataError

from .indexes import Indexes

AXES: dict[str, type] = dict.fromkeys(("corpus", "model", "lang"), str)
"""What is measured, as its index says, and the types of the values."""
KEYS: dict[str, type] = {
    **dict.fromkeys(("n_chunks", "n_tokens", "n_neurons"), int),
    "nll": float,
}
"""What an index says of each treatment, and the types of the values."""


def shares(
    change: npt.NDArray[np.float64], tokens: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return a number for each text, whose mean is the mean change over all tokens.

    That mean is a ratio, of sums over texts to numbers of tokens, and the spread of
    these numbers is what its error is made of (Cochran, Sampling Techniques, 1977,
    chapter 6): the texts' deviations from it, in proportion to their lengths. Where all
    texts change alike there is none, however long they are. Of equally long texts they
    are the changes themselves.

    Args:
        change: [texts] change per token.
        tokens: [texts] how many there are.
    """
    weight = tokens / tokens.mean()
    mean = (change * weight).mean()
    return np.asarray(change * weight - (weight - 1) * mean)


class Perplexities:
    """The measured perplexities that some indexes list.

    Args:
        indexes: the indexes.

    Raises:
        DataError: an index is damaged, or something else.
    """

    def __init__(self, indexes: Iterable[Path]) -> None:
        self._indexes = Indexes(indexes, "measured perplexities", AXES, KEYS)

    def of(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        """Return the measured perplexity that a row shows, and its file.

        Args:
            row: ``corpus``, ``model``, ``lang`` and ``treatment``.

        Returns:
            What the index says of it; ``chunk_nll``, nats per token of each chunk or
            sentence; and ``chunk_tokens``, how many tokens each has.

        Raises:
            DataError: no index lists it; its file is missing, damaged, or not the one
                that was listed.
        """
        listed = self._indexes.find(row)
        table = listed.read(["nll", "tokens"])
        nll, tokens = table["nll"], table["tokens"]
        of_all = listed.record["n_chunks"]
        is_right = pd.api.types.is_float_dtype(nll.dtype) and np.isfinite(nll).all()
        if not is_right or len(nll) != of_all:
            raise DataError(
                f"{listed.path}: nll is not {of_all} finite numbers; {listed.again}"
            )
        is_number = pd.api.types.is_integer_dtype(tokens.dtype) and (tokens > 0).all()
        if not is_number or int(tokens.sum()) != listed.record["n_tokens"]:
            raise DataError(
                f"{listed.path}: tokens are not whole numbers of sum "
                f"{listed.record['n_tokens']}; {listed.again}"
            )
        each = {"chunk_nll": nll.tolist(), "chunk_tokens": tokens.tolist()}
        return {**listed.record, **each}, listed.path
