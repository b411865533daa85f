"""Mistakes that authors of tasks and methods make are told to them, all at once."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from activation_files import family
from configurations import tiny
from langneurons import methods, tasks
from langneurons.config.errors import ConfigError, DataError
from langneurons.config.fields import Frozen
from langneurons.grid import experiments
from langneurons.methods import Selected
from langneurons.study.configuration import load
from langneurons.tasks import Metric
from langneurons.tasks.common import predictions
from langneurons.tasks.xnli import TASK as XNLI
from test_methods import spec

SCRIPTS = Path(tasks.__file__).parents[2]
TASK = '''"""Mood."""

from .common.classifier import Classifier, Parameters


class Mood(Classifier[Parameters]):
    """One text, two classes."""

    PARAMETERS = Parameters
    TITLE = "Mood"
    COLUMNS = ("text",)
    LABELS = ("bad", "good")


TASK = Mood()
'''
PLAIN = '''"""Endings."""

from langneurons.config.fields import Frozen

from . import Metric, Task


class Parameters(Frozen):
    """Parameters."""

    needed: int
    words: int = 3


class Endings(Task[Parameters]):
    """Nothing but what is declared."""

    PARAMETERS = Parameters
    TITLE = "Endings"
    METRICS = {"right": Metric("binary", "right")}

    def read_file(self, path): ...
    def read_hub(self, source, language, split): ...
    def read_items(self, path): ...
    def evaluate(self, lm, items, parameters, language): ...


TASK = Endings()
'''
METHOD = '''"""Every neuron."""

from langneurons.config.fields import Frozen

from . import Method, Selected


class Parameters(Frozen):
    """Nothing is to be set."""


class Every(Method[Parameters]):
    """All of them."""

    PARAMETERS = Parameters

    def select(self, inputs, parameters):
        return Selected({})


METHOD = Every()
'''
KIND = '''"""Every language of a task, without interventions."""

from pydantic import ConfigDict, Field

from langneurons.config.experiment_entries import Experiment, Tasks
from langneurons.grid.axes import Row

from . import Kind


class Plain(Experiment):
    """Axes."""

    model_config = ConfigDict(extra="forbid")

    tasks: Tasks = Field(description="tasks")


class Product(Kind[Plain]):
    """Models x languages, by task."""

    PARAMETERS = Plain
    TABLES = ("{task}",)

    def rows(self, config, name, axes):
        for task in axes.tasks:
            for model in axes.models:
                for lang in config.task(task).languages:
                    yield task, Row(model, "attention", 42, lang, "none", name)


KIND = Product()
'''
Write = Callable[[ModuleType, str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Return a function that adds a file to a room of plug-ins."""
    added = []

    def add(room: ModuleType, kind: str, text: str) -> None:
        folder = tmp_path / "workflow/scripts" / room.__name__.replace(".", "/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{kind}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        known = [*room.kinds(), kind]
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(folder)])
        monkeypatch.setattr(room, "kinds", lambda: sorted(known))
        added.append(f"{room.__name__}.{kind}")

    yield add
    for name in added:
        sys.modules.pop(name, None)
        package, _, kind = name.rpartition(".")
        vars(sys.modules[package]).pop(kind, None)


def refused(write: Write, room: ModuleType, text: str) -> str:
    write(room, "mood", text)
    with pytest.raises(ConfigError) as raised:
        room.load("mood")
    said = str(raised.value)
    folder = room.__name__.replace(".", "/")
    assert said.startswith(f"workflow/scripts/{folder}/mood.py: ")
    return said


def change(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("room", "text"),
    [(tasks, TASK), (tasks, PLAIN), (methods, METHOD), (experiments, KIND)],
)
def test_a_good_file_is_loaded(write: Write, room: ModuleType, text: str) -> None:
    write(room, "mood", text)
    assert room.load("mood") is room.load("mood")


