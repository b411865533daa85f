"""The schema for editors and the page of keys, which the code makes of itself."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
import yaml
from pydantic import Field

from configurations import read, shipped
from langneurons import methods, tasks
from langneurons.config.fields import EXPONENT, Frozen
from langneurons.study import key_page, references
from langneurons.study.configuration import load
from langneurons.tables import by_name

ROOT = Path(__file__).parents[2]
SCHEMA = references.whole_schema()
BLOCKS: dict[str, dict[str, Any]] = {"": SCHEMA, **SCHEMA["$defs"]}
EDITOR = jsonschema.Draft202012Validator(references.editor_schema())


def words(part: Any) -> set[str]:
    """Return the words and numbers that a part of the schema enumerates."""
    if isinstance(part, list):
        return set().union(*map(words, part))
    if not isinstance(part, dict):
        return set()
    own = part.get("enum", [part["const"]] if "const" in part else [])
    return set(map(str, own)).union(*map(words, part.values()))


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


every_block = pytest.mark.parametrize("block", BLOCKS, ids=lambda name: name or "top")
# Values that are names of things outside: what they mean is told there.
NAMES_OF_THINGS = {("Model", "family")}


@every_block
def test_each_key_and_each_of_its_values_is_described(block: str) -> None:
    for key, part in BLOCKS[block]["properties"].items():
        assert part.get("description"), f"the Field of {key} has no description"
        if key == "kind" and "allOf" in BLOCKS[block]:
            continue  # each has a section of its own
        if (block, key) not in NAMES_OF_THINGS:
            assert words(part) <= quoted(part["description"]), key


@every_block
def test_no_description_speaks_of_what_does_not_exist(block: str) -> None:
    for key, part in BLOCKS[block]["properties"].items():
        for word in quoted(part["description"]) - words(part):
            assert refers(word) or word in ELSEWHERE.get((block, key), ()), (key, word)


def refers(text: str) -> bool:
    """Tell whether quoted words name a key, alone, in its block or with a value."""
    first, _, second = text.partition(": ")[0].partition(".")
    if second:
        entry = next(key_page.references(SCHEMA["properties"].get(first, {})), "")
        return second in BLOCKS.get(entry, {"properties": {}})["properties"]
    return any(first in schema["properties"] for schema in BLOCKS.values())


# Words that are neither keys nor enumerated, and in whose description they stand.
OF_CODES = {"{source_code}", "{target_code}"}
ELSEWHERE = {
    ("Dictionary", "probe"): {"{source}", "{target}"} | OF_CODES,
    ("Dictionary", "codes"): OF_CODES,
    ("WordFilesOfLanguage", "probe"): {"{source}", "{target}"} | OF_CODES,
    ("tasks.translation", "lexicon"): {"{lang}"},
    ("tasks.translation", "template"): {"{source}", "{target}", "{text}"},
    ("tasks.translation_untargeted", "lexicon"): {"{lang}"},
    ("tasks.translation_untargeted", "template"): {"{source}", "{text}"},
    ("", "report"): {"make report"},
    ("", "tables"): {"snakemake all", "finetune_{task}", "random_{task}"}
    | {
        "perplexity",
        "activation_statistics",
        "profiles",
        "reproduction",
        "steering",
        "amplification",
        "open_text",
        "fallback",
        "bridges",
        "bridge_candidates",
        "language_overlap",
        "alignment",
        "alignment_correlation",
    },
    ("Experiment", "kind"): {"grid/experiments/"},
    ("experiments.amplification", "selections"): {"method.language_set"},
    ("experiments.amplification", "prompt"): {"{language}", "{code}"},
    ("experiments.amplification.SwitchedOff", "selections"): {"method.language_set"},
    ("experiments.bridges", "selection"): {"method.language_set"},
    ("experiments.interventions", "selections"): {"method.language_set"},
    ("experiments.interventions", "tunings"): {"base"},
    ("experiments.neurons", "selections"): {"method.language_set"},
    ("Method", "reads"): {"method.language_set"},
    ("Model", "attn_implementation"): {"flash_attn"},
    ("GgufSource", "path"): {".gguf"},
    ("GgufSource", "package"): {"assemble(path)"},
    ("HubSource", "config"): {"{lang}", "{code}"},
    ("HubSource", "revision"): {"snakemake pin_models"},
    ("Corpus", "folder"): {"{lang}.txt"},
    ("Corpus", "codes"): {"en: eng_Latn", "{code}", "hub.config"},
    ("Corpus", "recorded"): {"{lang}.txt"},
    ("SourceRows", "files"): {"{lang}", "{code}"},
    ("Method", "kind"): {"methods/"},
    ("Similarity", "kind"): {"similarities/"},
    ("Task", "kind"): {"tasks/"},
    ("TaskData", "train"): {"{lang}", "{code}"},
    ("TaskData", "test"): {"{lang}", "{code}"},
    ("TaskData", "codes"): {"en: eng_Latn", "{code}", "hub.config"},
    ("Statistic", "neuron_language"): {"target", "source"},
    ("Statistic", "value_language"): {"target", "source"},
    ("DemoWorld", "languages"): {"en"},
    ("DemoWorld", "nli_train"): {"en"},
    ("DemoWorld", "qa_train"): {"en"},
    ("methods.plnd", "minus"): {"others", "none"},
    ("methods.published", "path"): {".pth", ".json"},
    ("methods.published", "languages"): {".pth", ".json"},
    ("Tuning", "path"): {"adapter_config.json", "adapter_model.safetensors"},
    ("similarities.family", "families"): {"zh: Sino-Tibetan"},
    ("tasks.forcing", "lexicon"): {"{lang}"},
    ("tasks.forcing", "template"): {"{prompt}"},
    ("tasks.xnli", "template"): {"{premise}", "{hypothesis}"},
}


def test_every_exception_is_of_a_key_and_needed() -> None:
    for block, key in ELSEWHERE:
        part = BLOCKS[block]["properties"][key]
        assert ELSEWHERE[block, key] <= quoted(part["description"])
    for block, key in NAMES_OF_THINGS:
        assert words(BLOCKS[block]["properties"][key])


def test_the_tables_that_are_named_are_those_that_can_be_made() -> None:
    raw = shipped()
    raw["tasks"]["prompts"] = {
        "kind": "forcing",
        "languages": ["en"],
        "data": {"hub": {"repo": "a/b", "revision": None}},
        "parameters": {"languages": ["en", "id"]},
    }
    steered = raw["experiments"]["amplification"]
    off = {"tasks": ["prompts"], "languages": ["en"], "statistics": ["zero"]}
    steered |= {"switched_off": off | {"selections": steered["selections"][:1]}}
    steered["tasks"] = [*steered["tasks"], "prompts"]
    aligned = {"kind": "alignment", "models": ["llama31"], "languages": ["vi"]}
    raw["experiments"]["aligned"] = aligned | {"corpus": "flores"}
    run = dict.fromkeys([*raw["run"], "amplification", "bridges", "aligned"])
    config = load(raw | {"run": list(run)})
    task = re.compile(rf"({'|'.join(config.tasks)})$")
    tables = {task.sub("{task}", name) for name in by_name(config)}
    said = quoted(SCHEMA["properties"]["tables"]["description"])
    assert said - {"snakemake all"} == tables - {"{task}"}


def rows(page: str) -> Iterator[list[str]]:
    for line in page.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_page_has_a_whole_row_for_each_key_in_its_section() -> None:
    page = references.files()[references.PAGE]
    assert all(len(row) == 4 and all(row) for row in rows(page))
    found = {}
    for text in re.split(r"^##+ ", page, flags=re.MULTILINE)[1:]:
        found[text.partition("\n")[0]] = [row[0].strip("`") for row in rows(text)]
    assert sorted(found.values()) == sorted(
        list(b["properties"]) for b in BLOCKS.values()
    )
    assert list(found)[:2] == ["Top level", "experiments"]
    for catalogue, room in references.ROOMS.items():
        for kind in room.kinds():
            own = room.load(kind).PARAMETERS.model_fields
            assert found[f"{catalogue} of kind {kind}"] == list(own)
    assert "experiments of kind interventions.by_task" in found


def test_the_files_that_the_page_names_are_there() -> None:
    page = references.files()[references.PAGE]
    named = re.findall(r"Written in `(.*)`", page)
    assert len(named) == sum(len(room.kinds()) for room in references.ROOMS.values())
    assert [path for path in named if not (ROOT / path).is_file()] == []


@every_block
def test_a_default_reads_as_it_is_written(block: str) -> None:
    for key, part in BLOCKS[block]["properties"].items():
        written = key_page.default(part)
        if written == "block":
            continue  # or required
        value = yaml.safe_load(written.strip("`"))
        if isinstance(value, str) and EXPONENT.fullmatch(value):
            value = float(value)  # as ``fields`` reads it
        assert value == part["default"], key


@pytest.mark.parametrize(
    "name", ["config.yaml", "demo.yaml", "laptop.yaml", "small.yaml"]
)
def test_editors_find_the_schema_and_nothing_wrong(name: str) -> None:
    first = (ROOT / "config" / name).read_text(encoding="utf-8").partition("\n")[0]
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert (ROOT / "config" / path).resolve() == ROOT / references.SCHEMA
    assert [error.message for error in EDITOR.iter_errors(read(name))] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("methods: {a: {kind: lape, parameters: {top_rate: 0.1}}}", ""),
        ("methods: {a: {kind: lape, parameters: {top_rat: 0.1}}}", "'top_rat' was"),
        ("methods: {a: {kind: lape, parameters: {top_rate: 2}}}", "maximum of 1"),
        (
            "methods: {a: {kind: actprob, parameters: {top_rate: 0.1}}}",
            "'top_rate' was",
        ),
        ("methods: {a: {kind: lap}}", "'lap' is not one of"),
        ("methods: {a: {parameters: {top_rate: 0.1}}}", ""),  # kind: in the file below
        ("tasks: {a: {kind: xquad, parameters: {loss: ful}}}", "'ful' is not one of"),
        ("statistics: {a: {value: p7}}", "'p7' is not one of"),
        ("language_sets: {a: [en, en]}", "not valid under any"),
        ("run: [a, a]", "non-unique"),
        ("experiments: {a: {kind: finetunin}}", "'finetunin' is not one of"),
        ("experiments: {a: {kind: neurons, model: [b]}}", "'model' was unexpected"),
        ("experiments: {a: {kind: neurons, chunks: 2}}", "'chunks' was unexpected"),
        ("experiments: {a: {kind: perplexity, chunks: 0}}", "minimum of 1"),
        (
            "experiments: {a: {kind: interventions, by_task: {x: {seeds: [1]}}}}",
            "'seeds' was unexpected",
        ),
        (
            "experiments: {a: {kind: interventions, neuron_languages: every}}",
            "not valid under any",
        ),
        ("experiments: {a: {kind: interventions, neuron_languages: [vi]}}", ""),
        ("experiments: {a: {models: [b], chunks: 2}}", ""),  # kind: in the file below
        ("experiments: {a: {models: [b], chunk: 2}}", "not valid under any"),
        ("experiments: {a: {chunks: 2, tunings: [base]}}", "not valid under any"),
        ("models: {a: {hub: {revision: main}}}", "not valid under any"),
    ],
)
def test_editors_are_told_what_is_wrong(text: str, said: str) -> None:
    found = "\n".join(
        error.message for error in EDITOR.iter_errors(yaml.safe_load(text))
    )
    assert (said in found) and bool(said) == bool(found)


class Inner(Frozen):
    """A block inside the parameters."""

    size: int = Field(3, description="how many")


class Parameters(Frozen):
    """Parameters of a kind that was just added."""

    way: Literal["here", "there"] = Field("here", description="`here` | `there`")
    inner: Inner = Field(Inner(), description="more of it")


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a kind of method, the way a file of its own does."""
    module = types.ModuleType("langneurons.methods.added", "What it is.\n\nMore.\n")
    module.PARAMETERS = Parameters  # type: ignore[attr-defined]
    monkeypatch.setitem(references.sys.modules, module.__name__, module)
    known, load_known = methods.kinds(), methods.load
    monkeypatch.setattr(methods, "kinds", lambda: [*known, "added"])
    monkeypatch.setattr(
        methods, "load", lambda kind: module if kind == "added" else load_known(kind)
    )


