"""Published numbers stand beside the published procedure only, field by field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

import configurations
from configurations import experiment
from langneurons import methods, tasks
from langneurons.config.catalogue import Activations, Corpus, Method, Model, Statistic
from langneurons.config.errors import ConfigError
from langneurons.config.schema import Config
from langneurons.config.task_entries import Task, Training, Tuning
from langneurons.published import procedure
from langneurons.published.numbers import Key
from langneurons.published.partners import Partners
from langneurons.study.configuration import load
from langneurons.study.table_specs import TableSpecs

ROOT = Path(__file__).parents[2]


def paper(changes: Any = None) -> Config:
    return load(configurations.paper(**(changes or {})))


def spec_of(config: Config, table: str) -> dict[str, Any]:
    found = json.loads(TableSpecs(config).table(SimpleNamespace(table=table)))
    return dict(found)


def beside(config: Config, table: str = "xnli") -> dict[tuple[str, ...], Any]:
    """Return the published values in a table's spec: (model, lang, treatment, ...)."""
    spec = json.loads(TableSpecs(config).table(SimpleNamespace(table=table)))
    return {
        tuple(
            str(row[k]) for k in ("model", "tuning", "lang", "method", "statistic")
        ): (row["published"])
        for row in spec["rows"]
        if row["published"]
    }


def reasons(config: Config) -> set[str]:
    return {one.why for one in Partners(config).evaluations if one.why}


def partners_of(config: Config) -> set[Key]:
    return {one.key for one in Partners(config).evaluations if one.why is None}


@cache
def usual_partners() -> set[Key]:
    return partners_of(paper())


@pytest.fixture(scope="module")
def usual() -> dict[tuple[str, ...], Any]:
    return beside(paper())


def test_the_papers_grid_has_all_partners_but_random_neurons() -> None:
    found = Partners(paper()).evaluations
    partners = {one.key for one in found if one.why is None}
    sources = Counter(
        (key.task, "tuned" if ":" in key.tuning else "attention") for key in partners
    )
    # Of either task: 2 models, 3 languages, none and 2 methods times 8 statistics.
    assert sources == {
        ("xnli", "attention"): 2 * 3 * (1 + 2 * 8),
        ("xquad", "attention"): 2 * 3 * (1 + 2 * 8),
        ("xnli", "tuned"): 90,
    }
    others = {(one.key.tuning.partition(":")[0], one.why) for one in found if one.why}
    assert {tuning for tuning, _ in others} >= {"random"}
    assert all(
        "published: not known" in str(why)
        for tuning, why in others
        if tuning == "random"
    )


def test_recipes_of_statistics_are_not_the_papers(usual: dict) -> None:
    recipes = {
        "boost": {"value": "mean", "op": "add", "weight": 0.5},
        "english_p90": {"value": "p90", "value_language": "en"},
        "late_zero": {"value": "zero", "layers": [20, 31]},
    }
    statistics = ["p90", "zero", *recipes]
    changed = paper(
        {"statistics": recipes, **experiment("transfer", statistics=statistics)}
    )
    found = beside(changed)
    assert {key[4] for key in found} == {"none", "p90", "zero"}
    assert found == {k: v for k, v in usual.items() if k[4] in ("none", "p90", "zero")}
    assert reasons(changed) >= {
        "statistics.boost.op: add (published: set)",
        "statistics.english_p90.value_language: en (published: target)",
        "statistics.late_zero.layers: [20, 31] (published: null)",
    }


