"""A model that says what a test wants, by the end of the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Scripted:
    """Takes the place of a ``LanguageModel`` that generates; a token is a character.

    Args:
        says: what it writes, by the last characters of a prompt.

    Attributes:
        asked: every prompt, in order.
    """

    def __init__(self, says: Mapping[str, str]) -> None:
        self.says, self.asked = says, []

    def encode(self, texts: Sequence[str], beginning: bool) -> list[list[int]]:
        assert beginning
        return [list(map(ord, text)) for text in texts]

    def generate(
        self, prompts: Sequence[list[int]], new: int, *, stop: Sequence[str] = ()
    ) -> list[list[int]]:
        texts = ["".join(map(chr, ids)) for ids in prompts]
        self.asked += texts
        found = [next(v for k, v in self.says.items() if t.endswith(k)) for t in texts]
        return [list(map(ord, text))[:new] for text in found]

    def decode(self, tokens: Sequence[int], stop: Sequence[str] = ()) -> str:
        text = "".join(map(chr, tokens))
        for each in stop:
            text = text.partition(each)[0]
        return text