@pytest.mark.usefixtures("added")
def test_a_kind_that_is_added_is_in_both_references() -> None:
    files = references.files()
    page = files[references.PAGE]
    section = page.partition("### methods of kind added\n")[2].partition("\n## ")[0]
    assert "What it is.\n\nParameters of a kind" in section and "More." not in section
    assert "`langneurons" not in section
    assert "workflow/scripts/langneurons/methods/added.py" in section
    assert "| `way` | `here` | `here`, `there` | `here` \\| `there` |" in section
    assert "### methods of kind added.inner\n\nA block inside" in page
    assert "| `size` | `3` | whole number | how many |" in page
    editor = jsonschema.Draft202012Validator(json.loads(files[references.SCHEMA]))
    good = {"methods": {"a": {"kind": "added", "parameters": {"inner": {"size": 2}}}}}
    assert editor.is_valid(good)
    bad = {"methods": {"a": {"kind": "added", "parameters": {"inner": {"siz": 2}}}}}
    assert not editor.is_valid(bad)


def test_what_is_stale_is_named_with_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (references.PAGE, references.SCHEMA):
        (tmp_path / path).parent.mkdir(parents=True)
    assert references.main(["--check"], tmp_path) == 1
    assert references.main([], tmp_path) == 0
    written = {path: (tmp_path / path).read_bytes() for path in references.files()}
    assert references.main(["--check"], tmp_path) == 0
    told = capsys.readouterr().err  # of the first check
    assert told.count("make reference") == len(references.files())
    page = tmp_path / references.PAGE
    page.write_text(page.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    assert references.main(["--check"], tmp_path) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"{references.PAGE}: ") and "`make reference`" in told
    assert references.SCHEMA not in told
    assert references.main([], tmp_path) == 0
    assert written == {path: (tmp_path / path).read_bytes() for path in written}