NF4 = {"llama31": {"quantization": "none"}}
ROW = {"hub": None, "train": "t-{lang}.tsv", "test": "x-{lang}.tsv"}
CHANGES: list[tuple[dict[str, Any], str]] = [
    (
        {"models": NF4},
        "models.llama31.quantization: none (published: nf4)",
    ),
    (
        {"models": {"llama31": {"dtype": "float32"}}},
        "models.llama31.dtype: float32 (published: bfloat16)",
    ),
    (
        {"models": {"llama31": {"hub": {"repo": "meta-llama/Llama-3.1-8B-Instruct"}}}},
        "models.llama31.hub.repo: meta-llama/Llama-3.1-8B-Instruct (published: "
        "meta-llama/Llama-3.1-8B)",
    ),
    (
        {"methods": {"lape": {"parameters": {"thresholds": "kth"}}}},
        "methods.lape.parameters.thresholds: kth (published: interpolated)",
    ),
    (
        {"methods": {"lape": {"parameters": {"top_rate": 0.05}}}},
        "methods.lape.parameters.top_rate: 0.05 (published: 0.01)",
    ),
    (
        {"methods": {"ap90": {"parameters": {"contrast": "ratio"}}}},
        "methods.ap90.parameters.contrast: ratio (published: none)",
    ),
    (
        {
            "methods": {"ap90": {"profile": "consistent"}},
            "activations": {"batch_quantiles": ["gate_pre", "act_post"]},
        },
        "methods.ap90.profile: consistent (published: paper)",
    ),
    (
        {"corpora": {"wikipedia": {"tokens": 1_000_000}}},
        "corpora.wikipedia.tokens: 1000000 (published: 100000000)",
    ),
    (
        {"corpora": {"wikipedia": {"bos": "chunk"}}},
        "corpora.wikipedia.bos: chunk (published: document)",
    ),
    (
        {"corpora": {"wikipedia": {"language_filter": {"minimum_percent": 80}}}},
        "corpora.wikipedia.language_filter: {minimum_percent: 80} (published: null)",
    ),
    (
        {"activations": {"attention": "document"}},
        "activations.attention: document (published: chunk)",
    ),
    (
        {"language_sets": {"set1": {"languages": ["en", "fr", "vi", "zh", "th"]}}},
        "language_sets.set1.languages: [en, fr, vi, zh, th] (published: [en, fr, es, "
        "vi, id, ja, zh])",
    ),
    (
        {"tasks": {"xnli": {"training": {"epochs": 2}}}},
        "tasks.xnli.training.epochs: 2 (published: 1)",
    ),
    (
        {"tasks": {"xnli": {"training_by_model": {"llama31": {"rank": 64}}}}},
        "tasks.xnli.training.rank: 64 (published: 8)",
    ),
    (
        {"tunings": {"masked": {"training": {"learning_rate": 1e-6}}}},
        "tasks.xnli.training.learning_rate: 1e-06 (published: 1e-05)",
    ),
    (
        {"tasks": {"xnli": {"parameters": {"pool": "mean"}}}},
        "tasks.xnli.parameters.pool: mean (published: padded_last)",
    ),
    (
        {"tasks": {"xnli": {"test_items": 100}}},
        "tasks.xnli.test_items: 100 (published: null)",
    ),
    (
        {"tasks": {"xnli": {"train_fraction": 1.0}}},
        "tasks.xnli.train_fraction: 1 (published: 0.25)",
    ),
    (
        {"tasks": {"xquad": {"parameters": {"loss": "answer_only"}}}},
        "tasks.xquad.parameters.loss: answer_only (published: full)",
    ),
    (
        {"tasks": {"xnli": {"data": ROW}}},
        "tasks.xnli.data.train: t-{lang}.tsv (published: null)",
    ),
    (
        {"tunings": {"masked": {"mlp_targets": "gate_up"}}},
        "tunings.masked.mlp_targets: gate_up (published: gate)",
    ),
    (
        {"statistics": {"p90": {"positions": "non_pad"}}},
        "statistics.p90.positions: non_pad (published: all)",
    ),
    (
        {"statistics": {"p90": {"value": "p90", "quantile": "pooled"}}},
        "statistics.p90.quantile: pooled (published: batch_mean)",
    ),
    (
        {"statistics": {"zero": {"write": "prod"}}},
        "statistics.zero.write: prod (published: act_post)",
    ),
]


