"""Checks that the measuring pass keeps what each method and statistic reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langneurons import methods
from langneurons.config import names
from langneurons.config.catalogue import OF_MEANS, Corpus, Statistic
from langneurons.config.names import Selection
from langneurons.grid import result_paths, rows

from . import model_shapes
from .check_effects import used_statistics

if TYPE_CHECKING:
    from langneurons.config.schema import Config

NO_BATCHES = "with unit: document there are no batches to take quantiles of"


def problems(config: Config) -> list[str]:
    """List what is read of the activations and was not recorded."""
    found: list[str] = []
    for selection in rows.computed_selections(config):
        found += _unmet(config, selection)
    read = {
        (name, config.method_corpus(selection.method))
        for selection, name in used_statistics(config)
    }
    for name, corpus in sorted(read):
        entry = config.statistic(name)
        found += _quantiles(config, name, entry, corpus)
        if entry.value in OF_MEANS:
            found += _means(config, f"statistics.{name}: value {entry.value}", corpus)
    return list(dict.fromkeys(found))


def _quantiles(
    config: Config, name: str, entry: Statistic, corpus: str
) -> Iterator[str]:
    percentile = entry.value == "median" or entry.value[1:].isdigit()
    if not percentile or entry.quantile != "batch_mean":
        return
    if config.corpus(corpus).sentences:
        yield (
            f"statistics.{name}: quantile batch_mean is not recorded of "
            f"corpora.{corpus}: {NO_BATCHES}; give quantile: pooled"
        )
    elif entry.measure not in config.activations.batch_quantiles:
        yield (
            f"statistics.{name}: quantile batch_mean at {entry.measure} is not "
            "recorded; add that site to activations.batch_quantiles"
        )


def _means(config: Config, what: str, corpus: str) -> Iterator[str]:
    """Check that means of rows are kept, and that the corpus can have so many."""
    asked, entry = config.recorded(corpus).chunk_means, config.corpus(corpus)
    if not asked:
        yield (
            f"{what} is taken over the means of single "
            f"{'sentences' if entry.sentences else 'chunks'}, and none are recorded; "
            f"set activations.chunk_means, or corpora.{corpus}.chunk_means, to how "
            "many (paper: 100)"
        )
    elif (most := most_rows(entry)) is not None and most < asked:
        rows = "recorded" if entry.sentences else "tokens"
        yield (
            f"{what} is taken over the means that chunk_means keeps, {asked}, but "
            f"corpora.{corpus}.{rows} has {most} at most; lower chunk_means, or give "
            "more text"
        )


def most_rows(entry: Corpus) -> int | None:
    """Return how many rows a corpus can have; None: it is not known beforehand."""
    if not entry.sentences:
        return entry.tokens // entry.chunk_length
    rows = entry.rows("recorded")
    if rows is None or rows.below is None:
        return None
    return rows.below - rows.at_least


def _unmet(config: Config, selection: Selection) -> Iterator[str]:
    """Check that a selection has what its method reads, in its language set."""
    entry, name = config.method(selection.method), names.split_draw(selection.method)[0]
    reads = [str(read) for read in config.reads(selection)]
    avoids = [str(read) for read in config.avoids(selection)]
    for key, given in (("reads", reads), ("outside", avoids)):
        for read in dict.fromkeys(given):
            if given.count(read) > 1:
                yield f"methods.{name}.{key}: for {selection} it reads {read} twice"
    corpus = config.corpus(config.method_corpus(name))
    profile = config.method_recorded(name)
    planned = methods.Planned(
        recorded=config.recorded(config.method_corpus(name)),
        languages=config.language_set(selection.languages).languages,
        site=profile["measure"],
        quantile=profile["quantile"],
        reads={read: result_paths.selection_languages(config, read) for read in reads},
        shapes=model_shapes.of_selection(config, selection),
    )
    method = methods.load(entry.kind)
    parameters = method.PARAMETERS.model_validate(entry.parameters)
    for text in method.unmet(parameters, planned):
        about = f" ({NO_BATCHES})" if corpus.sentences and "batch" in text else ""
        yield f"methods.{name}: {text}{about}"
