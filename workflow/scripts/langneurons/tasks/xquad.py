"""XQuAD: answer a question about a passage, in words that the model generates.

Mondal et al. 2025, section 4 (methods.md 2.4). The items are parallel: row i asks the
same in every language. Trained on English, tested zero-shot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from langneurons.config.catalogue import Frozen
from langneurons.nn.evaluation.examples import Answered, Ids

from . import Item, Metric, Size, Task
from .common import answers, prompts, questions

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel
    from langneurons.nn.evaluation.open_model import OpenModel

# The wording of Alpaca's prompt, as in the paper; a blank follows the context there.
ALPACA = (
    "Below is an instruction that describes a task, paired with an input that provides "
    "further context. Write a response that appropriately completes the request.",
    "",
    "### Instruction:",
    "Answer the question based on the given context.",
    "",
    "### Input:",
    "Context: {context} ",
    "Question: {question}",
    "",
    "### Response:",
)
INDENT = " " * 12


class Parameters(Frozen):
    """How an item becomes a prompt, what is learnt, and how answers are made.

    Files have the layout of SQuAD 1.1.
    """

    max_length: int = Field(
        512,
        ge=8,
        description="tokens of an item (paper: 512). Training items of max_length - 1 "
        "tokens or more, answer and EOS included, are left out",
    )
    long_test: Literal["skip", "cut"] = Field(
        "skip",
        description="test items whose prompt has max_length - 1 tokens or more:\n"
        "`skip`: are left out (paper)\n"
        "`cut`: lose the end of the context, so that the question stays",
    )
    max_new_tokens: int = Field(
        100, ge=1, description="tokens generated at most, EOS included (paper: 100)"
    )
    window: int | None = Field(
        512,
        ge=1,
        description="while it generates, the model sees the last so many tokens "
        "(paper: 512); null: all of them",
    )
    loss: Literal["full", "answer_only"] = Field(
        "full",
        description="tokens learnt:\n`full`: the prompt, the answer and EOS (paper)\n"
        "`answer_only`: the answer and EOS",
    )
    template: Literal["alpaca", "plain"] = Field(
        "alpaca",
        description="words around an item:\n`alpaca`: Alpaca's instruction (paper)\n"
        "`plain`: question, context and EOS, for small models that know no "
        "instructions",
    )
    prompt_indent: Literal["paper", "dedent"] = Field(
        "paper",
        description="with template alpaca:\n`paper`: 12 blanks before every line but "
        "the first, and a blank after the context\n`dedent`: neither",
    )

    @model_validator(mode="after")
    def _indented_is_alpaca(self) -> Parameters:
        if self.template != "alpaca" and self.prompt_indent != "paper":
            raise ValueError(
                f"template {self.template} has no indented lines; 'prompt_indent' "
                "would have no effect"
            )
        return self

    def prompt(self, item: Mapping[str, Any], eos: str) -> str:
        """Write the text that the answer follows.

        Args:
            item: with ``context`` and ``question``; blanks around them are dropped.
            eos: the tokenizer's end-of-text token.
        """
        texts = {key: item[key].strip() for key in ("context", "question")}
        if self.template == "plain":
            return f"{texts['question']} {texts['context']} {eos}"
        lines = [line.format_map(texts) for line in ALPACA]
        if self.prompt_indent == "dedent":
            return "\n".join(line.rstrip() for line in lines)
        # Empty lines have no blanks in the released code either.
        first, *others = (INDENT * bool(line) + line for line in lines)
        return "\n".join([first.lstrip(), *others])


class Xquad(Task[Parameters]):
    """Questions about passages; see the module."""

    PARAMETERS = Parameters
    TITLE = "XQuAD"
    # The first two compare token ids (paper), the others words; see ``answers``.
    METRICS = MappingProxyType(
        {
            "em": Metric("binary", "EM", group="token ids", about="exact match"),
            "f1": Metric("score", "F1", group="token ids"),
            "squad_em": Metric("binary", "SQuAD EM", group="squad", drawn=False),
            "squad_f1": Metric("score", "SQuAD F1", group="squad", drawn=False),
            "mlqa_em": Metric("binary", "MLQA EM", group="mlqa", drawn=False),
            "mlqa_f1": Metric("score", "MLQA F1", group="mlqa", drawn=False),
        }
    )
    TEST_ONLY = ("long_test", "max_new_tokens", "window")
    PUBLISHED = "xquad"
    SIZE = Size(
        1_190,
        1_190,
        280,
        400,
        "Artetxe et al. 2020; 142 words a passage in 865 letters, Alpaca's instruction",
    )
    DEMO = "qa"
    NOTES = (
        "share of answers that match exactly, and overlap of answer tokens; on token "
        "ids including the end sign, as in the paper, unless named squad or mlqa.",
    )

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``scored``."""
        rules = {"squad": "of SQuAD 1.1", "mlqa": "that MLQA has for the language"}
        shown = {
            "em": "true or false: the generated tokens are those of gold, end sign "
            "included",
            "f1": "number from 0 to 1: F1 of the generated tokens against those of "
            "gold, end sign included",
        }
        for name, rule in rules.items():
            shown[f"{name}_em"] = (
                "true or false: prediction has the words of one of the right answers, "
                f"by the rules {rule}"
            )
            shown[f"{name}_f1"] = (
                "number from 0 to 1: F1 of the words of prediction, by the rules "
                f"{rule}; the best over all right answers"
            )
        return shown | {
            "prediction": "text: the answer that was generated, without control tokens",
            "gold": "text: the first right answer",
            "generated_tokens": "whole number: tokens that were generated, the end "
            "sign included",
            "stopped": "true or false: whether the model ended its answer itself",
        }

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return questions.read_file(path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return questions.read_hub(source, language, split)

    def read_items(self, path: Path | str) -> list[Item]:
        return questions.read_items(path)

    def generates(self, parameters: Parameters) -> int:
        return parameters.max_new_tokens

    def longest(self, parameters: Parameters) -> int:
        return parameters.max_length

    # The longest that items may be is asked for, not the longest item: another
    # language has longer ones, and its job would fail after the training.

    def examples(
        self, lm: OpenModel, items: Sequence[Item], parameters: Parameters
    ) -> Answered:
        """Return prompts with the first answer; long items are left out."""
        # Items have less than max_length - 1 tokens.
        length, what = parameters.max_length - 2, "an item that max_length allows"
        lm.require_positions(length, what, "the task's max_length")
        found = prompts.encode(lm, items, parameters, training=True)
        dropped = len(items) - len(found.rows)
        return Answered(found.prompts, found.golds, parameters.loss, dropped)

    def evaluate(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
    ) -> pd.DataFrame:
        """Generate an answer for every item and score it; see ``scored``."""
        new, window = parameters.max_new_tokens, parameters.window
        length = parameters.max_length - 2 + new - 1  # the last one is not read
        lm.require_positions(
            min(length, window or length),
            "an item that max_length allows with its answer",
            "the task's max_length, max_new_tokens or window",
        )
        found = prompts.encode(lm, items, parameters, training=False)
        lm.require_tokens(found.golds)
        made = lm.generate(found.prompts, new, window=window)
        kept = [items[row] for row in found.rows]
        return scored(lm, kept, made, golds=found.golds, language=language)


def scored(
    lm: OpenModel,
    items: Sequence[Item],
    made: Sequence[Sequence[int]],
    *,
    golds: Sequence[Ids],
    language: str,
) -> pd.DataFrame:
    """Score answers and lay them out, one row per item.

    Args:
        lm: turns tokens into text.
        items: test items.
        made: generated tokens of each item.
        golds: tokens of each item's first answer and EOS.
        language: code of the items' language, whose rules MLQA's metrics follow.

    Returns:
        DataFrame: item int32; em, squad_em, mlqa_em bool; f1, squad_f1, mlqa_f1
        float32; prediction and gold (the first answer) text; generated_tokens int32;
        stopped bool, whether EOS was generated.
    """
    import pandas as pd

    found: dict[str, list[Any]] = {}
    texts = [lm.decode(tokens).strip() for tokens in made]
    for item, gold, tokens, text in zip(items, golds, made, texts, strict=True):
        right = item["answers"]
        scores = {
            "": answers.token_id_scores(tokens, gold.tolist()),
            "squad_": answers.squad_scores(text, right),
            "mlqa_": answers.mlqa_scores(text, right, language),
        }
        for kind, (exact, f1) in scores.items():
            found.setdefault(f"{kind}em", []).append(exact)
            found.setdefault(f"{kind}f1", []).append(f1)
    columns: dict[str, Any] = {
        "item": np.asarray([item["id"] for item in items], dtype=np.int32)
    }
    for name, values in found.items():
        binary = name.endswith("em")
        columns[name] = np.asarray(values, dtype=np.bool_ if binary else np.float32)
    columns["prediction"] = texts
    columns["gold"] = [item["answers"][0].strip() for item in items]
    columns["generated_tokens"] = np.asarray([len(t) for t in made], dtype=np.int32)
    columns["stopped"] = [lm.eos in t[-1:] for t in made]
    return pd.DataFrame(columns)


TASK = Xquad()
