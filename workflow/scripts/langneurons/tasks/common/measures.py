"""What a task declares in numbers: its metrics, and the size of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langneurons.config.errors import ConfigError
from langneurons.stats.resummed import Resummed, Score

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Metric:
    """What is measured of each item, or of all of them together.

    Attributes:
        kind: ``binary`` (0 or 1 per item), ``score`` (0 to 1 per item), ``real`` (any
            number per item), ``resummed`` (of all items together, from sums of
            statistics of single items) or ``corpus`` (only of all items together).
        title: as it is written in tables and figures.
        unit: ``%`` is shown times 100, any other as it is; empty for a plain number.
        group: metrics of one group share a cell of a table.
        about: in words, for the legends of tables; empty: the title says it.
        decimals: digits behind the point, as it is shown.
        drawn: whether it has figures.
        matters: smallest difference that a study should be able to see, as the numbers
            are kept (0.02 for 2 points of a ``%``); None: 2 points for ``%``, and not
            known for any other unit.
        steered: whether it says where a model is steered to, not how well it does:
            verdicts on help and harm leave it out.
        statistics: of a ``resummed`` metric, the columns of per-item tables whose sums
            make it: finite numbers, at least 0.
        score: of a ``resummed`` metric, what turns sums of these columns, float64
            [..., k], into finite scores [...].
    """

    kind: Literal["binary", "score", "real", "resummed", "corpus"]
    title: str
    unit: str = "%"
    group: str = ""
    about: str = ""
    decimals: int = 1
    drawn: bool = True
    matters: float | None = None
    steered: bool = False
    statistics: tuple[str, ...] = ()
    score: Score | None = None

    def resummed(self, predictions: pd.DataFrame) -> Resummed:
        """Return the statistics of a per-item table, of a ``resummed`` metric.

        Raises:
            ConfigError: it is of another kind.
        """
        if self.score is None:
            raise ConfigError(f"metric {self.title!r} of kind {self.kind} has no sums")
        return Resummed(predictions[list(self.statistics)].to_numpy(), self.score)


@dataclass(frozen=True)
class Size:
    """Size of a task's data set, for estimates of time.

    Attributes:
        train: rows of its training split.
        test: rows of its test split.
        train_tokens: tokens of an English training item, words of the prompt included.
        test_tokens: tokens of a test item, over languages.
        source: where these numbers are from.
        texts: different ones that test items are about; None: one each.
    """

    train: int
    test: int
    train_tokens: int
    test_tokens: int
    source: str
    texts: int | None = None


UNKNOWN = Size(10_000, 5_000, 128, 128, "assumed")
