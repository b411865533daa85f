"""Tasks: one file each, and what every one of them says and does.

``tasks/<kind>.py`` holds ``Parameters`` (a frozen model of its configuration), a class
that is a :class:`Task`, and ``TASK``, an instance of it. Nothing outside this folder
knows a task by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from langneurons.config import plugins
from langneurons.config.errors import ConfigError
from langneurons.config.fields import Frozen
from langneurons.config.names import Bridged, Treatment
from langneurons.nn.evaluation.examples import Examples

from .common import predictions as tables
from .common import preparing
from .common.items import means
from .common.measures import UNKNOWN as UNKNOWN
from .common.measures import Metric as Metric
from .common.measures import Size as Size

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel
    from langneurons.nn.evaluation.open_model import OpenModel

Item = dict[str, Any]
"""One item: ``id``, its number in the file, and what the task reads of it."""

P = TypeVar("P", bound=Frozen)


class Task(Protocol[P]):
    """What a task says of itself, and how it is read, learnt and scored.

    Attributes:
        PARAMETERS: model of ``parameters:`` in the configuration.
        TITLE: name in tables and the report.
        METRICS: by name, the primary one first; per-item tables have a column of each
            name, unless its kind is ``corpus``: such a one stands under ``metrics`` in
            the record of an evaluation only; or ``resummed``: then the columns of its
            ``statistics``.
        LABELS: classes of a classifier, in the order of their numbers; empty where the
            model answers in its own words. A task whose ``examples`` are ``Labelled``
            needs them: they say how many outputs the head on the model has.
        TEST_ONLY: names of parameters that training does not read; each has a default.
        PUBLISHED: key in the file of published numbers; None: nothing is published.
        SIZE: of the data set that the paper uses.
        DEMO: name of its items in the demo world's configuration (``nli_train``), or
            None.
        CONTINUES: whether ``evaluate`` scores continuations of a context, which count
            as generated for the positions of an intervention.
        SHIFTS: whether per-item tables have an answer in every language of the
            parameter ``languages``: columns ``logprob_{l}`` (nats), ``tokens_{l}`` and
            ``object_{l}``, empty where there is none. ``item`` is the same in all
            languages then.
        OPEN: whether answers are open text whose language is told, so that languages
            may be switched off one after another: per-item tables have the share of an
            answer that is in every language of the parameter ``languages``, by words
            (``words_{l}``) and lines (``lines_{l}``), in any ``other`` and in ``none``,
            and ``repetition``, ``loops``, ``empty`` and ``length``.
        PAIRS: whether it is tested on pairs of languages, directly and through a third
            one: models as they are only, in pairs that an experiment names.
        WORDS: of a task on pairs, whether its items are the test words of a dictionary
            (``data.dictionary``); False: those of two languages, put together by
            ``join``.
        ALL_LANGUAGES: whether a file of items has those of all languages; each item
            names its own (``language``).
        NAMED_ROWS: whether a data set on the hub may have the rows of all languages,
            each of which names its own; ``read_hub`` refuses one that does not.
        BESIDE: names of files that lie beside a file of items and are read with it.
        NOTES: what its metrics measure, in sentences; the report has them among its
            terms.
    """

    PARAMETERS: type[P]
    TITLE: str
    METRICS: Mapping[str, Metric]
    LABELS: tuple[str, ...] = ()
    TEST_ONLY: tuple[str, ...] = ()
    PUBLISHED: str | None = None
    SIZE: Size = UNKNOWN
    DEMO: str | None = None
    CONTINUES: bool = False
    SHIFTS: bool = False
    OPEN: bool = False
    PAIRS: bool = False
    WORDS: bool = False
    ALL_LANGUAGES: bool = False
    NAMED_ROWS: bool = False
    BESIDE: tuple[str, ...] = ()
    NOTES: tuple[str, ...] = ()

    def read_file(self, path: Path | str) -> Iterator[Item]:
        """Read a file that a user has; items in its order.

        Each start asks for the first one, to refuse a file that lacks what is read, so
        yield items while reading.

        Raises:
            DataError: names the file and row, what is missing and what is there.
        """
        ...

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        """Stream a split of a hub data set."""
        ...

    def read_items(self, path: Path | str) -> list[Item]:
        """Read prepared items (JSON lines, as :func:`prepare` writes them)."""
        ...

    def unmet(self, parameters: P, languages: Sequence[str]) -> Iterable[str]:
        """Say what a task lacks, before the first job.

        Args:
            parameters: of the task.
            languages: that it is tested in; of a task on pairs these, as in ``zh-sw``,
                and the languages that they are tested through.

        Returns:
            Sentences; none where it can be run.
        """
        return ()

    def generates(self, parameters: P) -> int:
        """Return how many tokens are generated at most for an item; 0: none."""
        return 0

    def generates_via(self, parameters: P) -> int:
        """Return the tokens generated at most for an item through a third language."""
        return 0

    def files(self, parameters: P) -> Mapping[str, str]:
        """Return files of the user that parameters name: parameter -> path.

        They are inputs of every evaluation, which opens them by these paths.
        """
        return {}

    def join(
        self, source: Sequence[Item], target: Sequence[Item], where: str
    ) -> Iterable[Item]:
        """Put the items of a pair's two languages together, of a task on pairs.

        Args:
            source: items of the source language.
            target: items of the target language.
            where: names both in messages.

        Raises:
            DataError: they do not fit together.
        """
        raise ConfigError(f"{self.TITLE} is not tested on pairs of languages")

    def longest(self, parameters: P) -> int | None:
        """Return the tokens of the longest item that is kept; None: no limit."""
        return None

    def examples(self, lm: OpenModel, items: Sequence[Item], parameters: P) -> Examples:
        """Say what a model learns from items; left out by a task that only tests.

        Args:
            lm: encodes texts, and refuses what it cannot read (``require_positions``).
            items: training items.
            parameters: of the task.

        Raises:
            ConfigError: the task has no training items.
        """
        raise ConfigError(f"{self.TITLE} has no training items, it can only be tested")

    def evaluate(
        self, lm: LanguageModel, items: Sequence[Item], parameters: P, language: str
    ) -> pd.DataFrame:
        """Run a model on test items and score what comes out.

        Args:
            lm: the model, as it is or under an intervention.
            items: test items.
            parameters: of the task.
            language: code of the items' language; of a task on pairs the pair.

        Returns:
            One row per item: ``item``, its ``id``, whole numbers, each once; a column
            for each metric whose kind is not ``corpus``: bool, or the integers 0 and 1
            (``binary``), finite floats from 0 to 1 (``score``), finite floats
            (``real``), and those of the statistics of ``resummed`` ones; and what else
            a reader may want to see (``per_item``).
        """
        ...

    def evaluate_via(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: P,
        language: str,
        bridge: str,
    ) -> pd.DataFrame:
        """Run a model on test items of a pair through a third language.

        Args:
            lm: the model, as it is.
            items: test items.
            parameters: of the task.
            language: the pair.
            bridge: code of the third language.

        Returns:
            As ``evaluate``.
        """
        raise ConfigError(f"{self.TITLE} is not tested through another language")

    def per_item(self) -> Mapping[str, str]:
        """Explain columns of ``evaluate``, metrics where METRICS does not suffice."""
        return {}

    def corpus(
        self, predictions: pd.DataFrame, parameters: P, language: str
    ) -> Mapping[str, float]:
        """Return the metrics of kind ``corpus``, of all items together.

        Args:
            predictions: from ``evaluate``.
            parameters: of the task.
            language: code of the items' language.
        """
        return {}


def is_trainable(task: Task[Frozen]) -> bool:
    """Tell whether a model can be tuned on a task: whether it has ``examples``."""
    return type(task).examples is not Task.examples


def evaluated(
    task: Task[P],
    treatment: str,
    lm: LanguageModel,
    asked: tuple[Sequence[Item], P, str],
) -> pd.DataFrame:
    """Run a model, which is treated already, on test items, directly or via a language.

    Args:
        task: that asks and scores.
        treatment: its name; of a bridge it says through which language.
        lm: the model.
        asked: the items, parameters of the task, and the items' language, or the pair.

    Raises:
        DataError: the task returned another table than it declares.
    """
    parsed = Treatment.parse(treatment)
    if isinstance(parsed, Bridged):
        return checked(task, task.evaluate_via(lm, *asked, parsed.language))
    return checked(task, task.evaluate(lm, *asked))


def checked(task: Task[P], predictions: pd.DataFrame) -> pd.DataFrame:
    """Return what ``evaluate`` made, its columns of the types that METRICS say.

    Raises:
        DataError: see ``common.predictions.checked``.
    """
    kind = type(task).__module__.rpartition(".")[2]
    return tables.checked(predictions, task.METRICS, f"evaluate() of kind {kind}")


def metrics(
    task: Task[Frozen], predictions: pd.DataFrame, parameters: Frozen, language: str
) -> dict[str, float]:
    """Sum up a per-item table: means, and what only all items together have.

    Args:
        task: that made the table.
        predictions: from its ``evaluate``, checked.
        parameters: of the task.
        language: code of the items' language.

    Raises:
        DataError: ``corpus`` returned other metrics than those of its kind, or what is
            no finite number.
    """
    whole = dict(task.corpus(predictions, parameters, language))
    tables.check_whole(whole, task.METRICS, task.TITLE)
    summed = {
        name: one.resummed(predictions).value
        for name, one in task.METRICS.items()
        if one.kind == "resummed"
    }
    whole |= summed
    found = whole | means(predictions, [n for n in task.METRICS if n not in whole])
    return {name: found[name] for name in task.METRICS}


def kinds() -> list[str]:
    """List the tasks that there are, without importing them."""
    return plugins.kinds(__file__)


def load(kind: str) -> Task[Frozen]:
    """Import a task, and check what it declares.

    Raises:
        ConfigError: there is no such file, or its author made a mistake in it.
    """
    from .common.declared import problems  # reads this module

    # Which parameters a task takes is known in its own file only.
    task = plugins.load(
        __name__,
        kind,
        kinds(),
        what="task",
        protocol=Task,
        required=("read_file", "read_hub", "read_items", "evaluate"),
        problems=problems,
    )
    return cast("Task[Frozen]", task)


def files(task: Task[Frozen], path: str) -> list[str]:
    """List a file of items and those that are read with it."""
    return [path, *(str(Path(path).with_name(name)) for name in task.BESIDE)]


def prepare(spec: Mapping[str, Any], paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read the items of one language, or pair, and split; take the part that is used.

    Args:
        spec: ``task``, ``kind``, ``data`` (``hub``: the source of this split where it
            is on the hub; of a pair a list of both languages' sources), ``language``,
            ``split`` (train or test); with train ``train_fraction``, with test
            ``test_fraction`` (1 where it is absent), ``test_items``, ``test_seed``.
        paths: files of a task that is given as files, of a pair first those of the
            source language; empty for the hub.

    Returns:
        Training: the first ``train_fraction`` of the rows (methods.md 2.3: no shuffle
        before the cut). Test: the last ``test_fraction`` of the rows (methods.md 2.4:
        XQuAD's first part trains), all or a sample that is the same in every language.

    Raises:
        DataError: no source, no items, fewer than ``test_items``, or rows that name
            languages, but not this one.
    """
    where = f"tasks.{spec['task']}, {spec['split']} {spec['language']}"
    return preparing.cut(
        preparing.read(load(spec["kind"]), spec, paths, where), spec, where
    )
