"""Whether two ways to rank agree."""

from __future__ import annotations

from collections.abc import Mapping


def kendall(
    first: Mapping[str, float | None], second: Mapping[str, float | None]
) -> float | None:
    """Return Kendall's tau-b between two scores of the same things.

    Args:
        first: by name; None: it has no score.
        second: by name.

    Returns:
        From -1 to 1, over the names with both scores; None for fewer than two of them,
        or where all scores of one side are equal.
    """
    pairs = [(first[x], second[x]) for x in first if x in second]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    agree = apart = left = right = 0
    for i, (a, b) in enumerate(known):
        for c, d in known[:i]:
            one, other = _sign(a - c), _sign(b - d)
            left += one != 0
            right += other != 0
            agree += one * other > 0
            apart += one * other < 0
    if not (left and right):
        return None
    return float((agree - apart) / (left * right) ** 0.5)


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