@pytest.mark.parametrize(
    ("room", "old", "new", "said"),
    [
        (tasks, "TASK = Mood()", "", "there is no TASK; the last line.*TASK = Mood()"),
        (tasks, "Mood()", "Mood", "TASK is the class Mood itself.*TASK = Mood()"),
        (tasks, "Mood()", "{}", "TASK is {}, but an instance of a class that is a Tas"),
        (tasks, "COLUMNS = ", "COLUMNS = (", "cannot be imported: SyntaxError: '(' w"),
        (tasks, "Classifier, P", "Classifyer, P", "(line 3): ImportError: .*Classify"),
        (tasks, "TASK = ", "TASK = 1 / 0 or ", "(line 15): ZeroDivisionError: divisio"),
        (methods, "METHOD = Every()", "", "there is no METHOD; .*METHOD = Every()"),
        (methods, "Every()", "Every", "METHOD is the class Every itself"),
        (methods, "from . ", "from .. ", "(line 5): ImportError: cannot import name"),
        (experiments, "KIND = Product()", "", "there is no KIND; .*KIND = Product()"),
        (experiments, "Product()", "Product", "KIND is the class Product itself"),
        (experiments, "Tasks\n", "Task\n", "(line 5): ImportError: cannot import name"),
    ],
)
def test_what_cannot_be_loaded(
    write: Write, room: ModuleType, old: str, new: str, said: str
) -> None:
    whole = {tasks: TASK, methods: METHOD, experiments: KIND}[room]
    text = refused(write, room, change(whole, (old, new)))
    place = 0
    for part in said.split(".*"):
        place = text.find(part, place)
        assert place >= 0, text


