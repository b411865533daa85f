"""What tasks that translate sentences have in common, whatever their prompt."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from langneurons.config.names import Pair

from .. import Item, Task
from . import sentence_pairs, sentence_translations
from .items import read_jsonl
from .sentence_translations import Sentences, table, translate

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel

S = TypeVar("S", bound=Sentences)


class OfSentences(Task[S], Generic[S]):
    """Sentences with references, translated in a prompt that the task words."""

    SIZE = sentence_translations.SIZE
    PAIRS = True

    @abstractmethod
    def wording(self, lm: LanguageModel, parameters: S) -> str:
        """Return the template of the prompt for a model."""
        ...

    def files(self, parameters: S) -> Mapping[str, str]:
        return parameters.read_files()

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return sentence_pairs.read_file(path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return sentence_pairs.read_hub(source, language, split)

    def join(
        self, source: Sequence[Item], target: Sequence[Item], where: str
    ) -> Iterator[Item]:
        return sentence_pairs.join(source, target, where)

    def read_items(self, path: Path | str) -> list[Item]:
        return read_jsonl(path, keys=("id", "source", "reference"))

    def generates(self, parameters: S) -> int:
        return parameters.longest()

    def generates_via(self, parameters: S) -> int:
        return 2 * parameters.longest()

    def evaluate(
        self, lm: LanguageModel, items: Sequence[Item], parameters: S, language: str
    ) -> pd.DataFrame:
        """Ask for every sentence's translation; see ``table``."""
        scorers = parameters.scorers()
        pair, text = Pair.parse(language), self.wording(lm, parameters)
        given = [item["source"] for item in items]
        made = translate(lm, text, pair, given, parameters=parameters)
        nothing = [""] * len(items)
        return table(items, made, nothing, scorers=scorers, target=pair.target)

    def evaluate_via(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: S,
        language: str,
        bridge: str,
    ) -> pd.DataFrame:
        """Ask for a translation into the bridge language, then for that one's."""
        scorers = parameters.scorers()
        pair, text = Pair.parse(language), self.wording(lm, parameters)
        first, second = Pair(pair.source, bridge), Pair(bridge, pair.target)
        given = [item["source"] for item in items]
        aids = translate(lm, text, first, given, parameters=parameters)
        made = translate(lm, text, second, aids, parameters=parameters)
        return table(items, made, aids, scorers=scorers, target=pair.target)

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``table``."""
        return sentence_translations.per_item()
