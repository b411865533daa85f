"""Translation from the configuration to its jobs: amplified on pairs, and bridged."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from configurations import merge, tiny
from langneurons.config.errors import ConfigError
from langneurons.grid import rows
from langneurons.study import local_files, targets
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from test_pairs_planned import of

AMPLIFIED = """
run: [mine]
language_names: {en: English, vi: Vietnamese, hi: Hindi}
statistics: {p_max: {value: max, positions: non_pad}}
tasks:
  mt: &mt
    kind: translation
    data: {test: "f/{lang}.txt"}
    parameters: {lexicon: "w/{lang}.txt", lexicon_languages: [en, vi, hi]}
  open: {<<: *mt, kind: translation_untargeted}
experiments:
  mine:
    kind: amplification
    models: [demo]
    tasks: [xquad, mt, open]
    languages: [vi]
    pairs: [en-vi, en-hi]
    selections: [lape.world, random_lape.world]
    statistics: [p_max]
    control_statistics: [p_max]
    prompt: "Answer in {language}."
"""
HUB = """
tasks:
  mt:
    data:
      test: null
      hub: {repo: facebook/flores, revision: null, config: "{code}"}
      test_split: devtest
      codes: {en: eng_Latn, vi: vie_Latn}
"""


def mine(changes: str = "", **axes: Any) -> Any:
    whole = tiny(AMPLIFIED)
    whole["experiments"] = {"mine": whole["experiments"]["mine"] | axes}
    return merge(whole, yaml.safe_load(changes) or {})


def treatments(raw: Any, task: str, lang: str) -> set[str]:
    found = rows.task_rows(load(raw), task)
    return {str(row.treatment) for row in found if row.lang == lang}


def test_tasks_on_pairs_are_tested_on_pairs_and_others_on_languages():
    config = load(mine())
    assert rows.languages(config, "xquad") == ["vi"]
    for task in ("mt", "open"):
        assert rows.languages(config, task) == ["en-vi", "en-hi"]
        found = treatments(mine(), task, "en-vi")
        assert found == treatments(mine(), "xquad", "vi")
        assert {"none", "lape.world.hi.p_max", "prompt.vi"} <= found
    own = treatments(mine(neuron_languages="target"), "mt", "en-hi")
    assert {x for x in own if x[0] in "lp"} == {"lape.world.hi.p_max", "prompt.hi"}
    assert "random_lape-1.world.hi.p_max" in own


def test_what_jobs_are_told():
    specs = Specs(load(mine(HUB)))
    told = of(specs.prepare_task, task="mt", split="test", lang="en-vi")
    sources = told["data"]["hub"]
    assert [(x["config"], x["split"]) for x in sources] == [
        ("eng_Latn", "devtest"), ("vie_Latn", "devtest"),
    ]  # fmt: skip
    given = {"task": "mt", "model": "demo", "tuning": "base", "seed": 0}
    told = of(specs.evaluate_task, **given, lang="en-hi", part=1, parts=1)
    assert told["shared"]["language"] == "en-hi"
    whose = told["treatments"]["lape.world.vi.p_max"]
    assert whose["neuron_language"] == whose["value_language"] == "vi"
    assert told["treatments"]["prompt.hi"]["instruction"] == "Answer in Hindi.\n"


def test_files_of_parameters_are_asked_for_and_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load(mine())
    lexica = [f"w/{lang}.txt" for lang in ("en", "vi", "hi")]
    assert local_files.of_parameters(config, "mt") == lexica
    assert local_files.of_parameters(config, "xquad") == []
    with pytest.raises(ConfigError) as caught:
        local_files.require(config)
    said = str(caught.value)
    assert "tasks.mt.parameters.lexicon (hi): w/hi.txt does not exist" in said
    assert "tasks.mt.data.test: f/vi.txt does not exist" in said


def test_there_are_matrices_of_changes_and_no_figures_of_bridges():
    config = load(mine(tasks=["mlama", "mt", "open"], languages=None))
    for task in ("mt", "open"):
        folder, found = targets.folder(config), targets.figures(config)
        own = [x for x in found if f".{task}." in x or f"/{task}/" in x]
        assert own == [f"{folder}/demo/change.{task}.lape.world.p_max.svg"]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("", {"pairs": []}, "experiments.mine.pairs: missing; mt, open is tested on"),
    ("", {"tasks": ["xquad"]}, r"pairs: none of its tasks \(xquad\) is tested on pai"),
    ("", {"tasks": ["mt"]}, "mine.languages: all of its tasks are tested on pai"),
    ("", {"pairs": ["en-en"]}, "pair 'en-en' is not of the form source-target"),
    ("", {"pairs": ["en-fr"]}, "parameters.lexicon_languages: unknown language 'fr'"),
    ("", {"pairs": ["xx-vi"]}, "tasks.open: parameters.names: unknown language 'xx'"),
    ("tasks: {mt: {data: {test_split: dev}}}", {}, "'test_split' goes with 'hub'"),
    ("tasks: {mt: {parameters: {template: x}}}", {}, "placeholders none; needed"),
]


@pytest.mark.parametrize(("changes", "axes", "said"), REFUSED)
def test_what_does_not_fit_together_is_refused(changes, axes, said):
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        load(mine(changes, **axes))


BRIDGED = """
run: [bridged]
tasks:
  bli: {kind: bli, data: {dictionary: words}, parameters: {names: {vi: Vi, hi: Hi}}}
  mt:
    kind: translation
    data: {test: "f/{lang}.txt"}
    parameters: {lexicon: "w/{lang}.txt", lexicon_languages: [en, vi, hi]}