@pytest.mark.parametrize(("changes", "why"), CHANGES)
def test_the_first_field_that_differs_is_named(
    changes: dict[str, Any], why: str
) -> None:
    config = paper(changes)
    found = [one for one in Partners(config).evaluations if one.why == why]
    assert found
    partners = Partners(config)
    assert all(partners.values(one.task, one.row) == {} for one in found)
    lost = usual_partners() - partners_of(config)
    named = {one.key for one in found if "random" not in one.key.tuning}
    assert lost == named, "and nothing else lost its partner"


@pytest.mark.parametrize(
    "changes",
    [
        {
            "experiments": {
                "transfer": {"seeds": [1, 2, 3]},
                "finetuning": {"seeds": [1, 2, 3]},
            }
        },
        {"activations": {"batch_quantiles_every": 1, "histogram_every": 1}},
        {"corpora": {"wikipedia": {"shuffle_seed": 7, "heldout_tokens": 500_000}}},
        {"corpora": {"wikipedia": {"tokens_per_shard": 10_000_000}}},
        {"tasks": {"xnli": {"training": {"checkpoint_every": 10}}}},
        {"models": {"llama31": {"attn_implementation": "eager"}}},
        {"models": {"llama31": {"hub": None, "folder": "models/llama"}}},
        {"methods": {"lape": {"profile": "consistent"}}},
    ],
)
def test_what_may_differ_loses_nothing(changes: dict[str, Any]) -> None:
    assert partners_of(paper(changes)) == usual_partners()


def test_names_do_not_decide() -> None:
    """Another name for the same, and the papers' names for something else."""
    config = paper(
        {
            "statistics": {"high": {"value": "p90"}, "p95": {"value": "const",
                           "constant": 1.0}},
            "language_sets": {"western": {
                "languages": ["zh", "ja", "id", "vi", "es", "fr", "en"],
                "evaluate": ["vi"]}},
            "methods": {"mine": {"kind": "lape", "published_as": "lape",
                        "parameters": {"thresholds": "interpolated"}}},
            "tunings": {"usual": {"kind": "attention"},
                        "attention": {"kind": "all_mlp"}},
            "run": ["transfer"],
            **experiment("transfer", selections=["mine.western", "ap90.focus"],
                         statistics=["high", "p95"], tasks=["xnli"],
                         tunings=["usual", "attention"]),
        }
    )  # fmt: skip
    found = beside(config)
    assert {key[1] for key in found} == {"usual"}
    assert {key[4] for key in found} == {"none", "high"}
    assert found["llama31", "usual", "vi", "mine", "high"] == {"accuracy": 0.79}


def test_neurons_of_another_set_are_the_papers_where_languages_do_not_matter() -> None:
    indic = {"languages": ["en", "hi", "ur"], "evaluate": ["hi", "ur"]}
    selections = ["lape.set1", "lape.indic", "ap90.indic", "ap90.focus"]
    axes = experiment("transfer", selections=selections)
    config = paper({"language_sets": {"indic": indic}, **axes})
    found = beside(config)
    assert found["llama31", "attention", "hi", "ap90", "p90"] == {"accuracy": 0.718}
    assert ("llama31", "attention", "hi", "lape", "p90") not in found


TWICE: list[tuple[dict[str, Any], str, str]] = [
    (
        {
            "models": {
                "again": {
                    "family": "llama",
                    "folder": "models/llama",
                    "published_as": "llama31",
                }
            },
            "tasks": {
                "xnli": {"training_by_model": {"again": {"rank": 8, "alpha": 16}}}
            },
            **experiment("transfer", models=["llama31", "again"]),
        },
        "xnli llama31 attention vi none",
        "xnli again attention vi none",
    ),
    (
        {
            "methods": {
                "lape2": {
                    "kind": "lape",
                    "published_as": "lape",
                    "parameters": {"thresholds": "interpolated"},
                }
            },
            **experiment(
                "transfer", selections=["lape.set1", "lape2.set1", "lape.set6"]
            ),
        },
        "lape.set1.mean",
        "lape2.set1.mean",
    ),
]


