"""The hash of a job's code changes when, and only when, what it runs changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from langneurons.jobs import fingerprint
from langneurons.jobs.fingerprint import PLUMBING, SCRIPTS, code_hash

SCRIPT = """
from langneurons.jobs import cli
from langneurons.a import used
from langneurons.whole import *
def main():
    from langneurons.lazy import late
    return used() + late()
"""
MODULES = {
    "__init__": "",
    "jobs/__init__": "",
    "jobs/cli": "X = 1\n",
    "a": (
        '"""Module."""\nfrom .b import helper\nFACTOR = 2\nOTHER = 3\n'
        'def used():\n    """Doc."""\n    return helper() * FACTOR\n'
        "def unused():\n    return OTHER\n"
    ),
    "b": "def helper():\n    return 1\ndef stranger():\n    return 5\n",
    "lazy": "def late():\n    return 7\n",
    "whole": "A = 1\n",
    "plugin": "B = 1\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "langneurons").mkdir()
    (tmp_path / "job.py").write_text(SCRIPT)
    write(tmp_path, MODULES)
    return tmp_path


def write(tree: Path, modules: dict[str, str]) -> None:
    for name, text in modules.items():
        path = tree / "langneurons" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def fresh(tree: Path, modules: tuple[str, ...] = ()) -> str:
    code_hash.cache_clear()
    fingerprint._tree.cache_clear()
    return code_hash("job", modules, tree)


@pytest.mark.parametrize(
    ("module", "old", "new", "changes"),
    [
        ("a", "FACTOR = 2", "FACTOR = 4", True),
        ("a", "helper() *", "helper() +", True),
        ("a", "OTHER = 3", "OTHER = 4", False),  # only the unused function reads it
        ("a", '"""Doc."""', '"""Other words."""', False),
        ("a", "FACTOR = 2", "FACTOR = 2  # a remark", False),
        ("b", "return 1", "return 2", True),  # reached through another module
        ("b", "return 5", "return 6", False),
        ("lazy", "return 7", "return 8", True),  # imported inside a function
        ("jobs/cli", "X = 1", "X = 2", False),  # plumbing
        ("plugin", "B = 1", "B = 2", False),
    ],
)
def test_an_edit_counts_if_it_is_reached(
    tree: Path, module: str, old: str, new: str, changes: bool
) -> None:
    before = fresh(tree)
    path = tree / "langneurons" / f"{module}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert (fresh(tree) != before) is changes


FORMS = {
    "a whole module, under another name": (
        "import langneurons.deep as d\ndef main():\n    return d.f()\n",
        {"deep": "def f():\n    return 1\n"},
        [("deep", "return 1", "return 2", True)],
    ),
    "through a package, relatively, from inside a function": (
        "from langneurons.pkg import f\ndef main():\n    return f()\n",
        {
            "pkg/__init__": "from .inner import f\n",
            "pkg/inner": "def f():\n    from ..b import helper\n    return helper()\n",
        },
        [("b", "return 1", "return 2", True), ("b", "return 5", "return 6", False)],
    ),
    "a module of a package": (
        "from langneurons.pkg import inner as i\ndef main():\n    return i.f()\n",
        {"pkg/__init__": "", "pkg/inner": "def f():\n    return 1\nG = 2\n"},
        [("pkg/inner", "return 1", "return 3", True)],
    ),
    "the module beside, from . import": (
        "from langneurons.c import f\ndef main():\n    return f()\n",
        {"c": "from . import b as other\ndef f():\n    return other.helper()\n"},
        [("b", "return 1", "return 2", True)],
    ),
    "a statement that binds no name": (
        "from langneurons.c import X\ndef main():\n    return X\n",
        {"c": "X = {}\nX.update(a=1)\n"},
        [("c", "a=1", "a=2", True)],
    ),
    "either branch": (
        "from langneurons.c import X\ndef main():\n    return X\n",
        {"c": "if A:\n    X = 1\nelse:\n    from .b import helper as X\n"},
        [("c", "X = 1", "X = 3", True), ("b", "return 1", "return 2", True)],
    ),
    "an import and a function beside another name": (
        "from langneurons.c import X, f\ndef main():\n    return X, f\n",
        {
            "c": "if A:\n    Y = 1\n    from .b import helper as X\n"
            "if A:\n    Z = 1\n    def f():\n        return 2\n"
        },
        [("b", "return 1", "return 2", True), ("c", "return 2", "return 3", True)],
    ),
    "an import for types alone": (
        "from langneurons.c import f\ndef main():\n    return f\n",
        {
            "c": "if TYPE_CHECKING:\n    from .b import helper\n"
            "def f(x: helper):\n    return 2\n"
        },
        [("b", "return 1", "return 2", False), ("c", "return 2", "return 3", True)],
    ),
    "a description of a key, and its default": (
        "from langneurons.c import X\ndef main():\n    return X\n",
        {"c": "X = Field(1, description='words')\n"},
        [("c", "words", "others", False), ("c", "Field(1", "Field(2", True)],
    ),
    "a constant, and the docstring below it": (
        "from langneurons.c import X\ndef main():\n    return X\n",
        {"c": 'X = 1\n"""Words."""\n'},
        [("c", "Words", "Others", False), ("c", "X = 1", "X = 2", True)],
    ),
    "a class: its base, its methods, their docstrings": (
        "from langneurons.c import C\ndef main():\n    return C\n",
        {
            "c": "class B:\n    Y = 1\nclass C(B):\n    def f(self):\n"
            '        """Doc."""\n        return 2\n'
        },
        [
            ("c", "Y = 1", "Y = 3", True),
            ("c", "return 2", "return 4", True),
            ("c", "Doc.", "Words.", False),
        ],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_import_and_definition_is_followed(tree: Path, form: str) -> None:
    script, files, edits = FORMS[form]
    (tree / "job.py").write_text(script)
    write(tree, files)
    for module, old, new, changes in edits:
        before = fresh(tree)
        path = tree / "langneurons" / f"{module}.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        assert (fresh(tree) != before) is changes, (module, old)


def test_modules_chosen_at_run_time_are_added(tree: Path) -> None:
    before = fresh(tree, ("plugin",))
    assert before != fresh(tree)
    (tree / "langneurons" / "plugin.py").write_text("B = 2\n")
    assert fresh(tree, ("plugin",)) != before


def test_every_script_of_the_workflow_has_a_hash() -> None:
    scripts = [p.stem for p in SCRIPTS.glob("*.py")]
    hashes = {code_hash(s) for s in scripts}
    assert len(hashes) == len(scripts) > 8


def test_plumbing_modules_exist() -> None:
    for name in PLUMBING:
        path = SCRIPTS / "langneurons" / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


# The script and the modules, before and after a function moves.
MOVES = {
    "imported by its name": (
        "from langneurons.c import f\ndef main():\n    return f()\n",
        {"c": "def f():\n    return g()\ndef g():\n    return 1\n"},
        "from langneurons.room.d import f\ndef main():\n    return f()\n",
        {
            "room/__init__": "",
            "room/d": "from ..e import g\ndef f():\n    return g()\n",
            "e": "def g():\n    return 1\n",
        },
    ),
    "read from its module": (
        "from langneurons import c\ndef main():\n    return c.f()\n",
        {"c": "def f():\n    return 1\n"},
        "from langneurons.room import d\ndef main():\n    return d.f()\n",
        {"room/__init__": "", "room/d": "def f():\n    return 1\n"},
    ),
    "imported inside a function": (
        "def main():\n    from langneurons.c import f\n    return f()\n",
        {"c": "def f():\n    return 1\n"},
        "def main():\n    from langneurons.d import f\n    return f()\n",
        {"d": "def f():\n    return 1\n"},
    ),
    "its module is renamed, and read inside a function": (
        "def main():\n    from langneurons import c\n    return c.f()\n",
        {"c": "def f():\n    return 1\n"},
        "def main():\n    from langneurons import d\n    return d.f()\n",
        {"d": "def f():\n    return 1\n"},
    ),
}


@pytest.mark.parametrize("move", MOVES)
def test_moving_a_function_changes_nothing(tree: Path, move: str) -> None:
    hashes = []
    for script, modules in (MOVES[move][:2], MOVES[move][2:]):
        (tree / "job.py").write_text(script)
        write(tree, modules)
        hashes.append(fresh(tree))
    assert hashes[0] == hashes[1]


def test_of_a_module_only_what_is_read_counts(tree: Path) -> None:
    text = "def f():\n    return 1\ndef g():\n    return {}\n"
    for script, counts in (
        ("from langneurons import c\ndef main():\n    return c.f()\n", False),
        ("from langneurons import c\ndef main():\n    return h(c)\n", True),
    ):
        (tree / "job.py").write_text(script)
        hashes = set()
        for value in (1, 2):
            write(tree, {"c": text.format(value)})
            hashes.add(fresh(tree))
        assert (len(hashes) == 2) is counts, script


def test_a_name_that_begins_to_mean_something_else_counts(tree: Path) -> None:
    """Both functions are reached before and after; which is called where changes."""
    write(
        tree,
        {"c": "def f():\n    return 1\n", "d": "def f():\n    return 2\n"},
    )
    hashes = set()
    for first, second in ("cd", "dc"):
        (tree / "job.py").write_text(
            f"from langneurons import {first} as x\n"
            f"from langneurons import {second} as y\n"
            "def main():\n    return x.f() - y.f()\n"
        )
        hashes.add(fresh(tree))
    assert len(hashes) == 2


IMPORTS = (
    "from langneurons import {} as x\n",
    "from langneurons import {} as y\n",
)


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        (IMPORTS, ("x.f() - y.f()", "y.f() - x.f()")),
        (IMPORTS[::-1], ("x.f() - y.f()", "y.f() - x.f()")),
        (IMPORTS, ("(x.f, y.f, x.f)", "(x.f, y.f, y.f)")),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_equal_names_that_change_places_in_a_statement_count(
    tree: Path, imports: tuple[str, str], body: tuple[str, str], inside: bool
) -> None:
    """Both functions are reached before and after; which is called where changes."""
    write(
        tree,
        {"c": "def f():\n    return 1\n", "d": "def f():\n    return 2\n"},
    )
    of = {"x": "c", "y": "d"}
    lines = [line.format(of[line[-2]]) for line in imports]
    above, within = ("", "    ".join(["", *lines])) if inside else ("".join(lines), "")
    hashes = set()
    for returned in body:
        (tree / "job.py").write_text(
            f"{above}def main():\n{within}    return {returned}\n"
        )
        hashes.add(fresh(tree))
    assert len(hashes) == 2


OF_MODEL = {"evaluate_task", "measure_perplexity"}  # they open a language model


@pytest.mark.parametrize(
    ("module", "changed"),
    [
        ("nn/evaluation/decoding", OF_MODEL),
        ("nn/evaluation/applying", OF_MODEL),
        ("nn/evaluation/interventions", OF_MODEL),  # training changes no neurons
        ("nn/evaluation/continuing", OF_MODEL),
        ("nn/evaluation/likelihood", OF_MODEL | {"tune_model"}),
        ("nn/models/backbone", OF_MODEL | {"tune_model"}),
        ("nn/tuning/losses", {"tune_model"}),
        ("tasks/common/answers", OF_MODEL | {"prepare_task", "tune_model"}),
        ("tasks/common/classifier", set()),
    ],
)
def test_what_an_edit_of_a_model_or_a_task_redoes(
    tmp_path: Path, module: str, changed: set[str]
) -> None:
    """Items are not prepared anew because of how a model is run on them."""
    rules = ("prepare_task", "tune_model", "evaluate_task", "measure_perplexity")
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    found = []
    for text in ("", "\nprint('an edit that every reader of the module reaches')\n"):
        path = tmp_path / "langneurons" / f"{module}.py"
        path.write_text(path.read_text() + text)
        code_hash.cache_clear()
        fingerprint._tree.cache_clear()
        found.append({r: code_hash(r, ("tasks.xquad",), tmp_path) for r in rules})
    before, after = found
    assert {rule for rule in rules if before[rule] != after[rule]} == changed


def test_words_about_the_columns_of_a_task_are_no_code(tmp_path: Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    path, old = tmp_path / "langneurons/tasks/xquad.py", "text: the first right answer"
    found = []
    for new in (old, "text: an answer"):
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
        code_hash.cache_clear()
        fingerprint._tree.cache_clear()
        found.append(code_hash("evaluate_task", ("tasks.xquad",), tmp_path))
    assert found[0] == found[1]


def remembered(path: Path, tree: Path) -> str:
    """Ask for the hash as a run does, which keeps it when it ends."""
    fingerprint.remember(path, writes=False, root=tree)
    found = fresh(tree)
    fingerprint._known.pop(tree).write()
    return found


def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the scripts whose hashes are worked out from now on."""
    found: list[str] = []
    hashed = fingerprint._hashed

    def noted(script: str, modules: tuple[str, ...], root: Path) -> str:
        found.append(script)
        return hashed(script, modules, root)

    monkeypatch.setattr(fingerprint, "_hashed", noted)
    return found