dictionaries:
  words: {probe: "w/{source}-{target}.a", test: "w/{source}-{target}.b", pivot: en}
experiments:
  bridged:
    kind: bridges
    models: [demo]
    tasks: [bli, mt]
    pairs: [vi-hi]
    candidates: [en]
    selection: lape.world
    similarities: [overlap]
    probes: {dictionary: words}
"""


def test_sentences_pass_through_bridges():
    config = load(merge(tiny(), yaml.safe_load(BRIDGED)))
    found = rows.task_rows(config, "mt")
    assert [(row.lang, str(row.treatment)) for row in found] == [
        ("vi-hi", "none"), ("vi-hi", "via_en"),
    ]  # fmt: skip
    given = {"task": "mt", "model": "demo", "tuning": "base", "seed": 0}
    told = of(Specs(config).evaluate_task, **given, lang="vi-hi", part=1, parts=1)
    assert told["treatments"] == {"none": {}, "via_en": {}}
    assert "{target}" in told["shared"]["parameters"]["template"]
    untargeted = "tasks: {mt: {kind: translation_untargeted}}"
    raw = merge(merge(tiny(), yaml.safe_load(BRIDGED)), yaml.safe_load(untargeted))
    with pytest.raises(ConfigError, match="mt: is not tested through a bridge"):
        load(raw)


def test_of_one_task_only_own_neurons_may_be_amplified():
    """As the study did: translation only into the language that is amplified."""
    own = {"by_task": {"mt": {"neuron_languages": "target"}}}
    mt = treatments(mine(**own), "mt", "en-hi")
    assert {x for x in mt if x.startswith("lape")} == {"lape.world.hi.p_max"}
    assert {x for x in mt if x.startswith("prompt")} == {"prompt.hi"}
    assert treatments(mine(**own), "open", "en-hi") == (
        treatments(mine(), "open", "en-hi")
    )
    none = {"by_task": {"mt": {"control_statistics": []}}}
    found = treatments(mine(**none), "mt", "en-hi")
    assert found == {x for x in treatments(mine(), "mt", "en-hi") if x[0] != "r"}
    unknown = {"by_task": {"mt": {"neuron_languages": ["fr"]}}}
    with pytest.raises(ConfigError, match=r"by_task.mt.neuron_languages: unknown"):
        load(mine(**unknown))
