"""The key reference in config/README.md lists every key, with its default."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from langneurons import catalogue, task_catalogue
from langneurons.checks import plugins
from langneurons.config import Config

REFERENCE = Path(__file__).parents[2] / "config" / "README.md"
SECTIONS: dict[str, type[BaseModel]] = {
    "Top level": Config,
    "grid": catalogue.Grid,
    "models": catalogue.Model,
    "hub": catalogue.HubSource,
    "gguf": catalogue.GgufSource,
    "demo": catalogue.DemoModel,
    "corpora": catalogue.Corpus,
    "language_filter": catalogue.LanguageFilter,
    "activations": catalogue.Activations,
    "language_sets": catalogue.LanguageSet,
    "methods": catalogue.Method,
    "statistics": catalogue.Statistic,
    "tasks": task_catalogue.Task,
    "data": task_catalogue.TaskData,
    "training": task_catalogue.Training,
    "tunings": task_catalogue.Tuning,
    "neuron_tuning": task_catalogue.NeuronTuning,
    "perplexity": catalogue.Perplexity,
    "demo_world": catalogue.DemoWorld,
}
SECTIONS |= {
    kind: importlib.import_module(f"langneurons.{folder}.{kind}").Parameters
    for folder in ("methods", "tasks")
    for kind in plugins(folder)
}


def documented(section: str) -> dict[str, str]:
    """Read the table of a section: key -> default as it is written there."""
    keys = REFERENCE.read_text(encoding="utf-8").split("\n# Keys\n")[1]
    found = re.search(
        rf"^##+ {section}\n(.*?)(?=^##|\Z)", keys, re.DOTALL | re.MULTILINE
    )
    assert found, f"config/README.md has no section {section!r} below Keys"
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| \S", found.group(1), re.MULTILINE)
    return dict(rows)


def written(value: Any) -> str:
    """Write a default the way YAML does."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(written, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "block" if isinstance(value, (BaseModel, dict)) else f"`{written(value)}`"


@pytest.mark.parametrize("section", SECTIONS)
def test_the_reference_is_complete_and_right(section: str) -> None:
    fields = SECTIONS[section].model_fields
    assert documented(section) == {key: default(f) for key, f in fields.items()}


def test_no_block_of_the_configuration_is_left_out() -> None:
    blocks = {
        value
        for value in vars(catalogue).values()
        if isinstance(value, type) and issubclass(value, catalogue.Frozen)
    }
    assert blocks - {catalogue.Frozen} <= set(SECTIONS.values())


def test_each_choice_of_a_key_is_named() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    choices = {
        choice
        for block in SECTIONS.values()
        for field in block.model_fields.values()
        for choice in re.findall(r"Literal\[(.*?)\]", str(field.annotation))
    }
    words = {w for choice in choices for w in re.findall(r"'([^']+)'", choice)}
    assert len(words) > 40
    assert {w for w in words if not re.search(rf"\b{w}\b", text)} == set()


def test_the_recipe_for_a_method_works() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    package = "langneurons.methods"
    module: dict[str, Any] = {"__package__": package, "__name__": f"{package}.loudest"}
    exec(source, module)
    probability = np.linspace(0, 1, 200).reshape(4, 50)
    inputs = SimpleNamespace(
        layers=4,
        width=50,
        activations={"vi": SimpleNamespace(probability=probability.copy)},
    )
    chosen = module["select"](inputs, module["Parameters"](share=0.05)).neurons["vi"]
    assert chosen.dtype == bool and chosen.sum() == 10
    assert chosen[3, 40:].all()


def test_the_recipes_are_valid_yaml_with_known_keys() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(blocks) > 4
    for block in blocks:
        recipe = yaml.safe_load(block)
        assert set(recipe) <= set(Config.model_fields)
        assert set(recipe.get("grid", {})) <= set(catalogue.Grid.model_fields)
        for entry in recipe.get("statistics", {}).values():
            catalogue.Statistic.model_validate(entry)
        for entry in recipe.get("language_sets", {}).values():
            catalogue.LanguageSet.model_validate(entry)
        for entry in recipe.get("corpora", {}).values():
            catalogue.Corpus.model_validate(entry)
        for entry in recipe.get("methods", {}).values():
            catalogue.Method.model_validate(entry)
