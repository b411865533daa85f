"""What the layout promises to a reader.

- A rule runs the script of its name, and only that; a script has one rule.
- Rules (those made in loops too), scripts and modules say in a docstring what they do,
  and files of rules what they need and make.
- Files stay short: an entry per file, by its path, as names occur more than once.
- Only ``nn/`` imports torch and the like when it is imported.
- No script has the name of a library, which it would hide from the others.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

import pytest

import langneurons

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = ROOT / "workflow" / "scripts"
LIBRARY = SCRIPTS / "langneurons"
SNAKEFILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
# Longest files, in lines, by pattern.
LONGEST = {
    "Snakefile": 60,
    "workflow/rules/*.smk": 150,
    "workflow/scripts/*.py": 60,
    "workflow/scripts/langneurons/**/*.py": 400,
}


class Rule(NamedTuple):
    """A rule as it is written, in a loop or not; its name may be an expression."""

    name: str
    text: str


def rules(source: str) -> list[Rule]:
    """Find the rules of a Snakefile.

    Raises:
        AssertionError: a rule has no name.
    """
    found = []
    lines = source.splitlines()
    for number, line in enumerate(lines):
        start = re.match(r"( *)(?:rule|checkpoint)\b *(\w*) *:", line)
        if not start:
            continue
        body = []
        for below in lines[number + 1 :]:
            if below.strip() and not below.startswith(start.group(1) + "    "):
                break
            body.append(below)
        text = "\n".join(body)
        given = re.search(r"^ *name:\s*(\w+)$", text, re.MULTILINE)
        name = start.group(2) or (given.group(1) if given else "")
        assert name, f"a rule without a name: {text[:200]}"
        found.append(Rule(name, text))
    return found


def all_rules() -> list[Rule]:
    return [rule for path in SNAKEFILES for rule in rules(path.read_text())]


def modules() -> list[str]:
    """Name the modules of the library that may not import torch."""
    paths = [p.relative_to(SCRIPTS) for p in sorted(LIBRARY.rglob("*.py"))]
    names = [".".join(p.with_suffix("").parts) for p in paths if p.parts[1] != "nn"]
    return [n.removesuffix(".__init__") for n in names]


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_everything_outside_nn_imports_without_torch() -> None:
    names = modules()
    assert "langneurons.config.schema" in names and "langneurons" in names
    code = (
        "import sys, importlib\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "heavy = {'torch', 'transformers', 'datasets', 'peft'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_face_imports_each_name_when_it_is_used_and_no_room_reads_it() -> None:
    names = set(langneurons.__all__)
    assert names == set(langneurons._PLACES) and 6 <= len(names) <= 10
    assert names <= set(dir(langneurons))
    for name in names:
        assert getattr(langneurons, name).__module__.endswith(langneurons._PLACES[name])
    with pytest.raises(AttributeError, match="'langneurons' has no attribute 'all'"):
        langneurons.all  # noqa: B018
    assert not hasattr(langneurons, "anything_else")
    for path in SCRIPTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "langneurons":
                assert names.isdisjoint(alias.name for alias in node.names), path


def test_no_script_shadows_a_library() -> None:
    used = set().union(*map(imported, LIBRARY.rglob("*.py")))
    assert {"torch", "yaml", "matplotlib", "datasets"} <= used
    elsewhere = [p for p in sys.path if Path(p).resolve() != SCRIPTS]
    scripts = {p.stem for p in SCRIPTS.glob("*.py")}
    there = {n for n in scripts if PathFinder.find_spec(n, elsewhere)}
    assert scripts & (used | there | set(sys.stdlib_module_names)) == set()


@pytest.mark.parametrize(("pattern", "longest"), LONGEST.items())
def test_files_stay_short(pattern: str, longest: int) -> None:
    lengths = {
        str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines())
        for p in ROOT.glob(pattern)
    }
    assert lengths
    assert {k: v for k, v in lengths.items() if v > longest} == {}


def test_lengths_are_told_of_every_file() -> None:
    counted = {p for pattern in LONGEST for p in ROOT.glob(pattern)}
    assert counted == {*SNAKEFILES, *SCRIPTS.rglob("*.py")}
    assert len({p.name for p in counted}) < len(counted)  # so names would not do


def test_rules_are_found_wherever_they_stand() -> None:
    source = '''
rule first:
    """Text."""
    shell:
        "python workflow/scripts/first.py"

if y:

    rule second:
        input:
            "a",

        shell:
            "python workflow/scripts/second.py"

if x:
    checkpoint third:
        input:
            "b",
'''
    found = rules(source)
    assert [r.name for r in found] == ["first", "second", "third"]
    assert "second.py" in found[1].text and "third" not in found[1].text
    with pytest.raises(AssertionError, match="without a name"):
        rules("rule:\n    input:\n        1\n")
    names = {rule.name for rule in all_rules()}
    assert {"all", "evaluate_task", "measure_perplexity", "generate_demo_world"} < names


def test_each_rule_has_a_docstring() -> None:
    for rule in all_rules():
        said = re.match(r'\s*"""(.+?)"""', rule.text, re.DOTALL)
        assert said, f"rule {rule.name} has no docstring"
        assert re.match(r"[A-Z].*\.$", said.group(1), re.DOTALL), rule.name


def test_each_rule_runs_the_script_of_its_name_and_each_script_has_a_rule() -> None:
    ran = {
        rule.name: re.findall(r"\brun\(\s*\"(\w+)\"", rule.text)
        for rule in all_rules()
        if "shell:" in rule.text  # others have inputs alone
    }
    assert len(ran) > 20
    assert ran == {name: [name] for name in ran}
    assert set(ran) == {p.stem for p in SCRIPTS.glob("*.py")}


def test_each_file_of_rules_says_what_it_needs_and_makes() -> None:
    for path in SNAKEFILES[1:]:
        head = path.read_text(encoding="utf-8").partition("\n\n")[0]
        assert head.startswith("# Needs: ") and "Makes: " in head, path


def test_scripts_and_modules_have_docstrings() -> None:
    paths = sorted(SCRIPTS.rglob("*.py"))
    assert len(paths) > 100
    for path in paths:
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = said.partition("\n")[0]
        assert first.endswith((".", ":")) and first[0].isupper(), path


def test_scripts_say_what_their_spec_is() -> None:
    """A script reads its settings from JSON; where else is their form written?"""
    for rule in all_rules():
        if "--spec" not in rule.text:
            continue
        text = (SCRIPTS / f"{rule.name}.py").read_text(encoding="utf-8")
        said = ast.get_docstring(ast.parse(text)) or ""
        assert "spec is" in said, rule.name


def test_the_floor_plan_has_the_rooms_in_their_order() -> None:
    """CONTRIBUTING.md, the import contract and the folders agree."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    rows = re.findall(r"^\| `([a-z/]+)/` \|", read_plan(), re.MULTILINE)
    assert [row.replace("/", ".") for row in rows] == layers[::-1]
    packages = {p.parent.relative_to(LIBRARY) for p in LIBRARY.rglob("__init__.py")}
    rooms = {Path(row) for row in rows}
    inside = {p for p in packages for room in rooms if room in p.parents}
    assert packages - inside == rooms | {Path(), Path("nn")}
    for room in rooms:
        text = (LIBRARY / room / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), room


def read_plan() -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert text.startswith("# Contributing\n\n## The floor plan\n")
    return text.split("\n## ")[1]
