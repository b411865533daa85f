"""What the streaming pass keeps of single chunks, read from an activations file.

Two optional blocks (methods.md 6): the mean of every neuron over the tokens of some
chunks, and in how many chunks a neuron is among those of its layer that contribute
most to the MLP's output. Where sentences were recorded, each by itself, a chunk is a
sentence. Nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class TopChunks:
    """How often each neuron was among the most contributing ones of its layer.

    Attributes:
        counts: chunks in which it was, [L, F].
        chunks: number of chunks.
        share: the share of a layer's neurons that counted as most contributing.
    """

    counts: npt.NDArray[np.int64]
    chunks: int
    share: float


class ChunkStatistics:
    """The part of ``recorded_activations.Activations`` about single chunks."""

    path: Path
    metadata: Mapping[str, str]
    layers: int
    width: int
    _handle: Any
    _keys: frozenset[str]

    @property
    def chunk_means_recorded(self) -> int:
        """Number of chunks whose means are in the file; 0 if none were recorded."""
        if "chunk_numbers" not in self._keys:
            return 0
        return int(self._handle.get_slice("chunk_numbers").get_shape()[0])

    def chunk_numbers(self) -> npt.NDArray[np.int64]:
        """Return the numbers, in the corpus, of the chunks whose means are kept."""
        if "chunk_numbers" not in self._keys:
            return np.array([], np.int64)
        return self._handle.get_tensor("chunk_numbers").astype(np.int64, copy=False)

    def chunk_means(self, site: str, layer: int) -> npt.NDArray[np.float16]:
        """Read the means of one layer's neurons over the tokens of single chunks.

        Args:
            site: gate_pre or act_post.
            layer: from 0.

        Returns:
            [chunks, F], in the order of the corpus.

        Raises:
            DataError: they were not recorded.
        """
        key = f"{site}.chunk_means"
        if key not in self._keys or not self.chunk_means_recorded:
            raise DataError(
                f"{self.path}: means of single chunks at {site} were not recorded; set "
                "activations.chunk_means to the number of chunks (of sentences, in "
                "corpora with unit: document) of a language whose means are to be kept"
            )
        means: npt.NDArray[np.float16] = self._handle.get_slice(key)[layer]
        return means

    def over_means(self, value: str, site: str) -> npt.NDArray[np.float32]:
        """Return the maximum or the median over the means of single chunks: [L, F].

        The factors of Rahmanisa et al. (2025), whose chunks are sentences.

        Args:
            value: ``max_of_means``, or ``median_of_means``: of an even number of means
                the lower of the two in the middle.
            site: gate_pre or act_post.

        Raises:
            DataError: they were not recorded.
        """
        found = np.empty((self.layers, self.width), np.float32)
        for layer in range(self.layers):
            means = self.chunk_means(site, layer)
            if value == "max_of_means":
                found[layer] = means.max(axis=0)
            else:
                middle = (len(means) - 1) // 2
                found[layer] = np.partition(means, middle, axis=0)[middle]
        return found

    def top_chunks(self) -> TopChunks:
        """Return in how many chunks a neuron contributed most to the MLP's output.

        Raises:
            DataError: it was not recorded.
        """
        self._need_contributions()
        return TopChunks(
            counts=self._handle.get_tensor("prod.top_chunks"),
            chunks=int(self._handle.get_tensor("chunks")[0]),
            share=float(self.metadata["contribution_top"]),
        )

    def product_sums(self) -> npt.NDArray[np.float64]:
        """Return the sum over all tokens of the absolute down projection input: [L, F].

        Raises:
            DataError: it was not recorded.
        """
        self._need_contributions()
        sums: npt.NDArray[np.float64] = self._handle.get_tensor("prod.sumabs")
        return sums

    def _need_contributions(self) -> None:
        if "prod.top_chunks" not in self._keys:
            raise DataError(
                f"{self.path}: contributions to the MLP's output were not recorded; "
                "set activations.contribution_top to the share of a layer's neurons "
                "that counts as important for a chunk"
            )
