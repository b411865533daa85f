"""Each recipe of docs/recipes.md is valid and makes what its command asks for."""

from __future__ import annotations

import re
import sys
import types
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from configurations import merge, paper, read, shipped
from langneurons import methods, tables, tasks
from langneurons.costs.parts import Parts
from langneurons.grid import result_paths, rows
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.study import card_specs, references
from langneurons.study import targets as files
from langneurons.study.configuration import load
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.inputs import Inputs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
CATALOGUES = (
    "models", "corpora", "language_sets", "methods", "statistics", "tasks", "tunings",
)  # fmt: skip


def sections() -> dict[str, str]:
    """Cut the page at its headings: title -> text."""
    parts = re.split(r"^## (.*)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def recipe(title: str) -> dict[str, Any]:
    """Read the file of a recipe; whoever follows it looks a commit up."""
    (text,) = blocks(sections()[title], "yaml")
    text = text.replace("<40 hexadecimal digits>", f"'{'0' * 40}'")
    return yaml.safe_load(text)


def targets(title: str) -> list[str]:
    """Return what the last command of a recipe asks for."""
    command = blocks(sections()[title], "bash")[-1].strip().splitlines()[-1]
    assert command.startswith("snakemake --profile profiles/"), command
    command = re.sub(r" --directory \S+", "", command)
    if blocks(sections()[title], "yaml"):
        assert command.endswith(" --configfile mine.yaml")
    words = re.sub(r" --configfile \S+$", "", command).split()[3:]
    assert words, "it says for nothing what it wants"
    return words


def made(raw: dict[str, Any]) -> set[str]:
    """Name what a configuration makes that is called after its entries.

    Not by Snakemake, which would not know plug-ins that only the test process has.
    """
    config = load(raw)
    parts = Parts(config)
    written = [files.table(config, name) for name in tables.wanted(config)]
    found = [
        *written,
        *(str(Path(path).with_suffix(".tex")) for path in written),
        *files.figures(config),
        *(result_paths.activations(c, m, lang) for m, c, lang in rows.measured(config)),
    ]
    for model in rows.models(config):
        selections = rows.computed_selections(config, model)
        found += [result_paths.neurons(model, each) for each in selections]
    for part in (*parts.evaluations, *parts.perplexities):
        found += [part.index, *part.outputs]
    return {*found, *card_specs.all_cards(config)}


WITH_FILE = [title for title, text in sections().items() if blocks(text, "yaml")]


def plugin(folder: str, page: str = PAGE) -> tuple[str, types.ModuleType]:
    """Make the module of a page's plug-in; return its kind too."""
    ((kind, source),) = re.findall(
        rf"`workflow/scripts/langneurons/{folder}/(\w+)\.py`:\n\n```python\n(.*?)^```",
        page,
        re.DOTALL | re.MULTILINE,
    )
    module = types.ModuleType(f"langneurons.{folder}.{kind}")
    module.__package__ = f"langneurons.{folder}"
    exec(source, vars(module))
    return kind, module


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put there what recipes tell their reader to write, or to have."""
    for folder, plugins in (("methods", methods), ("tasks", tasks), ("tables", tables)):
        kind, module = plugin(folder)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        known = [*plugins.kinds(), kind]
        monkeypatch.setattr(plugins, "kinds", partial(list, known))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/mine").mkdir(parents=True)
    for languages in paper()["language_sets"].values():
        for lang in languages["languages"]:
            (tmp_path / f"data/mine/{lang}.txt").write_text("text\n")
    (tmp_path / "data/said").mkdir()
    for code in recipe("Sentences of your own")["corpora"]["said"]["codes"].values():
        (tmp_path / f"data/said/{code}.tsv").write_text("number\ttext\n1\ta\n")


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("title", WITH_FILE)
def test_a_recipe_makes_what_its_command_asks_for(title: str) -> None:
    above = recipe(title)
    assert merge(paper(), above) != paper()
    planned = made(merge(paper(), above))
    for target in targets(title):
        assert target == "all" or target in planned
    # Defined, but in no list: it would change nothing.
    run = merge(paper(), above)["run"]
    assert set(above.get("experiments", {})) <= set(run)
    parts = {part for path in planned for part in re.split(r"[/.]", path)}
    for catalogue in CATALOGUES:
        for name in above.get(catalogue, {}):
            # A random method stands for its draws.
            assert name in parts or f"{name}-1" in parts, f"{catalogue}.{name}"


@pytest.mark.usefixtures("ready")
def test_editors_find_nothing_wrong_with_recipes() -> None:
    editor = jsonschema.Draft202012Validator(references.editor_schema())
    for title in WITH_FILE:
        found = [error.message for error in editor.iter_errors(recipe(title))]
        assert found == [], title


@pytest.mark.usefixtures("ready")
def test_every_recipe_says_what_to_type_and_is_listed_once() -> None:
    known = {*made(paper()), *made(merge(shipped(), read("laptop.yaml"))), "all"}
    for title in sections():
        wanted = targets(title)
        assert title in WITH_FILE or set(wanted) <= known
    head = PAGE.partition("\n## ")[0]
    listed = re.findall(r"\[([^]]+)\]\(#", head)
    assert sorted(" ".join(text.split()) for text in listed) == sorted(
        title[0].lower() + title[1:] for title in sections()
    )


def test_the_recipe_for_a_method_selects_neurons() -> None:
    _, module = plugin("methods")
    probability = np.linspace(0, 1, 200).reshape(4, 50)
    inputs = SimpleNamespace(
        layers=4,
        width=50,
        activations={"vi": SimpleNamespace(probability=probability.copy)},
    )
    chosen = module.METHOD.select(inputs, module.Parameters(share=0.05)).neurons["vi"]
    assert chosen.dtype == bool and chosen.sum() == 10
    assert chosen[3, 40:].all()


def test_the_recipe_for_a_task_reads_items(tmp_path: Path) -> None:
    _, module = plugin("tasks")
    path = tmp_path / "en.test.tsv"
    path.write_text("label\ttext\ngood\tI like it.\n0\tI do not.\n")
    items = list(module.TASK.read_file(path))
    assert [(item["text"], item["label"]) for item in items] == [
        ("I like it.", 1),
        ("I do not.", 0),
    ]
    assert tasks.is_trainable(module.TASK)


def test_the_recipe_for_a_table_counts_neurons(tmp_path: Path) -> None:
    _, module = plugin("tables")
    neurons: dict[str, dict[int, list[int]]] = {"vi": {0: [1, 2], 1: [3]}, "hi": {}}
    sets = NeuronSets("lape", "s", "lape", "m", "", 2, 10, "act_post", neurons)
    sets.write(tmp_path / "lape.s.json")
    asked = module.TABLE.spec(load(paper()), "sizes")["rows"]
    assert "nemo lape.set1" in asked and len(asked) == len(set(asked))
    read = Inputs({"neurons": [tmp_path / "lape.s.json"]})
    table = module.TABLE.build({"rows": ["m lape.s"]}, read)
    assert table["neurons"].tolist() == [3, 0] and table["share"].tolist() == [0.15, 0]
    text = markdown(module.TABLE.layout(table, {}))
    assert text.startswith("# Sizes of selections\n") and "| m     | lape.s" in text


def test_consistent_alone_is_refused_and_so_has_a_recipe() -> None:
    with pytest.raises(Exception, match="mean_consistent writes the same as mean"):
        load(paper(profile="consistent"))
    assert any(recipe(title).get("profile") == "consistent" for title in WITH_FILE)
