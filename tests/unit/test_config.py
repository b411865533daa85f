"""The configuration: the shipped files are valid, and mistakes are explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from langneurons import config as configuration
from langneurons import grid
from langneurons.config import Config, load
from langneurons.errors import ConfigError
from langneurons.specs import Specs

ROOT = Path(__file__).parent.parent.parent


def merge(below: Any, above: Any) -> Any:
    """Merge as --configfile does: mappings are merged, all else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        both = {k: merge(below[k], v) if k in below else v for k, v in above.items()}
        return below | both
    return above


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))


def paper(**changes: Any) -> dict[str, Any]:
    return merge(read("config.yaml"), changes)


@pytest.fixture(scope="module")
def config() -> Config:
    return load(paper())


def test_the_demo_extends_the_paper_configuration() -> None:
    loaded = load(merge(paper(), read("demo.yaml")))
    assert loaded.grid.models == ("demo",)
    assert "llama31" in loaded.models  # catalogues merge


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"grids": {}}, "grids: unknown key - did you mean 'grid'?"),
        ({"grid": {"statistics": ["p91"]}}, "unknown statistic 'p91' - did you mean"),
        ({"grid": {"selections": ["lape"]}}, "is not of the form"),
        ({"grid": {"selections": ["lape.set9"]}}, "unknown language set 'set9'"),
        ({"grid": {"models": []}}, "grid.models"),
        ({"grid": {"corpus": "wiki"}}, "did you mean 'wikipedia'"),
        ({"grid": {"tables": ["xnlli"]}}, "did you mean 'xnli'"),
        ({"tasks": {"xnli": {"languages": ["sw"]}}}, "unknown language 'sw'"),
        ({"methods": {"lape": {"kind": "lap"}}}, "did you mean 'lape'"),
        ({"methods": {"a-1": {"kind": "lape"}}}, "'-' is kept for"),
        ({"methods": {"r": {"kind": "matched_random"}}}, "needs 'match'"),
        ({"statistics": {"p7": {"value": "p7"}}}, "value 'p7' is unknown"),
        ({"statistics": {"c": {"value": "const"}}}, "'constant' is given"),
        (
            {"statistics": {"mean": {"value": "p90", "measure": "act_post"}}},
            "add that site to activations.batch_quantiles",
        ),
        ({"profile": "consistent"}, "methods.ap90: same_lang_batchmean needs"),
        ({"models": {"nemo": {"family": "mystral"}}}, "did you mean 'mistral'"),
        ({"models": {"nemo": {"folder": "x"}}}, "exactly one source"),
        ({"models": {"nemo": {"hub": {"revision": "main"}}}}, "revision"),
        ({"corpora": {"wikipedia": {"folder": "x"}}}, "exactly one of 'hub' and"),
        ({"language_sets": {"set1": {"evaluate": ["xx"]}}}, "outside the set"),
        ({"tasks": {"xnli": {"training_by_model": {"nemo": {"rnk": 1}}}}}, "'rank'"),
    ],
)
def test_a_mistake_is_named_with_a_hint(changes: dict, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(paper(**changes))
    assert expected in str(caught.value)


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load(paper(grid={"statistics": ["p91"], "models": ["lama31"]}))
    assert "p91" in str(caught.value) and "lama31" in str(caught.value)


def test_a_language_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("text\n")
    corpora = {"local": {"folder": str(tmp_path)}}
    with pytest.raises(ConfigError, match="no text for .*fr"):
        load(paper(corpora=corpora, grid={"corpus": "local"}))


def test_the_profile_fills_what_a_statistic_leaves_open(config: Config) -> None:
    assert config.statistic("p90").measure == "gate_pre"
    assert config.statistic("p90").write == "act_post"
    recorded = {"batch_quantiles": ["act_post"]}
    other = load(paper(profile="consistent", activations=recorded))
    assert other.statistic("p90").measure == "act_post"
    assert other.statistic("p90").quantile == "pooled"


def test_training_differs_by_model_where_the_paper_does(config: Config) -> None:
    assert config.training("xnli", "llama31").rank == 8
    assert config.training("xnli", "nemo").rank == 64


def test_lape_uses_set1_for_vietnamese_and_set6_for_hindi_and_urdu(
    config: Config,
) -> None:
    used = {
        lang: {t.split(".")[1] for t in grid.treatments(config, lang) if "lape" in t}
        for lang in ("vi", "hi", "ur")
    }
    assert used == {"vi": {"set1"}, "hi": {"set6"}, "ur": {"set6"}}


def test_no_path_of_the_grid_is_long(config: Config) -> None:
    assert len(grid.longest_path(config)) < 200


def test_bundles_partition_the_treatments(config: Config) -> None:
    small = load(paper(grid={"bundle_size": 5}))
    for lang in ("vi", "hi", "ur"):
        parts = [
            b
            for b in grid.task_bundles(small)
            if b.folder.endswith(f"nemo/attention/seed42/{lang}")
        ]
        names = [t for b in parts for t in b.treatments]
        assert names == grid.treatments(config, lang)
        assert max(len(b.treatments) for b in parts) == 5


def test_the_spec_of_a_job_holds_only_what_it_reads(config: Config) -> None:
    class Wildcards:
        model, corpus, lang, shard, shards = "nemo", "wikipedia", "vi", "0", "5"
        method, langset, task, tuning, seed = "lape", "set1", "xnli", "attention", "42"
        split = "test"

    changed = load(
        paper(
            statistics={"mean": {"op": "add"}},
            models={"nemo": {"parameters": 1.0}, "llama31": {"dtype": "float32"}},
            tasks={"xnli": {"training": {"learning_rate": 1.0, "checkpoint_every": 3}}},
        )
    )
    one, two = Specs(config), Specs(changed)
    for rule in ("fetch_model", "tokenise_corpus", "measure_activations", "fetch_text"):
        assert getattr(one, rule)(Wildcards) == getattr(two, rule)(Wildcards)
    for rule in ("identify_neurons", "prepare_task", "quantise_model"):
        assert getattr(one, rule)(Wildcards) == getattr(two, rule)(Wildcards)
    assert one.tune_model(Wildcards) != two.tune_model(Wildcards)
    assert "checkpoint_every" not in one.tune_model(Wildcards)


def test_the_shipped_schema_is_that_of_the_code() -> None:
    path = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == configuration.json_schema()
