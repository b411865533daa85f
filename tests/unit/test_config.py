"""The configuration: the shipped files are valid, and mistakes are explained."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configurations import merge, paper, read
from langneurons.config.errors import ConfigError
from langneurons.config.schema import Config
from langneurons.grid import result_paths, rows
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs
from langneurons.tables.profiles import profile_pairs


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
        ({"tasks": {"xnli": {"statistics": ["p91"]}}}, "tasks.xnli.statistics"),
        ({"grid": {"tasks": ["xqad"]}}, "did you mean 'xquad'"),
        ({"grid": {"tunings": ["all_mpl"]}}, "did you mean 'all_mlp'"),
        ({"grid": {"tunings": ["masked"]}}, "needs neurons, as in masked.lape.set1.en"),
        ({"grid": {"tunings": ["attention.lape.set1.en"]}}, "takes no neurons"),
        ({"grid": {"tunings": ["lape.set1.hi"]}}, "unknown language 'hi'"),
        ({"tunings": {"masked": {"mlp_target": "gate"}}}, "did you mean 'mlp_targets'"),
        ({"tunings": {"masked": {"training": {"rnk": 1}}}}, "did you mean 'rank'"),
        ({"neuron_tuning": {"tasks": ["xnly"]}}, "did you mean 'xnli'"),
        ({"neuron_tuning": {"entries": ["all_mlp"]}}, "tunes no selected neurons"),
        ({"neuron_tuning": {"controls": ["lape.set1"]}}, "is no random method"),
        ({"neuron_tuning": {"evaluate": ["zh"]}}, "unknown language 'zh'"),
        ({"neuron_tuning": {"selections": ["lape.set9"]}}, "neuron_tuning.selections"),
        ({"perplexity": {"statistics": ["zeroo"]}}, "did you mean 'zero'"),
        ({"statistics": {"mean": {"profile": "consistant"}}}, "'consistent'"),
        (
            {"grid": {"selections": ["p.set1"]}, "methods": {"p": {"kind": "plnd"}}},
            "set activations.contribution_top",
        ),
        ({"methods": {"lape": {"kind": "lap"}}}, "did you mean 'lape'"),
        ({"methods": {"a-1": {"kind": "lape"}}}, "'-' is kept for"),
        ({"methods": {"r": {"kind": "matched_random"}}}, "reads 1 other method; given"),
        ({"statistics": {"p7": {"value": "p7"}}}, "did you mean 'p75'"),
        ({"statistics": {"c": {"value": "const"}}}, "'constant' is given"),
        (
            {"statistics": {"mean": {"value": "p90", "measure": "act_post"}}},
            "add that site to activations.batch_quantiles",
        ),
        ({"profile": "consistent"}, "methods.ap90: same_lang_batchmean needs"),
        ({"models": {"nemo": {"family": "mystral"}}}, "did you mean 'mistral'"),
        (
            {"models": {"nemo": {"attn_implementation": "flash"}}},
            "models.nemo.attn_implementation: 'flash' is not one of",
        ),
        (
            {"models": {"nemo": {"family": "gemma2", "attn_implementation": "sdpa"}}},
            "family gemma2 has only eager, flash_attention_2",
        ),
        (
            {
                "models": {
                    "nemo": {
                        "attn_implementation": "flash_attention_2",
                        "quantization": "none",
                        "dtype": "float32",
                    }
                }
            },
            "flash_attention_2 has no float32",
        ),
        (
            {
                "activations": {"attention": "document"},
                "models": {"nemo": {"family": "bloom"}},
            },
            "'document' cannot be had with nemo: family bloom",
        ),
        ({"activations": {"attention": "documents"}}, "did you mean 'document'"),
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
    pruned = {"statistics": ["mean", "p90"]}  # what is paired would be the same twice
    other = load(paper(profile="consistent", activations=recorded, grid=pruned))
    assert other.statistic("p90").measure == "act_post"
    assert other.statistic("p90").quantile == "pooled"


def test_training_differs_by_model_where_the_paper_does(config: Config) -> None:
    assert config.training("xnli", "llama31", "attention").rank == 8
    assert config.training("xnli", "nemo", "lape.set1.en").rank == 64
    assert config.training("xquad", "llama31", "attention").learning_rate == 5e-5


def test_a_tuning_changes_keys_of_training_last() -> None:
    entry = {"kind": "subnetwork_rows", "training": {"rank": 3, "epochs": 4}}
    loaded = load(paper(tunings={"own": entry}))
    assert loaded.training("xnli", "llama31", "own.lape.set1.en").rank == 3
    assert loaded.training("xnli", "llama31", "own.lape.set1.en").epochs == 4
    assert loaded.training("xnli", "llama31", "own.lape.set1.en").alpha == 16
    assert loaded.training("xnli", "llama31", "attention").epochs == 1


def test_lape_uses_set1_for_vietnamese_and_set6_for_hindi_and_urdu(
    config: Config,
) -> None:
    used = {
        lang: {
            name.split(".")[1]
            for name in rows.treatments(config, "xnli", lang)
            if "lape" in name
        }
        for lang in ("vi", "hi", "ur")
    }
    assert used == {"vi": {"set1"}, "hi": {"set6"}, "ur": {"set6"}}


def test_neuron_tunings_are_those_of_tables_3_and_7(config: Config) -> None:
    found = {
        row.tuning
        for row in rows.tuning_rows(config, "xnli")
        if row.model == "llama31" and row.lang == "vi"
    }
    assert found == {
        "attention", "all_mlp",
        "lape.set1.en", "lape.set1.vi", "lape.set1.en+vi",
        "ap90.focus.en", "ap90.focus.vi", "ap90.focus.en+vi",
    }  # fmt: skip
    treated = {
        row.treatment
        for row in rows.tuning_rows(config, "xnli")
        if row.tuning == "lape.set6.en+hi"
    }
    names = ("mean", "p90", "zero", "p10")
    assert treated == {"none", *(f"lape.set6.{name}" for name in names)}


def test_random_neurons_are_tuned_for_the_evaluation_language(config: Config) -> None:
    found = [
        row.tuning
        for row in rows.random_rows(config, "xnli")
        if row.model == "nemo" and row.lang == "ur"
    ]
    draws = [f"random_lape-{i}.set6.ur" for i in range(1, 6)]
    assert found == ["attention", "all_mlp", "lape.set6.ur", *draws]


def test_each_evaluation_is_made_once(config: Config) -> None:
    outputs_ = [o for b in result_paths.task_bundles(config) for o in b.outputs]
    assert len(outputs_) == len(set(outputs_))
    specs = TableSpecs(config)
    wanted = {name: specs.reads(name).evaluations for name in specs.kinds}
    assert sum(map(bool, wanted.values())) == 7
    for evaluations in wanted.values():
        assert {row.path(task) for task, row in evaluations} <= set(outputs_)


@pytest.mark.parametrize(
    "listing", [result_paths.task_bundles, result_paths.perplexity_bundles]
)
def test_rules_describe_each_bundle_once(config: Config, listing: Any) -> None:
    bundles = listing(config)
    families = result_paths.families(bundles)
    assert len(families) < len(bundles)
    assert len({family.name for family in families}) == len(families)
    made = []
    for family in families:
        for model in config.grid.models:
            for tuning in family.tunings or ("",):
                for seed in config.grid.seeds if family.tunings else ("",):
                    chosen = SimpleNamespace(model=model, tuning=tuning, seed=seed)
                    made.append(family.bundle(chosen))

    def facts(found: list[result_paths.Bundle]) -> list[Any]:
        return sorted((b.outputs, b.number, sorted(b.axes)) for b in found)

    assert facts(made) == facts(bundles)


def test_profiles_are_paired_by_what_they_write(config: Config) -> None:
    pairs = profile_pairs(config)
    assert {pair["value_name"] for pair, _ in pairs} == {"mean", "p90", "p10"}
    pair, compared = pairs[0]
    names = [row.treatment for row in compared]
    assert names == pair["treatments"]
    assert names == ["none", "lape.set1.mean", "lape.set1.mean_consistent"]
    assert pair["lang"] == "vi"


def test_pairs_of_profiles_have_names_of_their_own() -> None:
    """Two pairs that both write p90 would be one row; one profile is what it reads."""
    statistics = {
        "late_p90": {"value": "p90", "layers": [20, 31]},
        "late_p90_consistent": {
            "value": "p90", "layers": [20, 31], "profile": "consistent",
        },
        "p90_pooled": {"value": "p90", "quantile": "pooled"},  # neither profile
        "p90_by_hand": {
            "value": "p90", "measure": "act_post", "write": "act_post",
            "quantile": "pooled",
        },
    }  # fmt: skip
    names = ["p90_pooled", "p90", "late_p90", "late_p90_consistent", "p90_by_hand"]
    grid_ = {"statistics": names, "control_statistics": names}
    pairs = profile_pairs(load(paper(statistics=statistics, grid=grid_)))
    assert {pair["value_name"] for pair, _ in pairs} == {"p90", "late_p90"}
    found = {pair["value_name"]: pair["treatments"] for pair, _ in pairs}
    ends = {k: [x.rpartition(".")[2] for x in v[1:]] for k, v in found.items()}
    assert ends["p90"] == ["p90", "p90_by_hand"]
    assert ends["late_p90"] == ["late_p90", "late_p90_consistent"]
    keys = ("task", "model", "tuning", "seed", "lang", "method", "langset", "draw",
            "matched", "value_name")  # fmt: skip
    rows_ = [tuple(pair[k] for k in keys) for pair, _ in pairs]
    assert len(rows_) == len(set(rows_))
    assert {pair["matched"] for pair, _ in pairs} == {None, "lape", "ap90"}


@pytest.mark.parametrize("where", ["grid", "perplexity", "neuron_tuning"])
def test_random_neurons_that_tables_cannot_tell_apart_are_refused(where: str) -> None:
    other = {"kind": "matched_random", "reads": ["lape"], "draws": 2}
    key = "controls" if where == "neuron_tuning" else "selections"
    given = ["lape.set1", "lape.set6", "random_lape.set1", "other.set1"]
    if where == "neuron_tuning":
        given = given[2:]
    with pytest.raises(ConfigError) as caught:
        load(paper(methods={"other": other}, **{where: {key: given}}))
    text = str(caught.value)
    assert f"{where}.{key}: random_lape and other are both controls of lape in" in text
    # Of other languages, or in other lists, they are told apart.
    given[-1] = "other.set6"
    load(paper(methods={"other": other}, **{where: {key: given}}))


def test_published_cells_stand_beside_the_rows_they_belong_to(config: Config) -> None:
    class Wildcards:
        table = "finetune_xnli"

    spec = json.loads(TableSpecs(config).table(Wildcards))
    cells = {
        (row["model"], row["tuning"], row["lang"], row["statistic"]): row["published"]
        for row in spec["rows"]
    }
    where = ("llama31", "lape.set6.en+hi", "hi", "p10")
    assert cells[where] == {"accuracy": 0.747}
    assert cells["nemo", "lape.set6.en+hi", "hi", "p10"] == {}
    # The consistent profile is another procedure than the published one.
    Wildcards.table = "xnli"
    spec = json.loads(TableSpecs(config).table(Wildcards))
    named = {row["statistic"] for row in spec["rows"] if row["published"]}
    assert "mean" in named and "mean_consistent" not in named


def test_all_figures_have_paths_of_their_own(config: Config) -> None:
    found = targets.figures(config)
    assert len(found) == len(set(found))
    # Figures 2 to 19: three selections of two models, three figures each.
    paper_kinds = ("counts", "overlap", "layers")
    ours = [p for p in found if Path(p).stem in paper_kinds and "published" not in p]
    assert len(ours) == 18


def test_no_path_of_the_grid_is_long(config: Config) -> None:
    bundles = (
        *result_paths.task_bundles(config),
        *result_paths.perplexity_bundles(config),
    )
    assert max(len(path) for bundle in bundles for path in bundle.outputs) < 200


def test_bundles_partition_the_treatments(config: Config) -> None:
    small = load(paper(grid={"bundle_size": 5}))
    for lang in ("vi", "hi", "ur"):
        parts = [
            b
            for b in result_paths.task_bundles(small)
            if b.folder.endswith(f"xnli/nemo/attention/seed42/{lang}")
        ]
        names = [t for b in parts for t in b.treatments]
        assert names == rows.treatments(config, "xnli", lang)
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
    kernels = Specs(load(paper(models={"nemo": {"attn_implementation": "eager"}})))
    for rule in ("fetch_model", "quantise_model", "tokenise_corpus"):
        assert getattr(one, rule)(Wildcards) == getattr(kernels, rule)(Wildcards)
    hidden = Specs(load(paper(activations={"attention": "document"})))
    assert one.tokenise_corpus(Wildcards) == hidden.tokenise_corpus(Wildcards)
    specs = [s.measure_activations(Wildcards) for s in (one, kernels, hidden)]
    assert len(set(specs)) == 3
    assert one.tune_model(Wildcards) != kernels.tune_model(Wildcards)
    assert "checkpoint_every" not in one.tune_model(Wildcards)
