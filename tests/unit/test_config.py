"""The configuration: the shipped files are valid, and mistakes are explained."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from configurations import experiment, merge, paper, read
from langneurons.config.errors import ConfigError
from langneurons.config.names import UNTREATED, Treatment, TuningName
from langneurons.config.schema import Config
from langneurons.costs import rates
from langneurons.costs.parts import Part, Parts
from langneurons.grid import rows
from langneurons.grid.subjects import OnTask
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
    known = ["demo", "demo_control", "demo_bridge", "demo_bridge_swapped"]
    assert rows.models(loaded) == known
    assert "llama31" in loaded.models  # catalogues merge


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"runs": []}, "runs: unknown key - did you mean 'run'?"),
        (
            experiment("transfer", statistics=["p91"]),
            "unknown statistic 'p91' - did you mean",
        ),
        (experiment("transfer", selections=["lape"]), "is not of the form"),
        (
            experiment("transfer", selections=["lape.set9"]),
            "unknown language set 'set9'",
        ),
        (
            experiment("transfer", models=[]),
            "experiments.transfer.models: at least 1 entry",
        ),
        ({"default_corpus": "wiki"}, "did you mean 'wikipedia'"),
        ({"tables": ["xnlli"]}, "did you mean 'xnli'"),
        ({"tasks": {"xnli": {"languages": ["sw"]}}}, "unknown language 'sw'"),
        (
            experiment("transfer", by_task={"xnli": {"statistics": ["p91"]}}),
            "experiments.transfer.by_task.xnli.statistics: unknown statistic 'p91'",
        ),
        (experiment("transfer", tasks=["xqad"]), "did you mean 'xquad'"),
        (experiment("transfer", tunings=["all_mpl"]), "did you mean 'all_mlp'"),
        (
            experiment("transfer", tunings=["masked"]),
            "needs neurons, as in masked.lape.set1.en",
        ),
        (
            experiment("transfer", tunings=["attention.lape.set1.en"]),
            "takes no neurons",
        ),
        (experiment("transfer", tunings=["lape.set1.hi"]), "unknown language 'hi'"),
        ({"tunings": {"masked": {"mlp_target": "gate"}}}, "did you mean 'mlp_targets'"),
        ({"tunings": {"masked": {"training": {"rnk": 1}}}}, "did you mean 'rank'"),
        (experiment("finetuning", tasks=["xnly"]), "did you mean 'xnli'"),
        (experiment("finetuning", entries=["all_mlp"]), "tunes no selected neurons"),
        (experiment("finetuning", controls=["lape.set1"]), "is no random method"),
        (experiment("finetuning", languages=["zh"]), "unknown language 'zh'"),
        (
            experiment("finetuning", selections=["lape.set9"]),
            "experiments.finetuning.selections: ",
        ),
        (experiment("perplexity", statistics=["zeroo"]), "did you mean 'zero'"),
        ({"statistics": {"mean": {"profile": "consistant"}}}, "'consistent'"),
        (
            experiment("transfer", selections=["p.set1"])
            | {"methods": {"p": {"kind": "plnd"}}},
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
            "'document' cannot be had with nemo: models of family bloom do not take",
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
        load(paper(**experiment("transfer", statistics=["p91"], models=["lama31"])))
    assert "p91" in str(caught.value) and "lama31" in str(caught.value)


def test_a_language_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("text\n")
    corpora = {"local": {"folder": str(tmp_path)}}
    with pytest.raises(ConfigError, match="no text for .*fr"):
        load(paper(corpora=corpora, default_corpus="local"))


def test_the_profile_fills_what_a_statistic_leaves_open(config: Config) -> None:
    assert config.statistic("p90").measure == "gate_pre"
    assert config.statistic("p90").write == "act_post"
    recorded = {"batch_quantiles": ["act_post"]}
    # What is paired would be the same twice.
    pruned = experiment("transfer", statistics=["mean", "p90"])
    other = load(paper(profile="consistent", activations=recorded, **pruned))
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


def treatments(config: Config, task: str, lang: str) -> list[Treatment]:
    listed = [row.treatment for row in rows.task_rows(config, task) if row.lang == lang]
    return list(dict.fromkeys(listed))


def test_lape_uses_set1_for_vietnamese_and_set6_for_hindi_and_urdu(
    config: Config,
) -> None:
    used = {
        lang: {
            str(name).split(".")[1]
            for name in treatments(config, "xnli", lang)
            if "lape" in str(name)
        }
        for lang in ("vi", "hi", "ur")
    }
    assert used == {"vi": {"set1"}, "hi": {"set6"}, "ur": {"set6"}}


def test_neuron_tunings_are_those_of_tables_3_and_7(config: Config) -> None:
    found = {
        str(row.tuning)
        for row in rows.tuning_rows(config, "xnli")
        if row.model == "llama31" and row.lang == "vi"
    }
    assert found == {
        "attention", "all_mlp",
        "lape.set1.en", "lape.set1.vi", "lape.set1.en+vi",
        "ap90.focus.en", "ap90.focus.vi", "ap90.focus.en+vi",
    }  # fmt: skip
    treated = {
        str(row.treatment)
        for row in rows.tuning_rows(config, "xnli")
        if str(row.tuning) == "lape.set6.en+hi"
    }
    names = ("mean", "p90", "zero", "p10")
    assert treated == {"none", *(f"lape.set6.{name}" for name in names)}


def test_random_neurons_are_tuned_for_the_evaluation_language(config: Config) -> None:
    found = [
        str(row.tuning)
        for row in rows.random_rows(config, "xnli")
        if row.model == "nemo" and row.lang == "ur"
    ]
    draws = [f"random_lape-{i}.set6.ur" for i in range(1, 6)]
    assert found == ["attention", "all_mlp", "lape.set6.ur", *draws]


def test_each_evaluation_is_made_once(config: Config) -> None:
    parts = Parts(config)
    made = [(p.subject, t) for p in parts.evaluations for t in p.treatments]
    assert len(made) == len(set(made))
    specs = TableSpecs(config, parts)
    wanted = {name: specs.reads(name).evaluations for name in specs.kinds}
    assert sum(map(bool, wanted.values())) == 7
    for evaluations in wanted.values():
        shown = {
            (OnTask(task, x.model, x.tuning, int(x.seed), x.lang), x.treatment)
            for task, x in evaluations
        }
        assert shown <= set(made)
    for subject in {subject for subject, _ in made}:
        assert parts.treatments(subject)[0] == UNTREATED


def test_profiles_are_paired_by_what_they_write(config: Config) -> None:
    pairs = profile_pairs(config)
    assert {pair["value_name"] for pair, _ in pairs} == {"mean", "p90", "p10"}
    pair, three = pairs[0]
    names = ["none", "lape.set1.mean", "lape.set1.mean_consistent"]
    assert [str(row.treatment) for row in three] == names == pair["treatments"]
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
    axes = experiment("transfer", statistics=names, control_statistics=names)
    pairs = profile_pairs(load(paper(statistics=statistics, **axes)))
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


@pytest.mark.parametrize("name", ["transfer", "perplexity", "finetuning"])
def test_random_neurons_that_tables_cannot_tell_apart_are_refused(name: str) -> None:
    other = {"kind": "matched_random", "reads": ["lape"], "draws": 2}
    key = "controls" if name == "finetuning" else "selections"
    given = ["lape.set1", "lape.set6", "random_lape.set1", "other.set1"]
    if name == "finetuning":
        given = given[2:]
    with pytest.raises(ConfigError) as caught:
        load(paper(methods={"other": other}, **experiment(name, **{key: given})))
    text = str(caught.value)
    where = f"experiments.{name}.{key}"
    assert f"{where}: random_lape and other are both controls of lape in" in text
    # Of other languages, or in other lists, they are told apart.
    given[-1] = "other.set6"
    load(paper(methods={"other": other}, **experiment(name, **{key: given})))


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
    parts = Parts(config)
    both = (*parts.evaluations, *parts.perplexities)
    assert max(len(path) for p in both for path in (p.index, *p.outputs)) < 200


def parts_of(config: Config, lang: str) -> list[Part]:
    subject = OnTask("xnli", "nemo", TuningName("attention"), 42, lang)
    return Parts(config).of(subject)


@pytest.mark.parametrize("lang", ["vi", "hi", "ur"])
def test_parts_share_the_treatments_out(config: Config, lang: str) -> None:
    (whole,) = parts_of(config, lang)
    assert list(whole.treatments) == treatments(config, "xnli", lang)
    parts = parts_of(load(paper(bundle_size=5)), lang)
    assert [t for p in parts for t in p.treatments] == list(whole.treatments)
    assert {len(p.treatments) for p in parts[:-1]} == {5}
    folder = f"results/evaluations/xnli/nemo/attention/seed42/{lang}"
    assert parts[1].index == f"{folder}/part-2-of-{len(parts)}.json"
    single = parts_of(load(paper(bundle_size=1)), lang)
    assert [p.treatments for p in single] == [(t,) for t in whole.treatments]


@pytest.mark.parametrize("hours", [0.001, 0.3, 1.5, 400])
def test_parts_last_about_as_long_as_is_asked(config: Config, hours: float) -> None:
    made = load(paper(job_hours=hours))
    parts = Parts(made)
    for part in (*parts.evaluations, *parts.perplexities):
        everything = parts.treatments(part.subject)
        one = parts.estimates.treatment(part.subject).seconds
        loading = rates.loading(made.model(part.subject.model))
        seconds = loading + len(part.treatments) * one
        if len(part.treatments) > 1:
            assert seconds <= 3600 * hours
        if part.number < part.parts:  # the last one has what is left
            assert seconds + one > 3600 * hours
        assert part.treatments[0] == everything[0] or part.number > 1


def test_two_sizes_of_a_job_are_refused() -> None:
    with pytest.raises(ConfigError, match="'bundle_size' and 'job_hours' both say"):
        load(paper(bundle_size=1, job_hours=2))
    with pytest.raises(ConfigError, match="job_hours"):
        load(paper(job_hours=0))


def test_parts_that_are_not_there_are_said(config: Config) -> None:
    axes = {"model": "nemo", "lang": "vi", "task": "xnli", "tuning": "attention"}
    parts = Parts(config)

    def asked(**more: str) -> str:
        job = SimpleNamespace(**axes | {"seed": "42", "part": "1", "parts": "1"} | more)
        with pytest.raises(ConfigError) as refused:
            parts.of_job(job)
        return str(refused.value)

    assert "treatments there are in 1 parts" in asked(part="2", parts="2")
    assert "the first is results/evaluations/xnli/nemo/" in asked(part="0")
    assert "no table of this configuration asks for it" in asked(lang="zh")
    assert "/attention/seed42/zh-sw: no table" in asked(lang="zh-sw")
    assert "has no seed 42; ask for seed0" in asked(tuning="base")
    assert "no table" in asked(tuning="base", seed="0")


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