def test_a_hash_is_worked_out_once_for_one_state_of_the_code(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, found = tree / "run" / "hashes.json", worked_out(monkeypatch)
    first = remembered(kept, tree)
    assert remembered(kept, tree) == first and found == ["job"]
    write(tree, {"b": "def helper():\n    return 2\n"})
    second = remembered(kept, tree)
    assert second != first and len(found) == 2
    # A file more is another state too, and a damaged file counts for nothing.
    write(tree, {"more": ""})
    assert remembered(kept, tree) == second and len(found) == 3
    for text in ("", "[]", '{"state": 1}', kept.read_text()[:-20]):
        kept.write_text(text)
        assert remembered(kept, tree) == second
    assert len(found) == 7


def test_a_hash_that_an_edit_overtook_is_not_kept(tree: Path) -> None:
    kept = tree / "run" / "hashes.json"
    before = fresh(tree)
    fingerprint.remember(kept, writes=False, root=tree)
    write(tree, {"a": MODULES["a"].replace("FACTOR = 2", "FACTOR = 4")})
    assert fresh(tree) != before
    fingerprint._known.pop(tree).write()
    assert not kept.exists()
    write(tree, MODULES)
    assert remembered(kept, tree) == before


def test_a_hash_of_a_version_that_was_there_for_a_while_is_not_kept(
    tree: Path,
) -> None:
    kept = tree / "run" / "hashes.json"
    before = fresh(tree)
    fingerprint.remember(kept, writes=False, root=tree)
    write(tree, {"a": MODULES["a"].replace("FACTOR = 2", "FACTOR = 4")})
    assert fresh(tree) != before
    write(tree, MODULES)  # as it was at the start and is at the end
    fingerprint._known.pop(tree).write()
    assert not kept.exists()
    assert remembered(kept, tree) == before
