"""Tasks answered in the model's own words: training loss, answers and their scores.

Mondal et al. 2025, section 4 (methods.md 2.4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.jobs.batching import MicroBatch
from langneurons.jobs.gpus import put
from langneurons.nn.models import folders, loading
from langneurons.nn.models.backbone import Backbone
from langneurons.tasks.common import answers

from .decoding import generate
from .interventions import Intervention
from .prompts import Encoded, encode, positions

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HEAD",
    "TASK_TYPE",
    "encode",
    "evaluate",
    "load",
    "require_fit",
    "summed_loss",
]

HEAD: str | None = None
"""The output layer of a language model is there already and stays as it is."""

TASK_TYPE = "CAUSAL_LM"


def load(
    folder: Path | str, task: Any, device: str, attention: str | None = None
) -> Any:
    """Load the stock language model of a pinned folder, in eval mode."""
    return loading.load_causal(folder, device, attention=attention)


def require_fit(encoded: Encoded, manifest: Mapping[str, Any], training: bool) -> None:
    """Refuse items that the model has no positions or no embeddings for.

    The longest that items may be counts, not the longest item: another language has
    longer ones, and its job would fail after the training.

    Args:
        encoded: the items.
        manifest: of the model.
        training: answers are learnt, else generated.
    """
    given = encoded.parameters
    length = given.max_length - 2  # items have less than max_length - 1 tokens
    what, keys = "an item that max_length allows", "the task's max_length"
    if not training:
        # The last token generated is not read.
        length += given.max_new_tokens - 1
        length = min(length, given.window or length)
        what += " with its answer"
        keys = "the task's max_length, max_new_tokens or window"
    folders.require_positions(manifest, length, what, keys)
    texts = [*encoded.prompts, *encoded.golds]
    highest = max(int(ids.max(initial=0)) for ids in texts)
    folders.require_tokens(manifest, max(highest, encoded.filler))


def summed_loss(model: Any, encoded: Encoded) -> Callable[[Sequence[int]], Tensor]:
    """Return the loss of items as a function of their numbers.

    The paper's loss of a batch is the mean over its tokens, which cannot be summed up
    from parts of the batch. Here an item's loss is its summed token losses over the
    mean number of counted tokens of all items. So every token has the same weight in
    all batches, the mean over an epoch is the mean over its tokens, and the micro-batch
    changes nothing. The prompt's first token is predicted from nothing and not counted.

    Args:
        model: a stock language model, PEFT-wrapped or not.
        encoded: the items, with ``parameters.loss``.

    Returns:
        Function of rows: cross entropy summed over these items, a scalar (nats).

    Raises:
        DataError: the model has fewer positions than the longest item.
    """
    backbone = Backbone(model)
    texts = [
        np.concatenate(p) for p in zip(encoded.prompts, encoded.golds, strict=True)
    ]
    backbone.require_positions(max(map(len, texts)), "an item", "max_length")
    full = encoded.parameters.loss == "full"
    starts = [1 if full else len(prompt) for prompt in encoded.prompts]
    counts = [len(text) - start for text, start in zip(texts, starts, strict=True)]
    mean = sum(counts) / len(counts)

    def loss(rows: Sequence[int]) -> Tensor:
        width = max(len(texts[row]) for row in rows)
        ids = torch.full((len(rows), width), encoded.filler)
        mask, counted = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
        for i, row in enumerate(rows):
            length = len(texts[row])
            ids[i, :length] = torch.from_numpy(texts[row])
            mask[i, :length] = 1
            counted[i, starts[row] : length] = True
        wanted = put(counted[:, 1:], backbone.device)
        with backbone.autocast:
            states = backbone.hidden(ids, mask, positions(mask))[:, :-1][wanted]
            scores = backbone.logits(states)
        targets = put(ids[:, 1:], backbone.device)[wanted]
        return nn.functional.cross_entropy(scores, targets, reduction="sum") / mean

    return loss


def evaluate(
    model: Any,
    encoded: Encoded,
    micro_batch: int | MicroBatch,
    intervention: Intervention | None = None,
    family: str | None = None,
    label: str = "",
) -> pd.DataFrame:
    """Generate and score an answer for every item; see ``generate``."""
    made = generate(model, encoded, micro_batch, intervention, family, label)
    return table(made, encoded)


def table(made: Sequence[Sequence[int]], encoded: Encoded) -> pd.DataFrame:
    """Score answers and lay them out, a row an item.

    Args:
        made: generated tokens of each item.
        encoded: the items.

    Returns:
        DataFrame: item int32; em, squad_em, mlqa_em bool; f1, squad_f1, mlqa_f1
        float32; prediction and gold (the first answer) text; generated_tokens int32;
        stopped bool, whether EOS was generated.
    """
    import pandas as pd

    found: dict[str, list[Any]] = {}
    texts = []
    for i, tokens in enumerate(made):
        text = encoded.tokenizer.decode(list(tokens), skip_special_tokens=True).strip()
        golds = encoded.answers[i]
        scores = {
            "": answers.token_id_scores(tokens, encoded.golds[i].tolist()),
            "squad_": answers.squad_scores(text, golds),
            "mlqa_": answers.mlqa_scores(text, golds, encoded.language),
        }
        texts.append(text)
        for kind, (exact, f1) in scores.items():
            found.setdefault(f"{kind}em", []).append(exact)
            found.setdefault(f"{kind}f1", []).append(f1)
    columns: dict[str, Any] = {"item": encoded.ids.astype(np.int32)}
    for name, values in found.items():
        binary = name.endswith("em")
        columns[name] = np.asarray(values, dtype=np.bool_ if binary else np.float32)
    columns["prediction"] = texts
    columns["gold"] = [golds[0].strip() for golds in encoded.answers]
    columns["generated_tokens"] = np.asarray([len(t) for t in made], dtype=np.int32)
    columns["stopped"] = [encoded.eos in t[-1:] for t in made]
    return pd.DataFrame(columns)
