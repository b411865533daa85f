"""Tasks on pairs of languages, from the configuration to their jobs."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import yaml

from configurations import merge, tiny
from langneurons.config.errors import ConfigError
from langneurons.config.names import Bridged
from langneurons.costs.parts import Parts
from langneurons.grid.subjects import OnTask
from langneurons.study import local_files
from langneurons.study.configuration import load
from langneurons.study.specs import Specs

PAIRS = """
run: [bridged]
dictionaries:
  words: {probe: "w/{source}-{target}.a", test: "w/{source}-{target}.b", pivot: en}
tasks:
  bli: {kind: bli, data: {dictionary: words}, parameters: {names: {vi: Vi, hi: Hi}}}
  passages:
    kind: belebele_bridged
    data: {test: "b/{code}.jsonl", codes: {vi: vie_Latn, hi: hin_Deva}}
    parameters: {names: {vi: Vietnamese, hi: Hindi}}
experiments:
  bridged:
    kind: bridges
    models: [demo]
    tasks: [bli, passages]
    pairs: [vi-hi, en-vi]
    candidates: [en, hi]
    selection: lape.world
    similarities: [overlap]
    probes: {dictionary: words}
"""


def config(changes: str = ""):
    below = yaml.safe_load(PAIRS)
    return load(merge(merge(tiny(), below), yaml.safe_load(changes) or {}))


def of(told, **wildcards):
    return json.loads(told(SimpleNamespace(**wildcards)))


def test_what_jobs_are_told():
    specs = Specs(config())
    told = of(specs.prepare_dictionary, dictionary="words", pair="vi-hi")
    assert told == {
        "dictionary": "words",
        "pair": "vi-hi",
        "legs": [
            {
                "pair": "vi-en",
                "swapped": False,
                "files": ["w/vi-en.a", "w/vi-en.b"],
            },
            {
                "pair": "en-hi",
                "swapped": False,
                "files": ["w/en-hi.a", "w/en-hi.b"],
            },
        ],
        "identical": "keep",
    }
    told = of(specs.prepare_task, task="bli", split="test", lang="vi-hi")
    assert told["data"] == {"hub": None, "file": None, "dictionary": "words"}
    given = {"task": "bli", "model": "demo", "tuning": "base", "seed": 0}
    wildcards = {**given, "lang": "vi-hi", "part": 1, "parts": 1}
    told = of(specs.evaluate_task, **wildcards)
    assert told["treatments"] == {"none": {}, "via_en": {}}
    assert told["shared"]["language"] == "vi-hi"


def test_each_language_of_a_pair_has_its_source_on_the_hub():
    source = f"{{repo: facebook/belebele, revision: {'a' * 40}, config: '{{code}}'}}"
    codes = "{vi: vie_Latn, hi: hin_Deva}"
    data = f"{{test: null, codes: {codes}, hub: {source}}}"
    specs = Specs(config(f"tasks: {{passages: {{data: {data}}}}}"))
    told = of(specs.prepare_task, task="passages", split="test", lang="vi-hi")
    assert [one["config"] for one in told["data"]["hub"]] == ["vie_Latn", "hin_Deva"]


def test_files_are_asked_for_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        local_files.require(config())
    said = str(caught.value)
    assert "dictionaries.words (vi-en): w/vi-en.a does not exist" in said
    assert "dictionaries.words (en-hi): w/en-hi.b does not exist" in said
    assert "tasks.passages.data.test: b/vie_Latn.jsonl does not exist" in said
    assert "results/dictionaries" not in said
    made = local_files.of_task(config(), "bli", "test", "vi-hi")
    assert made == ["results/dictionaries/words/vi-hi.json"]
    made = local_files.of_task(config(), "passages", "test", "en-vi")
    assert made == ["b/en.jsonl", "b/vie_Latn.jsonl"]


def test_a_bridge_takes_about_twice_as_long():
    parts = Parts(config())
    (subject,) = [x for x in parts._tasks if x.task == "bli" and x.lang == "vi-hi"]
    assert isinstance(subject, OnTask)
    (part,) = parts.of(subject)
    direct = parts.estimates.treatment(subject)
    bridged = parts.estimates.treatment(subject, Bridged("en"))
    assert bridged.seconds == pytest.approx(2 * direct.seconds)
    both = parts.estimates.treatments(subject, part.treatments)
    assert both.seconds == pytest.approx(3 * direct.seconds)


def test_a_passage_is_translated_once():
    changes = "tasks: {passages: {parameters: {max_new_tokens: 100}}}"
    parts = Parts(config(changes))
    (subject,) = [x for x in parts._tasks if x.task == "passages" and x.lang == "vi-hi"]
    direct = parts.estimates.treatment(subject)
    bridged = parts.estimates.treatment(subject, Bridged("en"))
    # Of 900 questions on 488 passages.
    assert bridged.tokens - direct.tokens == 488 * (230 + 100)


OTHER = "experiments: {{bridged: {{tasks: [other]}}}}\ntasks: {{other: {}}}"
PASSAGES = "{{kind: belebele_bridged, data: {}}}"
REFUSED = {
    "tasks.bli.data.dictionary: unknown dictionary 'wrods'.*did you mean 'words'": (
        "tasks: {bli: {data: {dictionary: wrods}}}"
    ),
    "tasks.bli.data.dictionary: missing": (
        "tasks: {bli: {data: {dictionary: null, test: x.jsonl}}}"
    ),
    "tasks.other.data.dictionary: kind belebele_bridged reads no dictionary": (
        OTHER.format(PASSAGES.format("{dictionary: words}"))
    ),
    "tasks.bli.languages: kind bli is tested on pairs": (
        "tasks: {bli: {languages: [en]}}"
    ),
    "tasks.xnli.languages: missing": "tasks: {xnli: {languages: []}}",
    "tasks.other: parameters.names: unknown language 'vi'": (
        OTHER.format("{kind: bli, data: {dictionary: words}}")
    ),
    "tasks.other: parameters.names: unknown language 'hi'": (
        OTHER.format(
            "{kind: bli, data: {dictionary: words}, parameters: {names: {vi: Vi}}}"
        )
    ),
    "dictionaries.words: w/words.a would be read as the words of en-vi and en-hi": (
        "dictionaries: {words: {probe: w/words.a}}"
    ),
    "tasks.other.data.test: 'one.jsonl' is the same for en, hi, vi": (
        OTHER.format(PASSAGES.format("{test: one.jsonl}"))
    ),
    r"experiments.bridged.tasks: xnli \(kind xnli\) is not tested on pairs": (
        "experiments: {bridged: {tasks: [xnli]}}"
    ),
    r"experiments.transfer.tasks: bli \(kind bli\) is tested on pairs": (
        "run: [transfer]\nexperiments: {transfer: {tasks: [bli]}}"
    ),
    "give either 'hub', or 'test'.*or 'dictionary'": (
        "tasks: {bli: {data: {test: x.jsonl}}}"
    ),
    "dictionaries.Words: names are lower case": (
        "dictionaries: {Words: {probe: a, test: b}}"
    ),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_does_not_fit_together_is_refused(said):
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        config(REFUSED[said])
