"""What would do nothing, or the same twice, is refused when Snakemake starts."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from configurations import paper, tiny
from langneurons.config.errors import ConfigError
from langneurons.grid import rows
from langneurons.study.configuration import load


def problems(text: str) -> str:
    """Return what is said about the smallest configuration with some changes."""
    with pytest.raises(ConfigError) as caught:
        load(tiny(text))
    return str(caught.value)


NOTHING_DONE = [
    # Interventions
    ("{late: {value: zero, layers: [3, 1]}}", "late.layers: [3, 1] names no layer"),
    ("{late: {value: zero, layers: [-1, 1]}}", "late.layers: [-1, 1] names no layer"),
    ("{zero: {weight: 0.5}}", "zero.weight: op set takes none"),
    ("{mean: {op: clamp_min, weight: 2}}", "mean.weight: op clamp_min takes none"),
    ("{mean: {op: interpolate, weight: 0}}", "mean.weight: op interpolate with weight"),
    ("{zero: {op: add}}", "zero.op: add with value zero changes nothing"),
    ("{c: {value: const, constant: 1, op: scale}}", "c.op: scale with value const 1"),
    ("{zero: {measure: gate_pre}}", "zero.measure: value zero is not measured"),
    ("{zero: {value_language: en}}", "zero.value_language: value zero is not measured"),
    ("{mean: {quantile: pooled}}", "mean.quantile: value mean is no quantile"),
    (
        "{mean: {value_language: taget}}",
        "mean.value_language: unknown language 'taget' - did you mean 'target'?",
    ),
    (
        "{mean: {neuron_language: sorce}}",
        "mean.neuron_language: unknown language 'sorce' - did you mean 'source'?",
    ),
    ("{none: {value: zero}}", "none: 'none' is the name of the model"),
]


@pytest.mark.parametrize(("entry", "said"), NOTHING_DONE)
def test_a_statistic_that_does_nothing_is_refused(entry: str, said: str) -> None:
    assert f"statistics.{said}" in problems(f"statistics: {entry}")


USED = {
    "[late]": ("{late: {value: zero, layers: [1, 2]}}", "but demo has layers 0 to 1"),
    "[made]": (
        "{made: {value: zero, positions: generated}}",
        "made.positions: tasks.xnli (kind xnli) generates nothing",
    ),
    "[bn]": (
        "{bn: {value: mean, neuron_language: bn}}",
        "bn.neuron_language: tasks.xnli would overwrite neurons of 'bn', of which "
        "language set world has none",
    ),
    "[values]": ("{values: {value: mean, value_language: bn}}", "no text for bn"),
    "[mean, average]": (
        "{average: {value: mean}}",
        "experiments.transfer.statistics: average writes the same as mean",
    ),
    "[median, half]": (
        "{median: {value: median}, half: {value: p50}}",
        "experiments.transfer.statistics: half writes the same as median",
    ),
}


@pytest.mark.parametrize("names", USED)
def test_a_statistic_that_does_nothing_where_it_is_used(names: str) -> None:
    entry, said = USED[names]
    axes = f"experiments: {{transfer: {{statistics: {names}}}}}"
    assert said in problems(f"statistics: {entry}\n{axes}")
    load(tiny(f"statistics: {entry}"))  # an entry that nothing uses costs nothing


def test_what_is_generated_must_be_read_back() -> None:
    made = "statistics: {made: {value: zero, positions: generated}}\n"
    made += "experiments: {transfer: {by_task: {xquad: {statistics: [made]}}}}\n"
    task = "tasks: {xquad: {parameters: {max_new_tokens: %d}}}\n"
    load(tiny(made + task % 2))
    assert "generates one token and reads none back" in problems(made + task % 1)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{value: zero, positions: generated}", "'generated' changes no likelihood"),
        ("{value: zero, positions: last}", "'last' changes no likelihood"),
        ("{value: zero, neuron_language: en}", "neurons of each language in turn"),
        ("{value: mean, value_language: source}", "has no source language"),
    ],
)
def test_perplexity_refuses_what_changes_no_text(entry: str, said: str) -> None:
    text = f"statistics: {{odd: {entry}}}\n"
    text += "experiments: {perplexity: {statistics: [odd]}}"
    assert "statistics.odd." in problems(text) and said in problems(text)


def test_one_profile_makes_pairs_of_statistics_the_same() -> None:
    recorded = {"batch_quantiles": ["act_post"]}
    with pytest.raises(ConfigError, match="mean_consistent writes the same as mean"):
        load(paper(profile="consistent", activations=recorded))


SELECTIONS = [
    (
        "experiments: {transfer: {selections: [lape-3.world]}}",
        "lape (kind lape) draws nothing",
    ),
    (
        "experiments: {transfer: {selections: [random_lape-2.world]}}",
        "random_lape has draws 1 to 1",
    ),
    (
        "experiments: {transfer: {selections: [random_lape-01.world]}}",
        "as in random_lape-1.world",
    ),
    (
        "experiments: {transfer: {selections: [random_lape-0.world]}}",
        "as in random_lape-1.world",
    ),
    (
        "experiments: {transfer: {selections: [random_lape.world, "
        "random_lape-1.world]}}",
        "experiments.transfer.selections: random_lape-1.world is in random_lape.world "
        "already",
    ),
    (
        "experiments: {other_methods: {selections: [random_lape.world]}}",
        "experiments.other_methods.selections: random_lape.world are random neurons",
    ),
    (
        "experiments: {transfer: {tunings: [lape-2.world.en]}}",
        "experiments.transfer.tunings: 'lape-2.world'",
    ),
    (
        "experiments: {transfer: {tunings: [random_lape.world.en]}}",
        "as in random_lape-1.world.en",
    ),
    (
        "experiments: {transfer: {tunings: [lape.world.en+en]}}",
        "names a language twice",
    ),
    (
        "experiments: {transfer: {tunings: [masked.lape.world.en, lape.world.en]}}",
        "lape.world.en is in masked.lape.world.en already",
    ),
    (
        "experiments: {transfer: {tunings: [lape.world.en+vi, lape.world.vi+en]}}",
        "lape.world.vi+en is in lape.world.en+vi already",
    ),
    (
        "experiments: {finetuning: {selections: [random_lape.world]}}",
        "belong to experiments.finetuning.con",
    ),
    ("experiments: {finetuning: {baselines: [all_mlp]}}", "'attention' is missing"),
    (
        "experiments: {finetuning: {baselines: [attention, lape.world.en]}}",
        "tunings without",
    ),
    ("tunings: {attention: {kind: all_mlp}}", "tunings.attention: kind all_mlp"),
    ("tunings: {masked: {kind: all_mlp}}", "masked tunes no selected neurons"),
    ("methods: {random: {kind: lape}}", "'random' are the controls"),
    ("methods: {lape: {published_as: lap}}", "did you mean 'lape'"),
    ("models: {demo: {published_as: lama31}}", "did you mean 'llama31'"),
    ("tables: [cost]", "tables: unknown table 'cost'"),
]


@pytest.mark.parametrize(("text", "said"), SELECTIONS)
def test_names_of_neurons_mean_something_and_only_once(text: str, said: str) -> None:
    assert said in problems(text)


@pytest.mark.parametrize(
    "name",
    [
        "perplexity", "profiles", "reproduction", "activation_statistics", "cost",
        "finetune_xnli", "random_mine",
    ],
)  # fmt: skip
def test_no_task_has_the_name_of_another_table(name: str) -> None:
    entry = "{kind: xnli, languages: [vi], data: {train: a, test: b}}"
    said = f"tasks.{name}: another table has this name"
    assert said in problems(f"tasks: {{{name}: {entry}}}")


def test_names_are_short_enough_for_files() -> None:
    text = f"statistics: {{{'a' * 61}: {{value: zero}}}}"
    assert "a name of 61 signs; at most 60" in problems(text)
    axes = f"{{perplexity: {{languages: [{'a' * 31}]}}}}"
    assert "at most 30 signs" in problems(f"experiments: {axes}")


@pytest.mark.parametrize("word", ["target", "source", "both"])
def test_words_for_languages_are_no_codes(word: str) -> None:
    said = f"language_sets.own: {word!r} is no language code"
    assert said in problems(f"language_sets: {{own: [en, {word}]}}")


TUNED = [
    ("{languages: [vi, hi], selections: [lape.hindi]}", "none has neurons for vi"),
    (
        "{selections: [lape.hindi], tuned_languages: [both]}",
        "'both' needs neurons of en",
    ),
    ("{selections: [lape.hindi], tuned_languages: [source]}", "needs neurons of en"),
    ("{languages: [hi], controls: [random_lape.viet]}", "is for no language of tasks"),
]


@pytest.mark.parametrize(("block", "said"), TUNED)
def test_neuron_tuning_tunes_neurons_that_are_there(block: str, said: str) -> None:
    sets = "language_sets: {hindi: [hi, vi], viet: [en, vi]}\n"
    sets = sets.replace("[hi, vi]", "{languages: [hi, vi], evaluate: [hi]}")
    assert said in problems(f"{sets}experiments: {{finetuning: {block}}}")


NOT_READ = [
    ("tasks: {xnli: {test_seed: 1}}", "tasks.xnli.test_seed: draws a sample"),
    (
        "tasks: {xnli: {parameters: {template: '{premise} {hypothesis}', "
        "separator: space}}}",
        "'separator' would have no effect",
    ),
    (
        "tasks: {xquad: {parameters: {template: plain, prompt_indent: dedent}}}",
        "'prompt_indent' would have no effect",
    ),
    (
        "methods: {entropy_lambda: {parameters: {fixed_lambda: 0.1, tolerance: 0.1}}}",
        "'tolerance' would have no effect",
    ),
    (
        "tunings: {rows: {training: {rank: 4}}}",
        "tunings.rows.training.rank: kind subnetwork_rows with attention: false",
    ),
    (
        "tunings: {masked: {attention: false, training: {attention_modules: [q]}}}",
        "tunings.masked.training.attention_modules",
    ),
]


@pytest.mark.parametrize(("text", "said"), NOT_READ)
def test_a_key_that_nothing_reads_is_refused(text: str, said: str) -> None:
    assert said in problems(text)


@pytest.mark.parametrize(
    ("folder", "kind", "given"),
    [
        ("methods", "actprob", {"percentile": 0}),
        ("methods", "plnd", {"importance": "total"}),
        ("methods", "entropy_lambda", {"fixed_lambda": 0.1}),
        ("tasks", "xnli", {"template": "{premise} {hypothesis}"}),
        ("tasks", "xquad", {"template": "plain"}),
    ],
)
def test_defaults_that_do_not_apply_are_no_mistake(
    folder: str, kind: str, given: dict
) -> None:
    """A job is told all parameters of a method or task, whatever was written."""
    parameters = importlib.import_module(f"langneurons.{folder}").load(kind).PARAMETERS
    once = parameters.model_validate(given)
    assert parameters.model_validate(once.model_dump()) == once


WHOSE_ROWS = [
    ("tasks: {xnli: {data: {test: results/demo_world/nli/test-en.tsv}}}", "data.test"),
    ("tasks: {xquad: {languages: [vi], data: {test: a.json}}}", None),
    ("tasks: {xnli: {data: {train: one.tsv}}}", None),  # one source language
    (
        "corpora: {wikipedia: {hub: {config: null}}}\n"
        "default_corpus: wikipedia\nrun: [transfer, finetuning]",
        "corpora.wikipedia.hub.config: null is the same for en, hi, vi",
    ),
    (
        "experiments: {transfer: {tasks: [other]}}\n"
        "tasks: {other: {kind: xnli, languages: [vi, hi], data: "
        "{hub: {repo: a/b, revision: %s, config: all}}}}" % ("a" * 40),
        "tasks.other.data.hub.config: 'all' is the same for en, hi, vi",
    ),
]


@pytest.mark.parametrize(("text", "said"), WHOSE_ROWS)
def test_each_language_has_rows_of_its_own(text: str, said: str | None) -> None:
    if said is None:
        load(tiny(text))
    else:
        assert said in problems(text) and "{lang}" in problems(text)


DEMO = [
    ("demo_world: {languages: [en, vi, xx]}", "demo_world.languages: unknown language"),
    ("demo_world: {languages: [vi, hi]}", "demo_world.languages: 'en' is missing"),
    ("demo_world: {low_resource: [ur]}", "demo_world.low_resource: unknown language"),
    ("demo_world: {languages: [en, vi]}", "no text for hi in results/demo_world"),
    (
        "language_sets: {world: [en, vi, hi, hii]}",
        "hii of language_sets.world - did you mean 'hi'?",
    ),
    ("tasks: {xnli: {source_language: vi}}", "tasks.xnli.data.train: unknown language"),
    ("corpora: {demo: {chunk_length: 2000}}", "is more than all of its 1024 tokens"),
    (
        "experiments: {perplexity: {chunks: 17}}",
        "keeps 512 tokens aside, which is 16 chunks of 32",
    ),
    ("corpora: {demo: {heldout_tokens: 0}}", "chunks of 32; raise heldout_tokens"),
    (
        "experiments: {perplexity: {languages: [fr]}}",
        "of which experiments.perplexity.languages names none",
    ),
]


@pytest.mark.parametrize(("text", "said"), DEMO)
def test_the_text_of_each_language_is_there(text: str, said: str) -> None:
    assert said in problems(text)


def test_values_of_a_language_need_its_text(tmp_path: Path) -> None:
    """Also where a method has a corpus of its own, and no set has the language."""
    for lang in ("en", "vi", "hi"):
        (tmp_path / f"{lang}.txt").write_text("text")
    own = f"corpora: {{own: {{folder: '{tmp_path}'}}}}\n"
    own += "methods: {lape: {corpus: own}}\n"
    load(tiny(own))
    values = "statistics: {foreign: {value: mean, value_language: bn}}\n"
    values += "experiments: {transfer: {statistics: [foreign]}}\n"
    assert "corpora.own.folder: no text for bn" in problems(own + values)


def test_random_neurons_get_values_of_the_corpus_that_they_are_set_beside() -> None:
    text = "corpora: {own: {folder: results/demo_world/corpus}}\n"
    config = load(tiny(text + "methods: {lape: {corpus: own, profile: paper}}"))
    assert config.method_corpus("random_lape-1") == "own"
    assert config.method_recorded("random_lape-1") == config.method_recorded("lape")
    assert config.method_corpus("actprob") == "demo"


def test_a_tuning_has_one_name() -> None:
    given = "{tunings: [attention, masked.lape.world.en]}"
    config = load(tiny(f"experiments: {{transfer: {given}}}"))
    found = {str(row.tuning) for row in rows.task_rows(config, "xnli")}
    assert found == {"attention", "lape.world.en"}