TITLE, LABELS = 'TITLE = "Mood"', 'LABELS = ("bad", "good")'
END = 'TITLE = "Endings"'
WORDS = END + "; PAIRS = WORDS = True; evaluate_via = generates_via = print"
RIGHT = '"right": Metric("binary", "right")'
REAL_SUMS = '"r": Metric("real", "R", score=sum)'
SUMS = '"r": Metric("resummed", "R", statistics=("a", "b"), score=len)'


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (TASK, "    PARAMETERS = Parameters\n", "", "PARAMETERS: None - must be a cl"),
        (TASK, "= Parameters\n", "= dict\n", "PARAMETERS: <class 'dict'> - must be"),
        (TASK, "= Parameters\n", "= Parameters()\n", "PARAMETERS: Parameters(max_"),
        (TASK, TITLE, "", "TITLE: None - must be a text"),
        (TASK, TITLE, 'TITLE = ""', "TITLE: '' - must be a text"),
        (TASK, LABELS, "", "LABELS: () - at least 2 are needed"),
        (TASK, LABELS, 'LABELS = ("bad")', "a comma behind it: ('bad',)"),
        (TASK, LABELS, 'LABELS = ("bad",)', "LABELS: ('bad',) - at least 2"),
        (TASK, LABELS, 'LABELS = ("bad", "bad")', "must stand there once"),
        (TASK, LABELS, 'LABELS = ("bad", 1)', "LABELS: ('bad', 1) - must be a tuple"),
        (TASK, '("text",)', '("text")', "COLUMNS: 'text' is a text, but a tuple"),
        (TASK, '("text",)', '("label",)', "COLUMNS: label - stands beside"),
        (TASK, "COLUMNS", "COLUMN", "COLUMN: nothing reads it - did you mean 'COLUMN"),
        (TASK, TITLE, TITLE + "; DEMO = 1", "DEMO: 1 - must be a text or None"),
        (TASK, TITLE, TITLE + "; PUBLISHED = 1", "PUBLISHED: 1 - must be a text"),
        (TASK, TITLE, TITLE + "; SIZE = 9", "SIZE: 9 - must be a Size"),
        (TASK, TITLE, TITLE + "; NOTES = 'no'", "NOTES: 'no' is a text, but a tuple"),
        (TASK, TITLE, TITLE + "; METRIC = {}", "METRIC: nothing reads it - did you"),
        (TASK, TITLE, TITLE + "; METRICS = {}", "METRICS: {} - must be a mapping"),
        (PLAIN, RIGHT, '"right": "binary"', "METRICS['right']: 'binary' - must be"),
        (PLAIN, RIGHT, '"Right": Metric("real", "R")', "METRICS['Right']: a name has"),
        (PLAIN, RIGHT, '"item": Metric("real", "R")', "METRICS['item']: this column"),
        (PLAIN, RIGHT, '"r": Metric("exact", "R")', "unknown kind 'exact'. Known: bin"),
        (PLAIN, RIGHT, '"r": Metric("real", "")', "METRICS['r']: title '' - must"),
        (PLAIN, RIGHT, '"r": Metric("resummed", "R")', "['r']: statistics - is missi"),
        (PLAIN, RIGHT, '"r": Metric("resummed", "R")', "['r']: score - is missing, w"),
        (PLAIN, RIGHT, REAL_SUMS, "METRICS['r']: score - is of kind resummed only"),
        (PLAIN, RIGHT, SUMS, "score - must turn sums [..., 2] into finite numbers"),
        (PLAIN, END, END + "; LABELS = ('a',)", "LABELS: ('a',) - at least 2"),
        (PLAIN, END, END + "; TEST_ONLY = ('word',)", "TEST_ONLY: 'word' is none of"),
        (PLAIN, END, END + "; TEST_ONLY = ('needed',)", "'needed' needs a default"),
        (PLAIN, END, END + "; TEST_ONLY = ('words')", "TEST_ONLY: 'words' is a text"),
        (PLAIN, "    def read_file(self, path): ...", "", "read_file(): is missing"),
        (PLAIN, END, END + "; PAIRS = 1", "PAIRS: 1 - must be True or False"),
        (PLAIN, END, END + "; WORDS = True", "WORDS: is of tasks with PAIRS = True"),
        (PLAIN, END, END + "; PAIRS = True", "evaluate_via(): is missing; a task with"),
        (PLAIN, END, END + "; PAIRS = True", "generates_via(): is missing; a task"),
        (PLAIN, END, END + "; PAIRS = True", "join(): is missing; a task with PAIRS"),
        (PLAIN, END, END + "; join = print", "join: is of tasks with PAIRS = True"),
        (PLAIN, END, WORDS + "; join = print", "join(): nothing calls it of a task wi"),
        (PLAIN, END, WORDS + "; SHIFTS = True", "SHIFTS: does not go with PAIRS"),
        (PLAIN, END, WORDS + "; examples = print", "PAIRS: a task on pairs is not tr"),
        (PLAIN, END, WORDS + "; LABELS = ('a', 'b')", "PAIRS: a task on pairs is not"),
        (PLAIN, "def evaluate(", "def evalute(", "evaluate(): is missing; see Task.ev"),
    ],
)
def test_what_a_task_declares(
    write: Write, text: str, old: str, new: str, said: str
) -> None:
    assert said in refused(write, tasks, change(text, (old, new)))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("DRAW = True", "DRAW: nothing reads it - did you mean 'DRAWS'?"),
        ("DRAWS = 5", "DRAWS: 5 - must be True or False"),
        ("READS = 1", "READS: 1 - must be two numbers"),
        ("READS = (1, 'any')", "READS: (1, 'any') - must be two numbers"),
        ("READS = (2, 1)", "READS: (2, 1) - 'at most' is below"),
        ("PARAMETERS = None", "PARAMETERS: None - must be a class of Frozen"),
    ],
)
def test_what_a_method_declares(write: Write, new: str, said: str) -> None:
    old = "PARAMETERS = Parameters"
    text = change(METHOD, (old, f"{old}; {new}"))
    assert said in refused(write, methods, text)


