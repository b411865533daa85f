"""Values of the configuration are what they say; problems are told in YAML's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from configurations import tiny
from langneurons.config.errors import ConfigError
from langneurons.config.fields import Frozen
from langneurons.config.schema import Config
from langneurons.study import references
from langneurons.study.configuration import load
from langneurons.study.specs import Specs


def problems(text: str) -> str:
    """Return what is said about the smallest configuration with some changes."""
    with pytest.raises(ConfigError) as caught:
        load(tiny(text))
    return str(caught.value)


LISTS = {
    "run": "run: [transfer, transfer]",
    "tables": "tables: [xnli, xnli]",
    **{
        f"experiments.{place}": (
            f"experiments: {{{place.partition('.')[0]}: "
            f"{{{place.partition('.')[2]}: {given}}}}}"
        )
        for place, given in {
            "transfer.models": "[demo, demo]",
            "transfer.selections": "[lape.world, lape.world]",
            "transfer.statistics": "[mean, zero, mean]",
            "transfer.control_statistics": "[zero, zero]",
            "transfer.tasks": "[xnli, xnli]",
            "transfer.languages": "[vi, vi]",
            "transfer.tunings": "[attention, attention]",
            "transfer.seeds": "[42, 42.0]",
            "transfer.neuron_languages": "[vi, vi]",
            "other_methods.selections": "[kojima.world, kojima.world]",
            "perplexity.languages": "[en, en]",
            "perplexity.selections": "[lape.world, lape.world]",
            "perplexity.statistics": "[zero, zero]",
            "perplexity.neuron_languages": "[vi, vi]",
            "finetuning.tasks": "[xnli, xnli]",
            "finetuning.selections": "[lape.world, lape.world]",
            "finetuning.tuned_languages": "[target, target]",
            "finetuning.entries": "[masked, masked]",
            "finetuning.baselines": "[attention, attention]",
            "finetuning.languages": "[hi, hi]",
        }.items()
    },
    "experiments.transfer.by_task.xquad.statistics": (
        "experiments: {transfer: {by_task: {xquad: {statistics: [zero, zero]}}}}"
    ),
    "tasks.xnli.languages": "tasks: {xnli: {languages: [vi, hi, vi]}}",
    "tasks.xnli.training.attention_modules": (
        "tasks: {xnli: {training: {attention_modules: [q, k, q]}}}"
    ),
    "tunings.rows.training.attention_modules": (
        "tunings: {rows: {training: {attention_modules: [q, q]}}}"
    ),
    "language_sets.world.languages": "language_sets: {world: [en, vi, hi, vi]}",
    "language_sets.focus.evaluate": (
        "language_sets: {focus: {languages: [en, vi], evaluate: [vi, vi]}}"
    ),
    "activations.batch_quantiles": (
        "activations: {batch_quantiles: [gate_pre, gate_pre]}"
    ),
    "demo_world.languages": "demo_world: {languages: [en, vi, hi, vi]}",
    "methods.entropy_lambda.parameters.classes": (
        "methods: {entropy_lambda: {parameters: {classes: [related, related]}}}"
    ),
}


@pytest.mark.parametrize("place", LISTS)
def test_an_entry_of_a_list_stands_once(place: str) -> None:
    assert f"{place}: " in problems(LISTS[place])
    assert "stands twice" in problems(LISTS[place])


def test_every_list_of_the_configuration_is_a_set() -> None:
    """A list that a new key brings is one too: the rule is not written for each."""

    class Block(Frozen):
        names: tuple[str, ...] | None = None
        pair: tuple[float, float] = (0, 1)

    assert Block(pair=(0.5, 0.5)).pair == (0.5, 0.5)  # two numbers, no list
    with pytest.raises(ValueError, match="'a' stands twice"):
        Block(names=["a", "b", "a"])


def test_the_schema_says_that_lists_are_sets() -> None:
    schema = references.editor_schema()
    lists = []

    def collect(part: Any) -> None:
        if isinstance(part, dict) and part.get("type") == "array":
            lists.append(part)
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, (dict, list)):
                collect(inner)

    collect(schema)
    assert len(lists) > 25
    of_any_length = [part for part in lists if "items" in part]
    assert all(part["uniqueItems"] for part in of_any_length)
    pairs = [part for part in lists if "prefixItems" in part]
    assert pairs and not any("uniqueItems" in part for part in pairs)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("language_sets: {world: [en, no, hi]}", "world.languages: text is needed"),
        ("language_sets: {world: [en, no, hi]}", "quote it, as in 'no'"),
        ("models: {demo: {quantization: off}}", "quote it"),
        ("models: {no: {family: llama}}", "models: the key false is no text"),
        ("models: {1: {family: llama}}", "models: the key 1 is no text"),
        ("corpora: {demo: {text_column: 2024-01-01}}", "quote it, as in '2024-01-01'"),
        ("statistics: {a: {value: p5, value_language: 5}}", "quote it, as in '5'"),
        (
            "experiments: {transfer: {seeds: [yes]}}",
            "experiments.transfer.seeds: a number is needed, not true",
        ),
        (
            "experiments: {transfer: {seeds: [-1]}}",
            "experiments.transfer.seeds.0: must be at least 0 (given: -1)",
        ),
        (
            "experiments: {transfer: {statistics: mean}}",
            "experiments.transfer.statistics: a list is needed",
        ),
        (
            "experiments: {transfer: {neuron_languages: every}}",
            "experiments.transfer.neuron_languages: 'every' is not one of 'target' or "
            "'all', nor a list",
        ),
        (
            "experiments: {transfer: {neuron_languages: [V]}}",
            "experiments.transfer.neuron_languages.0: 'V' is not a language code",
        ),
        (
            "experiments: {transfer: {neuron_languages: [no]}}",
            "experiments.transfer.neuron_languages: text is needed, not false",
        ),
        (
            "experiments: {transfer: 3}",
            "experiments.transfer: a block of keys and values is needed (given: 3)",
        ),
        ("experiments: 3", "experiments: a block of keys and values is needed"),
        ("run: transfer", "run: a list is needed, as in [a, b] (given: 'transfer')"),
        ("models: [a]", "models: a block of keys and values is needed (given: a list)"),
        ("experiments: {transfer: {models: null}}", "the key is empty or null"),
        (
            "experiments: {transfer: {models: []}}",
            "at least 1 entry is needed, 0 given",
        ),
        (
            "statistics: {odd: {value: const, constant: .nan}}",
            "statistics.odd.constant: a finite number is needed (given: .nan)",
        ),
        (
            "tasks: {xnli: {training: {epochs: .inf}}}",
            "training.epochs: a finite number is needed (given: .inf)",
        ),
        (
            "methods: {lape: {parameters: {top_rate: .nan}}}",
            "methods.lape.parameters.top_rate: a finite number",
        ),
        (
            "methods: {lape: {parameters: {top_rte: 1}}}",
            "methods.lape.parameters.top_rte: unknown key - did you mean 'top_rate'?",
        ),
        (
            "tasks: {xnli: {training_by_model: {demo: {rank: 0}}}}",
            "tasks.xnli.training_by_model.demo.rank: must be at least 1 (given: 0)",
        ),
        (
            "tunings: {masked: {training: {learning_rate: fast}}}",
            "tunings.masked.training.learning_rate: a number is needed (given: 'fast')",
        ),
        (
            "tasks: {xnli: {training: {rank: 1.5}}}",
            "training.rank: a whole number is needed (given: 1.5)",
        ),
        (
            "tasks: {xnli: {training: {adam_betas: [0.9]}}}",
            "training.adam_betas.1: the list is too short",
        ),
        (
            "models: {demo: {demo: {hidden_size: 15}}}",
            "give a multiple of 4",
        ),
        ("models: {demo: {family: mistral}}", "give both the same value"),
        (
            "models: {nemo: {hub: {config: '{lang}'}}}",
            "hub.config belongs to data sets",
        ),
        ("models: {nemo: {hub: {repo: 'a b/c'}}}", "is not a repository: owner/name"),
        ('corpora: {demo: {text_column: "a\\0b"}}', "no text file can hold"),
    ],
)
def test_a_wrong_value_is_told_in_the_words_of_yaml(text: str, said: str) -> None:
    found = problems(text)
    assert said in found
    for word in ("tuple", "dictionary", "NoneType", "Input should", "valid string"):
        assert word not in found


def test_a_quoted_no_is_a_code() -> None:
    found = problems("language_sets: {world: [en, 'no', hi]}")
    assert "quote" not in found and "no text for no" in found


@pytest.mark.parametrize("number", ["2e-3", "2E-3", "2.0e-3", "0.002", "'0.002'"])
def test_numbers_may_be_written_with_an_exponent(number: str) -> None:
    """YAML 1.1 reads 2e-3 as text; the job is the same however it is written."""
    text = f"tasks: {{xnli: {{training: {{learning_rate: {number}}}}}}}\n"
    text += f"methods: {{lape: {{parameters: {{top_rate: {number}}}}}}}\n"
    one, two = (Specs(load(tiny(t))) for t in (text, text.replace(number, "0.002")))
    chosen = SimpleNamespace(
        task="xnli", model="demo", tuning="attention", seed=42, method="lape",
        langset="world",
    )  # fmt: skip
    assert one.tune_model(chosen) == two.tune_model(chosen)
    assert one.identify_neurons(chosen) == two.identify_neurons(chosen)


def test_whole_numbers_may_be_written_with_an_exponent() -> None:
    loaded = load(tiny("corpora: {demo: {tokens: 1e3}}"))
    assert loaded.corpus("demo").tokens == 1000


def loaded(text: str) -> Config:
    return load(tiny(text))


@pytest.mark.parametrize("written", ["~/text", "$BASE/text", "${BASE}/text"])
def test_paths_are_read_as_a_shell_does(
    written: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BASE", str(tmp_path))
    folder = tmp_path / "text"
    folder.mkdir()
    for lang in ("en", "vi", "hi"):
        (folder / f"{lang}.txt").write_text("text")
    found = loaded(
        f"corpora: {{demo: {{folder: '{written}'}}}}\n"
        f"models: {{local: {{family: llama, folder: '{written}/model'}}}}\n"
        f"tasks: {{xnli: {{data: {{test: '{written}/{{lang}}.tsv'}}}}}}\n"
        f"methods: {{own: {{kind: published, parameters: "
        f"{{path: '{written}/n.pth', languages: [en]}}}}}}\n"
    )
    assert found.corpus("demo").folder == str(folder)
    assert found.model("local").folder == f"{folder}/model"
    assert found.task("xnli").data.test == f"{folder}/{{lang}}.tsv"
    assert found.method("own").parameters["path"] == f"{folder}/n.pth"


@pytest.mark.parametrize(
    "changes",
    [
        "corpora: {demo: {folder: '%s'}}",
        "models: {local: {family: llama, folder: '%s'}}",
        "models: {local: {family: llama, gguf: {path: '%s'}}}",
        "tasks: {xnli: {data: {train: '%s'}}}",
        "methods: {own: {kind: published, parameters: {path: '%s', languages: [en]}}}",
    ],
)
def test_an_unknown_variable_or_placeholder_is_named(
    changes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    assert "variable 'NOWHERE' is not set" in problems(changes % "$NOWHERE/x")
    assert "'~nobody-here'" in problems(changes % "~nobody-here/x")
    assert "unknown placeholder {language}" in problems(changes % "x/{language}.tsv")
    assert "placeholder {lang!r}" in problems(changes % "x/{lang!r}.tsv")
    assert "(" in problems(changes % "x/{lang.tsv")
    assert "a path is needed" in problems(changes % " ")


def test_the_name_of_a_configuration_takes_the_language_only() -> None:
    text = "corpora: {wikipedia: {hub: {config: '2023.{language}'}}}"
    assert "corpora.wikipedia.hub.config: '2023.{language}'" in problems(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("methods: {random_lape: {draws: 1001}}", "methods.random_lape.draws"),
        (
            "corpora: {demo: {tokens: 20000, tokens_per_shard: 1}}",
            "raise tokens_per_shard to 2 or more",
        ),
    ],
)
def test_what_multiplies_jobs_is_bounded(text: str, said: str) -> None:
    """A hundred million pieces took all memory before anything was said."""
    assert said in problems(text)
