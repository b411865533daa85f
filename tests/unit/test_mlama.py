"""mLAMA: prompts, which objects are scored, the table of shifts, files and hub sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.nn.evaluation.examples import Likelihood
from langneurons.tasks.mlama import TASK, _is_asked, prompt, table
from langneurons.text import hub
from test_continuations import model, tokenizer
from tiny_models import opened

LANGUAGES = ("en", "id", "vi", "zh")
STUDY = "en nl id ms vi ja zh fr pt ru et it ta th tr"
TEMPLATES = {
    "P36": {"en": "The capital of [X] is [Y] .", "id": "Ibu kota [X] adalah [Y].",
            "vi": "Thủ đô của [X] là [Y].", "zh": "[X]的首都是[Y]。"},
    "P17": {"en": "[X] is located in [Y] .", "id": "[X] terletak di [Y].",
            "vi": "[X] nằm ở [Y].", "zh": "[X]位于[Y]中。"},
    "P19": {"en": "[Y] is where [X] was born", "id": "[X] lahir di [Y]",
            "vi": "[X] sinh ra ở [Y]", "zh": "[X]出生在[Y]"},
}  # fmt: skip
FACTS = [
    {"relation": "P36",
     "sub": {"en": "France", "id": "Prancis", "vi": "Pháp", "zh": "法国"},
     "obj": {"en": "Paris", "id": "Paris", "vi": "Paris", "zh": "巴黎"}},
    {"relation": "P17",
     "sub": {"en": "Hanoi", "id": "Hanoi", "vi": "Hà Nội", "zh": "河内"},
     "obj": {"en": "Vietnam", "id": "Vietnam", "vi": "Việt Nam", "zh": "越南"}},
    {"relation": "P17", "sub": {"en": "Bonn", "id": "Bonn", "vi": "Bonn", "zh": "波恩"},
     "obj": {"en": "Germany", "id": "Jerman", "vi": "Đức", "zh": "德国"}},
    {"relation": "P17", "sub": {"en": "Hue", "vi": "Huế"},
     "obj": {"en": "Vietnam", "vi": "Việt Nam", "id": "vietnam"}},
    {"relation": "P19", "sub": {"en": "Ada", "id": "Ada", "vi": "Ada", "zh": "阿达"},
     "obj": {"en": "London", "id": "London", "vi": "Luân Đôn", "zh": "伦敦"}},
]  # fmt: skip


def write(folder, facts=FACTS, templates=TEMPLATES, languages=LANGUAGES):
    path = folder / "facts.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in facts), encoding="utf-8")
    rows = ["\t".join(["relation", *languages])]
    rows += [
        "\t".join([name, *(t[x] for x in languages)]) for name, t in templates.items()
    ]
    beside = folder / "templates.tsv"
    beside.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def prepared(path, language, **given):
    spec = {"task": "mlama", "kind": "mlama", "data": {"hub": None}, "split": "test"}
    spec |= {"language": language, "test_items": None, "test_seed": 0} | given
    return tasks.prepare(spec, [Path(x) for x in tasks.files(TASK, str(path))])


def parameters(**given):
    return TASK.PARAMETERS.model_validate({"languages": LANGUAGES} | given)


def evaluate(facts, language="en", **given):
    lm = opened(model("llama"), tokenizer())
    made = TASK.evaluate(lm, facts, parameters(**given), language)
    return tasks.checked(TASK, made).set_index("item")


def test_one_file_has_all_languages_and_every_language_every_fact(tmp_path):
    path = write(tmp_path)
    assert tasks.files(TASK, str(path)) == [str(path), str(tmp_path / "templates.tsv")]
    of = {lang: prepared(path, lang) for lang in LANGUAGES}
    for lang, items in of.items():
        assert [item["id"] for item in items] == [0, 1, 2, 3, 4]
        assert [x["relation"] for x in items] == [x["relation"] for x in FACTS]
        assert [x["objects"] for x in items] == [x["obj"] for x in FACTS]
        assert all("language" not in item for item in items)
        assert items[0]["template"] == TEMPLATES["P36"][lang]
    subjects = {lang: of[lang][3]["subject"] for lang in LANGUAGES}
    assert subjects == {"en": "Hue", "id": None, "vi": "Huế", "zh": None}
    sampled = [
        [x["id"] for x in prepared(path, lang, test_items=3)] for lang in LANGUAGES
    ]
    assert len(sampled[0]) == 3 and sampled == [sampled[0]] * 4
    with pytest.raises(DataError, match="no row is of language 'fr'"):
        prepared(path, "fr")
    with pytest.raises(DataError, match="5 items, but test_items is 6"):
        prepared(path, "en", test_items=6)


@pytest.mark.parametrize(
    ("lang", "way", "wanted"),
    [
        ("en", "prefix", "The capital of France is"),
        ("en", "remove", "The capital of France is ."),
        ("zh", "prefix", "法国的首都是"),
        ("zh", "remove", "法国的首都是[Y]。"),  # no blank before it, so that it stays
        ("vi", "final_only", "Thủ đô của Pháp là"),
    ],
)
def test_prompts_by_hand(tmp_path, lang, way, wanted):
    assert prompt(prepared(write(tmp_path), lang)[0], way) == wanted


@pytest.mark.parametrize(
    ("lang", "given", "asked"),
    [
        ("en", {}, [0, 1, 2, 3]),  # P19 there says the object first, and no subject
        ("en", {"prompt": "remove"}, [0, 1, 2, 3, 4]),
        ("vi", {}, [0, 1, 2, 3, 4]),
        ("id", {}, [0, 1, 2, 4]),  # fact 3 has no subject there
        ("zh", {}, [1, 2, 4]),  # P36 is wrong there
        ("zh", {"relations_left_out": {}}, [0, 1, 2, 4]),
        ("zh", {"prompt": "final_only"}, [4]),  # a word stands behind the object in P17
        ("zh", {"prompt": "final_only", "relations_left_out": {}}, [0, 4]),
        ("vi", {"relations_left_out": {"vi": ["P17", "P19"]}}, [0]),
        ("vi", {"items": "distinct_all"}, [2]),
        ("vi", {"items": "all"}, [0, 1, 2, 3, 4]),
    ],
)
def test_which_facts_are_asked(tmp_path, lang, given, asked):
    made = evaluate(prepared(write(tmp_path), lang), lang, **given)
    assert made.index.tolist() == asked


def test_which_objects_are_scored(tmp_path):
    """Equal words are no answer in another language; their strings are kept."""
    items = prepared(write(tmp_path), "en")
    pair, every = evaluate(items), evaluate(items, items="all")
    scored = {i: [x for x in LANGUAGES if row[f"logprob_{x}"] == row[f"logprob_{x}"]]
              for i, row in pair.iterrows()}  # fmt: skip
    assert scored == {0: ["en", "zh"], 1: ["en", "vi", "zh"], 2: list(LANGUAGES),
                      3: ["en", "vi"]}  # fmt: skip
    assert pair["object_id"].tolist() == ["Paris", "Vietnam", "Jerman", "vietnam"]
    assert pair["object_zh"].tolist()[:3] == ["巴黎", "越南", "德国"]
    assert pd.isna(pair.loc[3, "object_zh"]) and pd.isna(pair.loc[3, "logprob_zh"])
    assert pair["tokens_id"].isna().tolist() == [True, True, False, True]
    assert (every["logprob_id"][:2] == every["logprob_en"][:2]).all()
    assert every["logprob_id"].notna().all() and every["tokens_id"].dtype == "Int32"
    for name in ("logprob_en", "logprob_vi"):
        both = pair[name].notna()
        assert np.allclose(pair[name][both], every[name][both], atol=1e-5)
    assert (pair["nats"] == pair["logprob_en"]).all()


def test_the_table_by_hand():
    """Own: likelier than every other word, not than the same one in another case."""
    items = [{"id": 3, "relation": "P1",
              "objects": {"en": "Oslo", "nb": "oslo", "fr": "O"}},
             {"id": 5, "relation": "P1", "objects": {"en": "Rome", "fr": "Rome"}},
             {"id": 6, "relation": "P2", "objects": {"en": "Bonn", "fr": "B"}},
            ]  # fmt: skip
    scored = [dict(item["objects"]) for item in items]
    found = [
        Likelihood(np.array([-3.0, -1, -4]), np.array([2, 1, 3]), np.zeros(3, bool)),
        Likelihood(np.array([-2.0]), np.array([1]), np.zeros(1, bool)),
        Likelihood(np.array([-5.0, -5.0]), np.array([1, 1]), np.zeros(2, bool)),
    ]
    made = table(items, scored, found, ["en", "nb", "fr"], "en")
    assert made["own"].tolist() == [True, True, False]
    assert made["nats"].tolist() == [-3.0, -2.0, -5.0]
    assert made["logprob_nb"][0] == -1.0 and made["logprob_nb"][1:].isna().all()
    assert made["logprob_fr"].tolist() == [-4.0, -2.0, -5.0]
    assert made["tokens_fr"].tolist() == [3, 1, 1]
    assert made["object_nb"].tolist()[0] == "oslo" and pd.isna(made["object_nb"][1])
    columns = ["item", "own", "nats", "relation"]
    for lang in ("en", "nb", "fr"):
        columns += [f"logprob_{lang}", f"tokens_{lang}", f"object_{lang}"]
    assert list(made) == columns
    explained = set(TASK.per_item())
    assert {name.replace("_nb", "_{lang}") for name in columns if "_en" not in name
            and "_fr" not in name} == explained  # fmt: skip


def test_numbers_survive_a_file(tmp_path):
    made = evaluate(prepared(write(tmp_path), "en")).reset_index()
    made.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), made)


def test_a_blank_stands_before_the_object_but_in_unspaced_languages(tmp_path):
    path = write(tmp_path)
    for lang, join, blank in (("vi", "by_language", " "), ("zh", "by_language", ""),
                              ("zh", "space", " ")):  # fmt: skip
        items = prepared(path, lang)[2:3]
        made = evaluate(items, lang, join=join)
        count = len(tokenizer().encode(f"{prompt(items[0], 'prefix')}{blank}Germany"))
        alone = len(tokenizer().encode(prompt(items[0], "prefix")))
        assert made["tokens_en"].tolist() == [count - alone]


def test_no_fact_left_says_why(tmp_path):
    items = prepared(write(tmp_path), "zh")[:1]
    with pytest.raises(DataError, match=r"zh: no fact is left of 1.*\(prefix\)"):
        evaluate(items, "zh")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"obj": {"en": ""}}, r"facts.jsonl: row 6 \(line 6\): obj: en is ''"),
        ({"obj": {}}, "obj is {}; an object of texts by language is expected"),
        ({"sub": "Ada"}, "sub is 'Ada'"),
        ({"relation": "P99"}, "'P99' has no template in .*templates.tsv; it has P36"),
        ({"relation": ...}, "no column relation"),
    ],
)
def test_bad_facts_are_refused(change, said, tmp_path):
    row = {k: v for k, v in {**FACTS[0], **change}.items() if v is not ...}
    with pytest.raises(DataError, match=said):
        list(TASK.read_file(write(tmp_path, [*FACTS, row])))


@pytest.mark.parametrize(
    ("template", "said"),
    [("[X] is red", r"\[Y\] 0 times"), ("[X] [Y] [Y]", r"\[Y\] 2 times"),
     ("", r"\[X\] 0 times")],
)  # fmt: skip
def test_bad_templates_are_refused(template, said, tmp_path):
    changed = {**TEMPLATES, "P19": {**TEMPLATES["P19"], "vi": template}}
    with pytest.raises(
        DataError, match=rf"templates.tsv: row 3 \(line 4\), vi.*{said}"
    ):
        list(TASK.read_file(write(tmp_path, templates=changed)))
    (tmp_path / "templates.tsv").unlink()
    with pytest.raises(DataError, match=r"templates\.tsv"):
        list(TASK.read_file(tmp_path / "facts.jsonl"))


def test_a_tested_language_is_among_those_scored():
    (said,) = TASK.unmet(parameters(), ["en", "fr"])
    assert "'fr'" in said and "en, id, vi, zh" in said
    with pytest.raises(ValueError, match="languages"):
        TASK.PARAMETERS.model_validate({})
    with pytest.raises(ValueError, match="'prefix', 'remove' or 'final_only'"):
        parameters(prompt="suffix")


ROW = {"template": "[X]的首都是[Y]。", "predicate_id": "P36",
       "sub_zho": "法国",
       "obj_zho": "巴黎", "sub_en": "France", "obj_en": "Paris",
       "obj_xx": None}  # fmt: skip


def from_hub(monkeypatch, *rows, codes=None):
    monkeypatch.setattr(hub, "rows", lambda source, language, split: iter(rows))
    source = {"repo": "inayarhmns/MLAMA-dod-185"} | ({"codes": codes} if codes else {})
    return list(TASK.read_hub(source, "zh", "test"))


def test_rows_of_the_hub_are_read_with_the_codes_of_the_data_set(monkeypatch):
    (item,) = from_hub(monkeypatch, ROW, codes={"zh": "zho", "ja": "jpn"})
    assert item == {"id": 0, "relation": "P36", "template": ROW["template"],
                    "subject": "法国",
                    "objects": {"zh": "巴黎", "en": "Paris"}}  # fmt: skip
    with pytest.raises(DataError, match="zh test, row 1: no column sub_zh, obj_zh"):
        from_hub(monkeypatch, ROW)
    with pytest.raises(DataError, match="row 2: obj_en is ' '"):
        from_hub(monkeypatch, ROW, {**ROW, "obj_en": " "}, codes={"zh": "zho"})


def test_the_set_of_mlama_itself_is_refused_with_another(monkeypatch):
    said = hub.needs_script("cis-lmu/m_lama")
    assert said and "loading script" in said and "MLAMA-dod-185" in said
    assert hub.needs_script("inayarhmns/MLAMA-dod-185") is None


def test_the_real_facts_are_those_of_the_study(shared_data):
    path = shared_data / "mlama/facts.jsonl"
    lines = [json.loads(x) for x in path.read_text(encoding="utf-8").splitlines()]
    languages = tuple(STUDY.split(" "))
    items = prepared(path, "ja")
    assert len(items) == 4916 and items[4915]["id"] == 4915
    distinct = [
        len({x["obj"][code].casefold() for code in languages}) == 15 for x in lines
    ]
    assert sum(distinct) == 583
    given = parameters(languages=languages, items="distinct_all")
    asked = [item["id"] for item in items if _is_asked(item, given, "ja")]
    left = [i for i, x in enumerate(lines) if distinct[i] and x["relation"] != "P36"]
    assert asked == left
    assert all("[" not in prompt(items[i], "prefix") for i in asked)
