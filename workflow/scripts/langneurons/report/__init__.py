"""One self-contained page on the whole study, from whatever of it exists.

Verdicts on the paper's hypotheses by fixed rules, tables, figures, configuration,
provenance and cost. The page loads nothing and needs no script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langneurons.costs.spending import Cost


def build(
    tables: Sequence[Path],
    figures: Sequence[Path],
    config: Mapping[str, Any],
    benchmarks: Path,
    left_out: Mapping[str, str] | None = None,
    terms: Sequence[tuple[str, str]] = (),
    known: Sequence[Mapping[str, Any]] = (),
    estimates: Mapping[str, Any] | None = None,
    asked: Mapping[str, Any] | None = None,
) -> str:
    """Build the page.

    Args:
        tables: tables of results (.tsv), any of them.
        figures: figures (.svg), any of them.
        config: the merged configuration.
        benchmarks: folder of Snakemake's benchmark files; may be absent.
        left_out: files that were made under other settings: path -> what differs.
        terms: words of the tasks that the page explains, and what they mean.
        known: the tables that the configuration asks for; see ``page.render``.
        estimates: ``config`` as it was given, and ``patterns`` of the benchmark files
            by rule, from which follows what jobs were expected to take; None: unknown.
        asked: what else is known of the configuration; see ``page.render``.

    Returns:
        HTML; the same bytes for the same files.

    Raises:
        DataError: a file that exists does not hold what it should.
    """
    from . import gallery, inputs, page

    return page.render(
        [inputs.read_table(path, known) for path in tables],
        [gallery.read(path) for path in figures],
        config,
        _spent(benchmarks, config, estimates),
        left_out or {},
        terms,
        known,
        asked or {},
    )


def _spent(
    benchmarks: Path, config: Mapping[str, Any], estimates: Mapping[str, Any] | None
) -> Sequence[Cost]:
    """Sum up what jobs took, beside what they were expected to take."""
    from langneurons.costs import spending
    from langneurons.study.configuration import load

    expected: Callable[[Path], float] = spending.unknown
    if estimates is not None:
        given = load(estimates["config"])
        expected = spending.estimated(given, estimates["patterns"])
    gpus = spending.gpus_of(config)
    return spending.sum_up(benchmarks, gpus, config.get("study"), expected)
