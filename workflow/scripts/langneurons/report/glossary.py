"""Terms at the end of the page: those of the studies that run."""

from __future__ import annotations

from collections.abc import Sequence

from langneurons.config import terms as known

from .studies import Study

OTHER_UNITS = (
    "unit",
    "a metric that is no share of something is shown as it is, in the unit that its "
    "title names; so is its change.",
)


def terms(running: Sequence[Study]) -> list[tuple[str, str]]:
    """List the terms of studies that run, with their meanings."""
    kinds = {kind for study in running for kind in study.kinds}
    return [
        (one.term, one.meaning)
        for one in known.terms()
        if not one.kinds or kinds & set(one.kinds)
    ]