AXES = "PARAMETERS = Plain"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (AXES, "", "PARAMETERS: None - must be a class of Frozen"),
        (
            AXES,
            "PARAMETERS = dict",
            "PARAMETERS: <class 'dict'> - must be a class",
        ),
        (
            "class Plain(Experiment)",
            "class Plain(Frozen)",
            " - must be a class of Exp",
        ),
        ('ConfigDict(extra="forbid")', "ConfigDict()", "a mistyped key would be read"),
        ('("{task}",)', '("{task}")', "TABLES: '{task}' is a text, but a tuple of"),
        ("TABLES = ", "TABLE = ", "TABLE: nothing reads it - did you mean 'TABLES'?"),
        ("TABLES = ", "TABLE = ", "TABLES: None - must be a tuple of texts"),
        ("def rows(", "def row(", "rows(): is missing; see Kind.rows"),
    ],
)
def test_what_a_kind_of_experiments_declares(
    write: Write, old: str, new: str, said: str
) -> None:
    frozen = "from langneurons.config.fields import Frozen\n"
    grid = "from langneurons.grid"
    text = change(KIND, (old, new), (grid, f"{frozen}{grid}"))
    assert said in refused(write, experiments, text)


def test_a_broken_kind_of_experiments_is_told_to_who_names_it(write: Write) -> None:
    write(experiments, "mood", "KIND = ")
    load(tiny(""))
    named = "experiments: {own: {kind: mood, models: [demo]}}"
    said = r"grid/experiments/mood\.py: cannot be imported.*SyntaxError"
    with pytest.raises(ConfigError, match=said):
        load(tiny(named))


def test_all_that_is_wrong_is_said_at_once(write: Write) -> None:
    text = change(METHOD, ("    PARAMETERS = Parameters\n", "    READ = (1, 1)\n"))
    text = change(text, ("def select", "def selected"))
    assert len(refused(write, methods, text).split("\n  - ")) == 4


def test_a_broken_file_stops_only_who_names_it(write: Write) -> None:
    write(tasks, "mood", "TASK = ")
    write(methods, "every", "import nothing_of_that_name")
    load(tiny(""))
    draws = "methods: {a: {kind: lape, reads: [actprob], draws: 2}}"
    with pytest.raises(ConfigError, match="kinds that do: matched_random"):
        load(tiny(draws))
    with pytest.raises(
        ConfigError, match=r"methods/every\.py: cannot be imported.*No m"
    ):
        load(tiny("methods: {a: {kind: every}}"))


