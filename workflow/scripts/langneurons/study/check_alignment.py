"""Checks of alignment: sentences are parallel as far as the configuration says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langneurons.grid import alignment

from .check_recorded import most_rows

if TYPE_CHECKING:
    from langneurons.config.catalogue import Corpus
    from langneurons.config.schema import Config
    from langneurons.grid.experiments.alignment import Alignment


def problems(config: Config) -> Iterator[str]:
    """List what keeps the experiments of ``run`` from aligning sentences."""
    first: dict[str, tuple[str, tuple[object, ...]]] = {}
    for name, axes in alignment.all_axes(config).items():
        where, corpus = f"experiments.{name}", alignment.corpus(config, axes)
        found = [*unparallel(config.corpus(corpus), f"corpora.{corpus}")]
        yield from (f"{where}.corpus: {text}" for text in found)
        if not found:
            yield from _sentences(config, axes, where)
        said = axes.pivot, axes.site, alignment.sentences(config, axes)
        before, known = first.setdefault(corpus, (name, said))
        if known != said:
            shown, other = (", ".join(map(str, x)) for x in (said, known))
            yield (
                f"{where}: pivot, site and sentences are {shown}, but {other} in "
                f"experiments.{before}; an alignment on {corpus} has one name, and one "
                "figure, in a study. Give both the same, or make a study of each"
            )


def unparallel(entry: Corpus, where: str) -> Iterator[str]:
    """Say why a corpus has no sentences that are parallel in its languages.

    Args:
        entry: the corpus.
        where: its place in the configuration.
    """
    if not entry.sentences:
        yield (
            f"{where} has chunks of articles; alignment compares sentences with their "
            "translations: give a corpus of parallel sentences, with unit: document"
        )
    elif entry.language_filter is not None:
        yield (
            f"{where}.language_filter drops other sentences in each language, so that "
            "they are not parallel; leave it out"
        )


def _sentences(config: Config, axes: Alignment, where: str) -> Iterator[str]:
    """Check that means are kept of as many sentences as are compared."""
    corpus = alignment.corpus(config, axes)
    kept, asked = config.recorded(corpus).chunk_means, alignment.sentences(config, axes)
    if kept < 2:
        yield (
            f"{where}: the means of {kept or 'no'} sentences are kept; set "
            f"corpora.{corpus}.chunk_means to how many are compared (paper: 100)"
        )
    elif asked > kept:
        yield (
            f"{where}.sentences: {asked}, but means are kept of {kept}; lower it, or "
            f"raise corpora.{corpus}.chunk_means"
        )
    elif (most := most_rows(config.corpus(corpus))) is not None and most < kept:
        yield (
            f"corpora.{corpus}.recorded has {most} sentences at most, and chunk_means "
            f"keeps the means of {kept}; lower it, or give more text"
        )
