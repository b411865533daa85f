"""The card of an adapter that was trained here: how to open it, and what it scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.jobs import files, manifests
from langneurons.nn.models.tuned import CONFIG
from langneurons.tables.common.document import (
    Bullets,
    Document,
    Heading,
    Paragraph,
    Part,
    grid,
)
from langneurons.tables.common.metrics import Shown
from langneurons.tables.common.task_columns import of_languages

from . import cards

AUTO = {
    "SEQ_CLS": ("SequenceClassification", "text-classification"),
    "CAUSAL_LM": ("CausalLM", "text-generation"),
}
"""Kind of model, as PEFT names it -> end of its class, and the hub's word."""

NF4 = """\
from transformers import BitsAndBytesConfig
import torch

in_4_bits = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype=torch.bfloat16,
)"""

SUMMARY = {"items": int, "steps": int, "trainable_parameters": int, "final_loss": float}


def write(
    spec: Mapping[str, Any],
    config: Path,
    summary: Path,
    manifest: Path,
    *,
    tables: Sequence[Path],
    out: Path,
) -> None:
    """Write a card.

    Args:
        spec: of ``card_specs.CardSpecs.adapter_card``.
        config: ``adapter_config.json``.
        summary: ``training.json``, the record of the training.
        manifest: of the pinned base model.
        tables: of the task, with scores of this adapter; perhaps none.
        out: the card.
    """
    what = "the configuration of an adapter"
    settings = files.read_object(config, what, {"task_type": str, "r": int})
    trained = files.read_object(summary, "the record of a training", SUMMARY)
    repository, base = cards.base_of(manifests.read_model(manifest))
    head = {
        "base_model": repository,
        "base_model_relation": "adapter" if repository else None,
        "library_name": "peft",
        "pipeline_tag": AUTO[settings["task_type"]][1],
        "language": cards.languages([spec["language"]]),
        "license": spec["license"] or cards.UNKNOWN_LICENSE,
        "datasets": [spec["data"]["repo"]] if spec["data"] else [],
        "tags": ["lora", "cross-lingual-transfer"],
    }
    parts = [
        Paragraph(_first(spec, base)),
        Heading("Open it"),
        *_opened(spec, settings, config, repository),
        Heading("How it was trained"),
        Bullets(tuple(_training(spec, trained))),
        Heading("What it scores"),
        *_scores(spec, cards.untreated(cards.read_scores(tables))),
        Heading("Licence"),
        Paragraph(cards.license_text(spec["license"], base)),
    ]
    title = f"{spec['model']}, tuned on {spec['title']}: {spec['tuning']}"
    cards.write(out, head, Document(title, tuple(parts)))


def _first(spec: Mapping[str, Any], base: str) -> str:
    return (
        f"A LoRA adapter (PEFT) for {base}, trained on {spec['title']} in the language "
        f"`{spec['language']}`, and meant to be tested in others: zero-shot transfer."
    )


def _opened(
    spec: Mapping[str, Any],
    settings: Mapping[str, Any],
    config: Path,
    repository: str | None,
) -> Iterator[Part]:
    """Show how to open it, whatever its base is found by."""
    name = f"AutoPeftModelFor{AUTO[settings['task_type']][0]}"
    more = f", num_labels={len(spec['classes'])}" if spec["classes"] else ""
    quantised = spec["quantization"] == "nf4"
    lines = [f"from peft import {name}", ""]
    if quantised:
        lines = [*NF4.splitlines(), "", *lines]
        more += ", quantization_config=in_4_bits"
    place = "folder or repository of this card"
    lines.append(f'model = {name}.from_pretrained("{place}"{more})')
    yield Paragraph("\n".join(["```python", *lines, "```"]))
    notes = []
    if repository is None:
        named = settings.get("base_model_name_or_path")
        notes.append(
            f"The base model is on no hub: `{CONFIG}` names the folder `{named}`. "
            "Elsewhere load the same model yourself and give it to "
            "`PeftModel.from_pretrained`."
        )
    if spec["classes"]:
        named = ", ".join(f"{i} {name}" for i, name in enumerate(spec["classes"]))
        read = ", ".join(f"{k}: {v!r}" for k, v in sorted(spec["parameters"].items()))
        notes.append(f"Classes of the head, which is in the adapter: {named}.")
        notes.append(f"How an item becomes text, and where the head reads it: {read}.")
    if quantised:
        notes.append("It was trained and tested around weights in 4 bits, as above.")
    yield from [Bullets(tuple(notes))] if notes else []


def _training(spec: Mapping[str, Any], trained: Mapping[str, Any]) -> Iterator[str]:
    data, neurons = spec["data"], int(trained.get("tuned_neurons", 0))
    source = "files of its maker's, which are on no hub"
    if data:
        part = f", configuration `{data['config']}`" if data["config"] else ""
        source = f"`{data['repo']}`{part}, revision `{data['revision']}`"
    yield (
        f"Items: {trained['items']:,} of {spec['title']} in `{spec['language']}`, from "
        f"{source}"
    )
    changed = ", ".join(f"{k}: {v}" for k, v in sorted(spec["changes"].items()))
    yield f"Weights that change (tuning `{spec['tuning']}`): {changed}"
    if neurons:
        yield f"Neurons that change: {neurons:,}"
    yield f"Trainable parameters: {trained['trainable_parameters']:,}"
    settings = ", ".join(f"{k}: {v}" for k, v in sorted(spec["training"].items()))
    yield f"Settings: {settings}, seed: {spec['seed']}"
    yield (
        f"Steps: {trained['steps']:,}; loss at the end: {trained['final_loss']:.4f} "
        "nats per item"
    )


def _scores(spec: Mapping[str, Any], scores: pd.DataFrame) -> Iterator[Part]:
    """Lay its scores out by language and metric, with their intervals."""
    scores = of_languages(scores)
    own = scores[
        (scores["model"] == spec["model"])
        & (scores["tuning"] == spec["tuning"])
        & (scores["seed"].astype(str) == str(spec["seed"]))
    ]
    if own.empty:
        yield Paragraph("No table of its study has scores of it.")
        return
    lines = []
    for row in own.to_dict("records"):
        against = "" if pd.isna(row["delta"]) else f" against `{row['against']}`"
        change = cards.change(row) + against
        metric = Shown.read(row).word
        lines.append([row["lang"], metric, f"{row['n']:,}", cards.value(row), change])
    titles = ("language", "metric", "items", "score", "change")
    yield grid(titles, lines, names=2)
    yield Paragraph(
        f"{cards.INTERVALS} A change is against another tuning of the same model on "
        "the same items; `base` is the model as it is."
    )