def test_checks_need_no_torch() -> None:
    code = (
        "import sys; from langneurons import tasks, methods;"
        "from langneurons.grid import experiments;"
        "[experiments.load(k) for k in experiments.kinds()];"
        "[tasks.load(k) for k in tasks.kinds()];"
        "[methods.load(k) for k in methods.kinds()]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCRIPTS)


class Odd(methods.Method[Frozen]):
    """Returns what it was told to."""

    PARAMETERS = Frozen
    found: Any = None

    def select(self, inputs: Any, parameters: Any) -> Any:
        return self.found


MASK = np.ones((2, 60), np.bool_)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"en": MASK, "hi": MASK}, "select() returned dict; Selected is needed"),
        (Selected({"en": MASK}), "masks of ['en'], but the languages of the set are"),
        (Selected({"en": MASK, "hi": MASK, "vi": MASK}), "masks of ['en', 'hi', 'vi']"),
        (
            Selected({"en": MASK, "hi": MASK.astype(int)}),
            "hi: select() returned an array of int64, shape (2, 60); a numpy array of "
            "bool, shape (2, 60)",
        ),
        (Selected({"en": MASK[0], "hi": MASK}), "en: select() returned an array of bo"),
        (Selected({"en": MASK, "hi": MASK.T}), "array of bool, shape (60, 2); a numpy"),
        (Selected({"en": MASK, "hi": MASK.tolist()}), "hi: select() returned list; a"),
        (
            Selected({"en": MASK, "hi": MASK}, {"cut": np.float32(2)}),
            "threshold 'cut' is np.float32(2.0), which JSON cannot hold",
        ),
        (Selected({"en": MASK, "hi": MASK}, {"cut": [float("nan")]}), "'cut' is [nan]"),
    ],
)
def test_what_a_method_returns(
    found: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Odd()
    monkeypatch.setattr(methods, "load", lambda kind: odd)
    given, files = spec(parameters={}), family(tmp_path, ("en", "hi"))
    odd.found = Selected({"hi": MASK, "en": MASK}, {"cut": [0.5, None]})
    assert methods.identify(given, [*files.values()]).counts == {"en": 120, "hi": 120}
    odd.found = found
    with pytest.raises(DataError) as raised:
        methods.identify(given, [*files.values()])
    assert said in str(raised.value)
    assert str(raised.value).startswith("method lape (kind lape)")


METRICS = {
    "right": Metric("binary", "right"),
    "f1": Metric("score", "F1"),
    "gain": Metric("real", "gain", unit="nats"),
    "chrf": Metric("corpus", "chrF"),
}
TABLE = {
    "item": np.array([4, 7, 9], np.int32),
    "right": [True, False, True],
    "f1": np.array([0, 0.5, 1], np.float32),
    "gain": [-1.0, 0.0, 2.5],
}


def checked(**changes: Any) -> pd.DataFrame:
    return predictions.checked(pd.DataFrame(TABLE | changes), METRICS, "evaluate()")


def test_tables_of_the_right_types_stay_as_they_are() -> None:
    table = pd.DataFrame(TABLE)
    assert predictions.checked(table, METRICS, "evaluate()") is table
    given: dict[str, Any] = {"right": [1, 0, 1], "f1": [1, 0, 0], "gain": [5, -2, 0]}
    found = checked(**given)
    types = {"right": "bool", "f1": "float64", "gain": "float64"}
    assert {name: str(found[name].dtype) for name in types} == types
    for name, values in given.items():
        assert found[name].tolist() == values
    assert list(found) == list(TABLE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"right": [1, 0, 2]}, "column 'right' of kind binary has 2 (int64) at item 9"),
        (
            {"right": [1.0, 0.0, 0.0]},
            "'right' of kind binary has 1.0 (float64) at item",
        ),
        ({"right": ["yes", "no", "no"]}, "'right' of kind binary has 'yes' (object)"),
        ({"right": [True, None, True]}, "'right' of kind binary has True (object)"),
        (
            {"f1": [0.5, 1.5, 1.0]},
            "column 'f1' of kind score has 1.5 (float64) at item 7",
        ),
        ({"f1": [0.5, -0.1, 1.0]}, "'f1' of kind score has -0.1"),
        (
            {"f1": [0.5, 0.1, float("nan")]},
            "'f1' of kind score has nan (float64) at item 9",
        ),
        (
            {"f1": [0, 50, 100]},
            "'f1' of kind score has 50 (int64) at item 7; needed: fin",
        ),
        ({"gain": [0.0, float("inf"), 1.0]}, "'gain' of kind real has inf"),
        (
            {"gain": ["0.5", "1", "2"]},
            "'gain' of kind real has '0.5' (object) at item 4",
        ),
        ({"item": [4, 7, 4]}, "column item has 4 more than once"),
        ({"item": ["a", "b", "c"]}, "column item has 'a' (object); whole numbers"),
        ({"item": [1.0, 2.0, 3.0]}, "column item has"),
    ],
)
def test_tables_of_other_types_are_refused(changes: Any, said: str) -> None:
    with pytest.raises(DataError) as raised:
        checked(**changes)
    assert said in str(raised.value)


def test_tables_lack_no_column_and_no_row() -> None:
    whole = pd.DataFrame(TABLE)
    for table, said in (
        (whole.drop(columns="gain"), "no columns named 'gain'; there must be one of"),
        (whole.set_index("item"), "no columns named 'item'"),
        (pd.concat([whole, whole[["f1"]]], axis=1), "2 columns named 'f1'"),
        (whole[:0], "the table has no row"),
        (TABLE, "returned dict; a pandas DataFrame is needed"),
    ):
        with pytest.raises(DataError, match=said):
            predictions.checked(table, METRICS, "evaluate()")


def test_the_message_names_the_kind() -> None:
    with pytest.raises(
        DataError, match=r"^evaluate\(\) of kind xnli: no columns named"
    ):
        tasks.checked(XNLI, pd.DataFrame({"item": [1]}))
