"""One self-contained page on the whole study, from whatever of it exists.

Verdicts on the paper's hypotheses by fixed rules, tables, figures, configuration,
provenance and cost. The page loads nothing and needs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def build(
    tables: Sequence[Path],
    figures: Sequence[Path],
    config: Mapping[str, Any],
    benchmarks: Path,
    left_out: Mapping[str, str] | None = None,
    terms: Sequence[tuple[str, str]] = (),
    known: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Build the page.

    Args:
        tables: tables of results (.tsv), any of them.
        figures: figures (.svg), any of them.
        config: the merged configuration.
        benchmarks: folder of Snakemake's benchmark files; may be absent.
        left_out: files that were made under other settings: path -> what differs.
        terms: words of the tasks that the page explains, and what they mean.
        known: the tables that the configuration knows; see ``page.render``.

    Returns:
        HTML; the same bytes for the same files.

    Raises:
        DataError: a file that exists does not hold what it should.
    """
    from langneurons.costs import spending

    from . import gallery, inputs, page

    return page.render(
        [inputs.read_table(path, known) for path in tables],
        [gallery.read(path) for path in figures],
        config,
        spending.sum_up(benchmarks, spending.gpus_of(config), config.get("study")),
        left_out or {},
        terms,
        known,
    )