@pytest.mark.parametrize(("changes", "one", "other"), TWICE)
def test_two_results_for_one_number_are_refused_at_start(
    changes: dict[str, Any], one: str, other: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        paper(changes)
    text = str(caught.value)
    assert one in text and other in text and "published_as" in text
    assert text.count("\n") == 1, "one message, however many numbers"


def test_seeds_and_sets_that_do_not_matter_are_no_two_results() -> None:
    selections = ["lape.set1", "lape.set6", "ap90.focus", "ap90.set1"]
    axes = {"transfer": {"selections": selections, "seeds": [1, 2]}}
    axes["finetuning"] = {"seeds": [1, 2]}
    config = paper({"experiments": axes})
    spec = spec_of(config, "reproduction")["rows"]
    keys = [(*one["key"],) for one in spec["evaluations"] if one["why"] is None]
    assert len(keys) == len(set(keys)) == 2 * (2 * 3 * 17) + 90
    sets = [tuple(one["key"]) for one in spec["neurons"] if one["why"] is None]
    assert set(sets) == {
        (model, method, langset)
        for model in ("llama31", "nemo")
        for method, langset in (("lape", "set1"), ("lape", "set6"), ("ap90", "focus"))
    }


def test_neurons_of_other_languages_are_no_partner() -> None:
    """What is published is of the neurons of the tested language."""
    axes = {"selections": ["lape.set1"], "statistics": ["zero"], "tasks": ["xnli"]}
    axes |= {"neuron_languages": "all"}
    config = paper({"run": ["transfer"], **experiment("transfer", **axes)})
    rows = spec_of(config, "xnli")["rows"]
    treated = [row for row in rows if row["statistic"] == "zero"]
    own = {row["neuron_lang"] == row["lang"] for row in treated if row["published"]}
    assert own == {True}
    assert any(row["neuron_lang"] != row["lang"] for row in treated)


def test_table_6_and_neuron_sets_need_the_papers_text() -> None:
    config = paper({"corpora": {"wikipedia": {"chunk_length": 256}}})
    why = "corpora.wikipedia.chunk_length: 256 (published: 512)"
    partners = Partners(config)
    assert {one.why for one in partners.activations} == {why}
    assert {one.why for one in partners.neurons} == {why}
    rows = spec_of(config, "activation_statistics")["rows"]
    assert rows and all(row["published"] == {} for row in rows)
    assert TableSpecs(config).reads("reproduction").neurons == []
    assert len(TableSpecs(paper()).reads("reproduction").neurons) == 6
    rows = spec_of(paper(), "activation_statistics")["rows"]
    assert sum(len(row["published"]) for row in rows) == 70


def test_neuron_sets_of_tang_et_al_are_of_their_own_procedure() -> None:
    languages = ["en", "zh", "fr", "es", "vi", "id", "ja"]
    changes: dict[str, Any] = {
        "models": {
            "llama2": {
                "family": "llama",
                "folder": "models/llama2",
                "quantization": "none",
                "published_as": "llama2-7b",
            }
        },
        "language_sets": {"tang": languages},
        "run": ["transfer"],
        "tables": [],
        **experiment("transfer", models=["llama2"], selections=["lape.tang"]),
        "tasks": {name: {"languages": ["vi"]} for name in ("xnli", "xquad")},
    }
    (one,) = Partners(paper(changes)).neurons
    assert one.why == (
        "methods.lape.parameters.thresholds: interpolated (published: kth)"
    )
    changes["methods"] = {"lape": {"parameters": {"thresholds": "kth"}}}
    (one,) = Partners(paper(changes)).neurons
    assert one.why is None and one.key == ("llama2-7b", "lape", "tang2024")


# ---- no field is forgotten


def leaves(model: type[BaseModel], *blocks: str) -> Iterator[str]:
    """List the fields of a model; those of some blocks as ``block.field``."""
    for name, field in model.model_fields.items():
        inside = [
            part
            for part in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        if name in blocks and inside:
            below = [b.partition(".")[2] for b in blocks if b.startswith(f"{name}.")]
            yield from (f"{name}.{leaf}" for leaf in leaves(inside[0], *below))
        else:
            yield name


def parameters(kind: str, folder: Any) -> list[str]:
    return [f"parameters.{k}" for k in folder.load(kind).PARAMETERS.model_fields]


def own(model: type[BaseModel], kind: str, folder: Any, *blocks: str) -> list[str]:
    named = [name for name in leaves(model, *blocks) if name != "parameters"]
    return [*named, *parameters(kind, folder)]


FIELDS = {
    "model": [*leaves(Model, "hub")],
    "corpus": [*leaves(Corpus, "hub")],
    "activations": [*leaves(Activations)],
    "method.lape": own(Method, "lape", methods),
    "method.ap90": own(Method, "actprob", methods),
    "statistic": [*leaves(Statistic)],
    "tuning.attention": [*leaves(Tuning)],
    "tuning.masked_lora": [*leaves(Tuning)],
    "training.xnli": [*leaves(Training)],
    "training.xquad": [*leaves(Training)],
    "task.xnli": own(Task, "xnli", tasks, "data", "data.hub"),
    "task.xquad": own(Task, "xquad", tasks, "data", "data.hub"),
}


@pytest.mark.parametrize("part", FIELDS)
def test_every_field_decides_or_may_differ(part: str) -> None:
    rules = procedure.procedure()[procedure.STUDY][part]
    decides, may = set(rules["decides"]), set(rules["may_differ"])
    assert not decides & may
    assert decides | may == set(FIELDS[part]), (
        "config/published_procedure.json: name the field under 'decides' with the "
        "published value, or under 'may_differ' with the reason"
    )
    assert all(rules["may_differ"].values())


def test_every_part_of_the_file_is_known() -> None:
    whole = procedure.procedure()
    assert set(whole) == {"about", "mondal2025", "tang2024", "rahmanisa2025"}
    assert set(whole["mondal2025"]) == {*FIELDS, "method.random"}
    assert set(whole["tang2024"]) == {"method.lape"}


def test_the_fields_of_an_entry_have_the_files_names() -> None:
    """A rule for a field that no entry has would never decide."""
    config = paper()
    given = {
        "model": procedure.of_model(config.model("nemo")),
        "corpus": procedure.fields(config.corpus("wikipedia"), "hub"),
        "activations": procedure.fields(config.activations),
        "method.lape": procedure.of_method(config, "lape"),
        "method.ap90": procedure.of_method(config, "ap90"),
        "statistic": procedure.of_statistic(config, "p90"),
        "tuning.attention": procedure.fields(config.tunings["attention"]),
        "tuning.masked_lora": procedure.fields(config.tunings["masked"]),
        "training.xnli": procedure.fields(config.training("xnli", "nemo", "attention")),
        "training.xquad": procedure.fields(config.training("xquad", "nemo", "masked")),
        "task.xnli": procedure.of_task(config.task("xnli")),
        "task.xquad": procedure.of_task(config.task("xquad")),
    }
    for part, fields in given.items():
        decides = procedure.procedure()[procedure.STUDY][part]["decides"]
        assert set(decides) <= set(fields), part


def test_deviations_are_documented_by_key() -> None:
    text = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8")
    for study in ("mondal2025", "tang2024", "rahmanisa2025"):
        for part, rules in procedure.procedure()[study].items():
            assert f"`{part}`" in text, part
            for field in rules["may_differ"]:
                name = field.removeprefix("parameters.")
                assert f"`{name}`" in text, f"{part}: {field}"


def test_tables_that_are_not_made_are_not_looked_for(usual: dict) -> None:
    config = paper({"tables": ["xnli", "reproduction"]})
    assert TableSpecs(config).reads("reproduction").tables == ["xnli"]
    assert beside(config) == usual
