"""What a task lacks is told before the first job; where its items are."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from configurations import tiny
from langneurons.config.errors import ConfigError, DataError
from langneurons.study import local_files
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.text import hub

REVISION = "a" * 40


def config(task: str):
    """Read the smallest configuration with a task on the model as it is."""
    experiment = "experiments: {transfer: {tasks: [t], tunings: [base]}}"
    return load(tiny(f"tasks: {{t: {task}}}\n{experiment}\nrun: [transfer]"))


def problems(task: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(task)
    return str(caught.value)


def spec(task: str, lang: str):
    given = SimpleNamespace(task="t", split="test", lang=lang)
    return json.loads(Specs(config(task)).prepare_task(given))["data"]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            "{kind: xcopa, languages: [vi, hi], data: {test: 'x/{lang}.jsonl'}}",
            "tasks.t: languages: unknown language 'hi'.*et, ht, id",
        ),
        (
            "{kind: mlama, languages: [en, vi], data: {test: facts.jsonl}, "
            "parameters: {languages: [en, hi]}}",
            "tasks.t: parameters.languages: unknown language 'vi'.*en, hi",
        ),
        (
            "{kind: mlama, languages: [en, vi], data: {hub: {repo: cis-lmu/m_lama, "
            f"revision: {REVISION}, config: '{{lang}}'}}}}, "
            "parameters: {languages: [en, vi]}}",
            "tasks.t.data: .*loading script.*MLAMA-dod-185",
        ),
        (
            "{kind: xcopa, languages: [vi], data: {test: x.jsonl}, "
            "parameters: {wording: papr}}",
            "tasks.t.*wording.*'papr'.*repaired, harness, paper|wording.*papr",
        ),
        (
            "{kind: belebele, languages: [en, vi], data: {test: '{code}.jsonl'}}",
            "'codes'.*there are none",
        ),
        (
            "{kind: belebele, languages: [en, vi], data: {test: '{lang}.jsonl', "
            "codes: {en: eng_Latn}}}",
            "nothing says {code}",
        ),
        (
            "{kind: belebele, languages: [en, vi], data: {test: '{code}.jsonl', "
            "codes: {en: eng_Latn, vi: eng_Latn}}}",
            "two languages the same code",
        ),
        (
            "{kind: belebele, languages: [en, vi], data: {test: one.jsonl}}",
            "tasks.t.data.test: 'one.jsonl' is the same for en, vi",
        ),
    ],
)
def test_what_a_task_lacks_is_told_before_the_first_job(task, said):
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(problems(task).replace("\n", " "))


MLAMA = (
    "{kind: mlama, languages: [en, vi], data: {test: a/facts.jsonl}, "
    "parameters: {languages: [en, vi]}}"
)
BELEBELE = "{kind: belebele, languages: [en, vi], data: {%s codes: {en: eng_Latn}}}"
ON_HUB = f"hub: {{repo: facebook/belebele, revision: {REVISION}, config: '{{code}}'}},"


def test_a_file_of_all_languages_and_what_lies_beside_it_are_asked_for():
    found = {one.path: one.place for one in local_files._tasks(config(MLAMA))}
    assert found == {
        "a/facts.jsonl": "tasks.t.data.test",
        "a/templates.tsv": "tasks.t.data.test",
    }
    with pytest.raises(ConfigError, match=r"a/templates\.tsv does not exist"):
        local_files.require(config(MLAMA))


def test_codes_of_a_data_set_are_its_own_and_in_no_path_of_ours():
    local = BELEBELE % "test: 'b/{code}.jsonl',"
    made = {one.path: one.made for one in local_files._tasks(config(local))}
    assert list(made) == ["b/eng_Latn.jsonl", "b/vi.jsonl"]
    ends = [path.rpartition("/")[2] for paths in made.values() for path in paths]
    assert ends == ["test.en.jsonl", "test.vi.jsonl"]
    whole = spec(BELEBELE % ON_HUB, "en")["hub"]
    assert whole["config"] == "eng_Latn" and whole["codes"] == {"en": "eng_Latn"}
    assert spec(BELEBELE % ON_HUB, "vi")["hub"]["config"] == "vi"
    plain = spec("{kind: xcopa, languages: [vi], data: {test: x.jsonl}}", "vi")
    assert plain == {"hub": None, "file": "x.jsonl"}


def test_a_data_set_with_a_script_alone_names_one_without(monkeypatch):
    import datasets

    def refuse(*given, **named):
        raise RuntimeError("Dataset scripts are no longer supported, but found a.py")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    monkeypatch.setattr(hub, "_own_files", lambda *given: ("json", []))
    monkeypatch.setattr(hub.network, "check", lambda: None)
    for repo, said in (("cis-lmu/m_lama", "MLAMA-dod-185"), ("a/b", "copy in Parquet")):
        source = {"repo": repo, "revision": REVISION, "config": "{lang}"}
        with pytest.raises(DataError, match=f"loading script.*{said}"):
            list(hub.rows(source, "en", "test"))
