"""The key reference in config/README.md says what the models say, row by row.

A key counts as documented only in its own row of its own section's table; a choice only
in the row of its key; and a section, a key or a word that the models do not have is as
wrong as one that is missing.
"""

from __future__ import annotations

import re
import sys
import types
import typing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from snakemake.utils import update_config

from langneurons import methods, tasks
from langneurons.config import catalogue, names, task_entries
from langneurons.config.schema import Config
from langneurons.nn.models import families
from langneurons.study import targets
from langneurons.study.configuration import load

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "config" / "README.md"
TOP = "Top level"
# Where each block is documented: a heading, or one below another.
SECTIONS: dict[str, type[BaseModel]] = {
    TOP: Config,
    "grid": catalogue.Grid,
    "models": catalogue.Model,
    "models/hub": catalogue.HubSource,
    "models/gguf": catalogue.GgufSource,
    "models/demo": catalogue.DemoModel,
    "corpora": catalogue.Corpus,
    "corpora/language_filter": catalogue.LanguageFilter,
    "activations": catalogue.Activations,
    "language_sets": catalogue.LanguageSet,
    "methods": catalogue.Method,
    "statistics": catalogue.Statistic,
    "tasks": task_entries.Task,
    "tasks/data": task_entries.TaskData,
    "tasks/training": task_entries.Training,
    "tunings": task_entries.Tuning,
    "neuron_tuning": task_entries.NeuronTuning,
    "perplexity": catalogue.Perplexity,
    "demo_world": catalogue.DemoWorld,
}
PLUGINS = {
    f"{folder}/{kind}": plugins.load(kind)
    for folder, plugins in (("methods", methods), ("tasks", tasks))
    for kind in plugins.kinds()
}
SECTIONS |= {name: module.PARAMETERS for name, module in PLUGINS.items()}


class Row(NamedTuple):
    """A row of a table of keys, as it is written."""

    key: str
    default: str
    meaning: str


