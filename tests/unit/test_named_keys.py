"""No key and no value of a configuration is named in a document that does not exist.

Words in backticks are taken for keys where they look like them: with a colon behind the
first word (`unit: document`, `models:`), or as a path whose first word is a key of the
top (`corpora.*.bos`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import pages
from langneurons.study import references

SCHEMA = references.whole_schema()
BLOCKS: dict[str, dict[str, Any]] = {"": SCHEMA, **SCHEMA["$defs"]}
TOP = SCHEMA["properties"]
KEYS = {key for block in BLOCKS.values() for key in block["properties"]}
OTHERS = {
    # of profiles, which are Snakemake's
    "resources", "set-resources", "default-resources", "slurm-efficiency-report",
    # of other files
    "squeue", "sbatch",
}  # fmt: skip
"""First words with a colon behind them that are no keys of a configuration."""
WITHOUT = {pages.ROOT / "CHANGELOG.md", pages.ROOT / references.PAGE}
"""What once was; and what is made from the schema."""
DOCUMENTS = [path for path in pages.DOCUMENTS if path not in WITHOUT]


def named(schema: dict[str, Any]) -> Iterator[str]:
    """Go through the definitions that a part of the schema refers to."""
    for part in references._mappings([schema]):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]


def below(key: str, place: str) -> set[str]:
    """Name the blocks that a key of a block may hold, entries of a catalogue too."""
    found = set(named(BLOCKS[place]["properties"][key]))
    kinds = key if place == "" else {"Task": "tasks", "Method": "methods"}.get(place)
    kinds = "similarities" if place == "Similarity" else kinds
    if key == "experiments" or (key == "parameters" and kinds):
        catalogue = "experiments" if key == "experiments" else kinds
        found |= {b for b in BLOCKS if b.startswith(f"{catalogue}.")}
    return found


def is_path(text: str) -> bool:
    """Tell whether a path of keys exists; an entry's name, or `*`, may be anything."""
    first, *rest = text.split(".")
    if first not in TOP:
        return False
    places = below(first, "")
    if rest and "additionalProperties" in TOP[first]:
        rest = rest[1:]
    for word in rest:
        if word == "*":
            continue
        holding = [p for p in places if word in BLOCKS[p].get("properties", {})]
        if not holding:
            return False
        places = set().union(*(below(word, place) for place in holding))
    return True


def allowed(key: str, value: Any) -> bool:
    """Tell whether a key may have a word or null as its value in some block."""
    for block in BLOCKS.values():
        part = block["properties"].get(key)
        if part is None:
            continue
        parts = [p for p in references._mappings([part]) if isinstance(p, dict)]
        if value is None:
            free = any(p.get("type") == "null" for p in parts)
        else:
            enumerated = [
                [*p.get("enum", []), *([p["const"]] if "const" in p else [])]
                for p in parts
            ]
            words = [w for words in enumerated for w in words]
            free = value in words or not words
        if free:
            return True
    return False


def wrong(text: str) -> str | None:
    """Say what is wrong with quoted words, if they are meant as keys."""
    if re.fullmatch(r"[a-z_]+(\.[\w*-]+)+", text):
        first = text.partition(".")[0]
        is_file = text.rpartition(".")[2] in ("md", "yaml", "tsv", "json", "py", "smk")
        if first in TOP and not is_file and not is_path(text):
            return f"there is no key {text}"
        return None
    match = re.fullmatch(r"([a-z][a-z_-]*):( .*)?", text, re.DOTALL)
    if not match or match[1] in OTHERS:
        return None
    key, value = match[1], (match[2] or "").strip()
    if key not in KEYS:
        return f"there is no key {key}"
    if re.fullmatch(r"[a-z_]+", value) and not allowed(key, yaml.safe_load(value)):
        return f"{key} is never {value}"
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=pages.name_of)
def test_keys_and_values_that_are_named_exist(path: Path) -> None:
    found = {text: wrong(text) for text in pages.quoted(path)}
    assert {text: what for text, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "text", [
        "corpora.*.bos", "tasks.xnli.training_by_model", "activations.chunk_means",
        "tasks.mlama.parameters.prompt", "experiments.bridges.probes.keep",
        "similarities.hsic.parameters.sigma", "methods.lape.parameters.thresholds",
        "unit: document", "kind: lape", "hub: null", "study: mine", "models:",
        "pivot: en", "results/a.tsv",
    ],
)  # fmt: skip
def test_what_exists_is_found(text: str) -> None:
    assert wrong(text) is None


@pytest.mark.parametrize(
    "text", [
        "corpora.*.boss", "tasks.xnli.trainings", "activations.means", "unit: texts",
        "units: document", "kind: lapse", "bos: null",
        "experiments.bridges.probes.kept", "methods.lape.parameters.threshold",
    ],
)  # fmt: skip
def test_what_does_not_exist_is_found_out(text: str) -> None:
    assert wrong(text)
