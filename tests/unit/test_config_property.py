"""Whatever is changed in a configuration, it is read or refused with a message."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configurations import paper, read, tiny
from langneurons.config.errors import ConfigError
from langneurons.config.schema import Config
from langneurons.config.yaml_files import check
from langneurons.costs.parts import Parts
from langneurons.costs.requests import Requests
from langneurons.grid import rows
from langneurons.grid.subjects import read_files
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 3.5, 1e30, float("nan"), float("inf"), "", " ", "x",
    "../x", "none", "target", "en", "lape.set1", "lape.set1.en", "a.b.c.d", "é",
    "a" * 300, [], ["x"], [[]], [None], [{}], {}, {"x": 1}, {1: 2}, {None: 1}, "1e-5",
    "no", "{lang}", "{", "}", "$NO_SUCH_VARIABLE", "~nobody-here", "\x00", "\ud83d",
    "2e400", "lape-3.world", "random_lape-1.set1",
]  # fmt: skip
NAMES = ["x", "En", "a b", "lape-2", "..", "random", "none", "perplexity", 3, False]
DAMAGE = [b"", b"\t", b"[", b"}", b"\xff", b"\x00", b"&a", b"*a", b"!x", b": "]
CASES = 300


def places(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every key and every entry of a list."""
    if isinstance(node, dict):
        inner = list(node.items())
    else:
        inner = list(enumerate(node)) if isinstance(node, list) else []
    for key, value in inner:
        yield (*above, key)
        yield from places(value, (*above, key))


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


def change(raw: Any, rng: random.Random) -> str:
    """Change one thing: another value, a key renamed or gone, an entry twice."""
    path = rng.choice(list(places(raw)))
    parent, key = at(raw, path[:-1]), path[-1]
    how = rng.choice(["set", "set", "set", "delete", "twice", "swap", "rename"])
    if how == "delete":
        del parent[key]
    elif how == "twice" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif how == "swap":
        parent[key] = copy.deepcopy(at(raw, rng.choice(list(places(raw)))))
    elif how == "rename" and isinstance(parent, dict):
        parent[rng.choice([*NAMES, f"{key}s"])] = parent.pop(key)
    else:
        parent[key] = copy.deepcopy(rng.choice(ODD))
    return f"{how} {path}"


def everything(config: Config) -> None:
    """Ask for what Snakemake asks for when it starts."""
    specs, tables, requests = Specs(config), TableSpecs(config), Requests(config)
    parts = Parts(config)
    for part in (*parts.evaluations[:4], *parts.perplexities[:2]):
        specs.treated(part.subject, part.treatments)
        read_files(config, part.subject, part.treatments)
        parts.estimates.treatment(part.subject)
    for model in rows.models(config):
        for selection in rows.all_selections(config)[:10]:
            chosen = SimpleNamespace(
                model=model, method=selection.method, langset=selection.languages
            )
            specs.identify_neurons(chosen)
        chosen = SimpleNamespace(model=model, corpus=config.default_corpus, lang="en")
        specs.fetch_model(chosen)
        specs.quantise_model(chosen)
        requests.memory(chosen, 1)
        requests.building_runtime(chosen, 1)
    for task in rows.tasks(config):
        listed = [*rows.task_rows(config, task)[:2], *rows.tuning_rows(config, task)]
        for row in [*listed[:8], *rows.random_rows(config, task)[:4]]:
            names = vars(row) | {"task": task, "tuning": str(row.tuning)}
            specs.tune_model(SimpleNamespace(**names))
            requests.training_runtime(SimpleNamespace(**names), 1)
    for name in tables.kinds:
        tables.table(SimpleNamespace(table=name))
    targets.figures(config)


@pytest.mark.parametrize("base", ["paper", "demo", "tiny"])
def test_a_changed_configuration_is_read_or_explained(base: str) -> None:
    bases = {"paper": paper, "demo": lambda: paper(**read("demo.yaml")), "tiny": tiny}
    whole = bases[base]()
    rng = random.Random(f"changes of {base}")
    refused = 0
    for _ in range(CASES // 3):
        raw = copy.deepcopy(whole)
        done = [change(raw, rng) for _ in range(rng.choice([1, 1, 1, 2]))]
        try:
            everything(load(raw))
        except ConfigError as error:
            refused += 1
            assert str(error).startswith("The configuration is not valid:"), done
            assert "Input should" not in str(error), done
        except Exception as error:
            raise AssertionError(f"{base}: {done}") from error
    assert CASES // 6 < refused < CASES // 3  # both happen


def test_a_damaged_file_is_read_or_explained(tmp_path: Path) -> None:
    root = Path(__file__).parents[2] / "config"
    rng = random.Random("damage")
    path = tmp_path / "damaged.yaml"
    for name in ("config.yaml", "demo.yaml"):
        content = (root / name).read_bytes()
        for _ in range(60):
            damaged = bytearray(content)
            for _ in range(rng.choice([1, 2, 5])):
                place = rng.randrange(len(damaged))
                damaged[place : place + rng.choice([0, 1, 3])] = rng.choice(
                    [
                        b"",
                        b"\t",
                        b"[",
                        b"}",
                        b"\xff",
                        b"\x00",
                        b"&a",
                        b"*a",
                        b"!x",
                        b": ",
                    ]
                )
            path.write_bytes(damaged)
            try:
                check([path])
            except ConfigError as error:
                assert str(path) in str(error)