def sections(text: str) -> dict[str, str]:
    """Cut what stands below "# Keys" at its headings: section -> text."""
    keys = text.split("\n# Keys\n")[1]
    found: dict[str, str] = {}
    above = ""
    for part in re.split(r"^(?=##)", keys, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        level, name = re.fullmatch(r"(###?) (\S.*)", heading).groups()  # type: ignore
        above = name if level == "##" else above
        name = name if level == "##" else f"{above}/{name}"
        assert name not in found, f"config/README.md has two sections {name!r}"
        found[name] = body
    return found


def rows(section: str) -> dict[str, Row]:
    """Read the table of a section: every line of it, or an error."""
    body = sections(REFERENCE.read_text(encoding="utf-8"))[section]
    lines = [line for line in body.splitlines() if line.startswith("|")]
    assert lines[:2] == ["| key | default | meaning |", "|---|---|---|"], section
    found: dict[str, Row] = {}
    for line in lines[2:]:
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        assert len(cells) == 3 and all(cells), f"{section}: {line}"
        row = Row(*cells)
        name = re.fullmatch(r"`(\w+)`", row.key)
        assert name, f"{section}: {line}"
        assert name.group(1) not in found, f"{section}: {name.group(1)} twice"
        found[name.group(1)] = row
    return found


def quoted(text: str) -> set[str]:
    """Return what stands between backticks; a link's text counts."""
    return set(re.findall(r"`([^`]+)`", text))


def parts(annotation: Any) -> Iterator[Any]:
    """Walk through a type: what it is made of, at any depth, aliases resolved."""
    yield annotation
    if typing.get_origin(annotation) is Literal:
        return
    for inner in typing.get_args(annotation):
        if isinstance(inner, (type, types.GenericAlias)) or typing.get_origin(inner):
            yield from parts(inner)


def choices(field: FieldInfo) -> set[str]:
    """Return the words or numbers that a key's type allows; empty: it allows any."""
    return {
        str(choice)
        for part in parts(field.annotation)
        if typing.get_origin(part) is Literal
        for choice in typing.get_args(part)
    }


def blocks_of(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Return a block and all blocks below it."""
    found = {model}
    for field in model.model_fields.values():
        for part in parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= blocks_of(part)
    return found


def written(value: Any) -> str:
    """Write a default the way YAML does."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float):
        assert float(f"{value:g}") == value, f"{value!r} needs more digits"
        return f"{value:g}"
    return str(value)


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "block" if isinstance(value, (BaseModel, dict)) else f"`{written(value)}`"


def test_the_sections_are_the_blocks_of_the_configuration() -> None:
    documented = list(sections(REFERENCE.read_text(encoding="utf-8")))
    assert sorted(documented) == sorted(SECTIONS)
    reachable = blocks_of(Config)
    assert len(reachable) > 15
    inside = {module.PARAMETERS for module in PLUGINS.values()}
    assert set(SECTIONS.values()) == reachable | inside


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_has_the_keys_and_defaults_of_its_block(section: str) -> None:
    fields = SECTIONS[section].model_fields
    documented = {key: row.default for key, row in rows(section).items()}
    assert documented == {key: default(field) for key, field in fields.items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_default_that_is_written_out_changes_nothing(section: str) -> None:
    for key, row in rows(section).items():
        if row.default in ("required", "block"):
            continue
        field = SECTIONS[section].model_fields[key]
        adapter = TypeAdapter(Annotated[field.annotation, *field.metadata, None])
        typed = adapter.validate_python(yaml.safe_load(row.default.strip("`")))
        assert typed == field.get_default(call_default_factory=True), key


@pytest.mark.parametrize("section", SECTIONS)
def test_each_choice_stands_in_the_row_of_its_key(section: str) -> None:
    for key, field in SECTIONS[section].model_fields.items():
        missing = choices(field) - quoted(rows(section)[key].meaning)
        assert not missing, f"{section}: {key} may be {missing}, but it does not say so"


@pytest.mark.parametrize("section", SECTIONS)
def test_no_row_speaks_of_what_does_not_exist(section: str) -> None:
    for key, row in rows(section).items():
        known = choices(SECTIONS[section].model_fields[key])
        known |= WORDS.get((section, key), set()) | ELSEWHERE.get((section, key), set())
        unknown = {w for w in quoted(row.meaning) - known if not refers(w)}
        assert not unknown, f"{section}: {key} cannot be {unknown}"


def refers(words: str) -> bool:
    """Tell whether quoted words name something that exists, for use in any row."""
    block, dot, key = words.partition(".")
    if dot and block in SECTIONS:
        return key in SECTIONS[block].model_fields
    known = {key for block in SECTIONS.values() for key in block.model_fields}
    known |= {name.rpartition("/")[2] for name in SECTIONS} | {names.BASE}
    return words.partition(": ")[0] in known  # also as `key: value`


# Keys of free text whose words are checked elsewhere in the code.
WORDS = {
    ("models", "family"): set(families.FAMILIES),
    ("methods", "kind"): set(methods.kinds()) | {"methods/"},
    ("tasks", "kind"): set(tasks.kinds()) | {"tasks/"},
    ("statistics", "value"): {"zero", "mean", "median", "min", "max", "const"}
    | {f"p{p}" for p in catalogue.PERCENTILES},
    ("statistics", "neuron_language"): {"target", "source"},
    ("statistics", "value_language"): {"target", "source"},
    ("methods/plnd", "minus"): {"others", "none"},
    ("grid", "tables"): {"finetune_{task}", "random_{task}", "perplexity"}
    | {"activation_statistics", "profiles", "reproduction"},
}
# Words that are neither keys nor choices, and where they come from.
ELSEWHERE = {
    ("Top level", "report"): {"make report"},
    ("grid", "selections"): {"method.language_set"},
    ("methods", "reads"): {"method.language_set"},
    ("grid", "tables"): {"snakemake all"},
    ("models", "attn_implementation"): {"flash_attn"},
    ("models/hub", "config"): {"{lang}"},
    ("corpora", "folder"): {"{lang}.txt"},
    ("tasks/data", "train"): {"{lang}"},
    ("tasks/data", "test"): {"{lang}"},
    ("demo_world", "languages"): {"en"},
    ("demo_world", "nli_train"): {"en"},
}


@pytest.mark.parametrize(("section", "key"), WORDS)
def test_words_of_keys_of_free_text_stand_in_their_row(section: str, key: str) -> None:
    named = quoted(rows(section)[key].meaning)
    assert named - ELSEWHERE.get((section, key), set()) == WORDS[section, key]


def test_the_words_of_free_text_are_those_of_the_code() -> None:
    with pytest.raises(ValidationError) as told:
        catalogue.Statistic(value="?")
    known = re.search(r"Known: ((?:\w+, )+\w+)", str(told.value))
    assert known
    assert set(known.group(1).split(", ")) == WORDS["statistics", "value"]
    for name in ("neuron_language", "value_language"):
        assert catalogue.Statistic.model_fields[name].default == "target"
    plnd = PLUGINS["methods/plnd"]
    recorded = catalogue.Activations(contribution_top=0.1)
    planned = methods.Planned(recorded, ["en", "vi"], "gate_pre", {})
    for word in WORDS["methods/plnd", "minus"]:
        assert plnd.unmet(plnd.PARAMETERS(minus=word), planned) == []
    assert plnd.unmet(plnd.PARAMETERS(minus="other"), planned)


def test_the_tables_that_the_reference_names_are_those_that_can_be_made() -> None:
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    paper = load(raw)
    task = re.compile(rf"({'|'.join(paper.grid.tasks)})$")
    tables = {task.sub("{task}", name) for name in targets.table_names(paper)}
    assert WORDS["grid", "tables"] == tables - {"{task}"}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_block_links_to_its_own_section(section: str) -> None:
    for key, row in rows(section).items():
        below = set(parts(SECTIONS[section].model_fields[key].annotation))
        own = {n.rpartition("/")[2] for n, block in SECTIONS.items() if block in below}
        linked = set(re.findall(r"\]\(#([\w-]+)\)", row.meaning))
        # A kind's key links to the parameters of each kind.
        assert own == linked - WORDS.get((section, key), set()), f"{section}: {key}"


def test_each_kind_says_of_what_its_keys_are_parameters() -> None:
    text = sections(REFERENCE.read_text(encoding="utf-8"))
    for name in PLUGINS:
        kind = name.rpartition("/")[2]
        assert text[name].lstrip().startswith(f"Parameters of kind `{kind}`"), name


def recipes(language: str) -> list[str]:
    """Return the examples above the reference, in their order."""
    text = REFERENCE.read_text(encoding="utf-8").split("\n# Keys\n")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def loudest() -> types.ModuleType:
    """Make the module of the recipe for a method."""
    (source,) = recipes("python")
    module = types.ModuleType("langneurons.methods.loudest")
    module.__package__ = "langneurons.methods"
    exec(source, vars(module))
    return module


def test_the_recipe_for_a_method_works() -> None:
    module = loudest()
    probability = np.linspace(0, 1, 200).reshape(4, 50)
    inputs = SimpleNamespace(
        layers=4,
        width=50,
        activations={"vi": SimpleNamespace(probability=probability.copy)},
    )
    chosen = module.METHOD.select(inputs, module.Parameters(share=0.05)).neurons["vi"]
    assert chosen.dtype == bool and chosen.sum() == 10
    assert chosen[3, 40:].all()


@pytest.mark.parametrize("number", range(len(recipes("yaml"))))
def test_a_recipe_is_valid_on_top_of_the_paper(
    number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, kinds = loudest(), [*methods.kinds(), "loudest"]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    known = {"methods": kinds, "tasks": tasks.kinds()}
    for folder, plugins in (("methods", methods), ("tasks", tasks)):
        monkeypatch.setattr(plugins, "kinds", lambda found=known[folder]: found)
    load_method = methods.load
    monkeypatch.setattr(
        methods,
        "load",
        lambda kind: module.METHOD if kind == "loudest" else load_method(kind),
    )
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/mine").mkdir(parents=True)
    for lang in {c for s in raw["language_sets"].values() for c in s["languages"]}:
        (tmp_path / f"data/mine/{lang}.txt").write_text("text\n")
    before = yaml.safe_dump(raw)
    text = recipes("yaml")[number].replace("<40 hexadecimal digits>", f"'{'0' * 40}'")
    update_config(raw, yaml.safe_load(text))
    assert yaml.safe_dump(raw) != before
    load(raw)


def test_there_is_a_recipe_for_each_catalogue_that_is_promised() -> None:
    named = Counter(key for text in recipes("yaml") for key in yaml.safe_load(text))
    catalogues = {"models", "language_sets", "methods", "statistics", "tunings"}
    assert catalogues | {"corpora", "tasks"} <= set(named)