# Quoted in docs/methods.md, and neither key nor value: names of entries and tables, of
# lm-evaluation-harness, and formulas.
OTHERS = {
    "lape.set6.en+ur",
    "activation_statistics",
    "reproduction",
    "base",
    "set1",
    "set6",
    "p_max",
    "p_median",
    "eq_max",
    "eq_p10",
    "down(act(gate(x)) * up(x))",
    "down(act(up(x)))",
    "make test-harness",
    "detectable",
    "vi+zh",
    "lang",
    ".md",
    ".pth",
    "results/neurons/",
}


def test_methods_md_names_keys_and_values_that_exist() -> None:
    known = words(SCHEMA) | {key for b in BLOCKS.values() for key in b["properties"]}
    known |= set(references.plugins()) | {"*", "", "false"} | quoted_values()
    for kind in tasks.kinds():
        known |= set(tasks.load(kind).METRICS)
    said = quoted((ROOT / "docs" / "methods.md").read_text(encoding="utf-8"))
    assert len(said) > 150 and said >= OTHERS
    unknown = {
        " ".join(word.split())
        for word in said - OTHERS
        if not set(re.split(r"\.|:\s", word)) <= known and not list(ROOT.glob(word))
    }
    assert unknown == set()


def quoted_values() -> set[str]:
    """Return the words that keys of free text may have."""
    free = (("Statistic", "neuron_language"), ("methods.plnd", "minus"))
    return set().union(*(ELSEWHERE[place] for place in free))
