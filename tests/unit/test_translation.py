"""Sentences that a model translates: by hand (spec test 8), and by tiny models."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from langneurons import tasks
from langneurons.config.errors import ConfigError, DataError
from langneurons.tasks import translation, translation_untargeted
from langneurons.tasks.common import sentence_pairs, sentence_translations
from langneurons.text import hub
from scripted_model import Scripted
from test_continuations import model, tokenizer
from test_generation import treatment
from tiny_models import opened

sacrebleu = pytest.importorskip("sacrebleu", reason="pip install sacrebleu")

TARGETED, UNTARGETED = translation.TASK, translation_untargeted.TASK
EN = ("The sun is red.", "A cat sat.", "Two cats sat on the mat.")
VI = ("Mặt trời màu đỏ.", "Một con mèo ngồi.", "Hai con mèo ngồi trên tấm thảm.")
ITEMS = [
    {"id": i, "source": source, "reference": reference}
    for i, (source, reference) in enumerate(zip(EN, VI, strict=True))
]
SPEC = {
    "task": "flores",
    "kind": "translation",
    "data": {"hub": None},
    "language": "en-vi",
    "split": "test",
    "test_items": None,
    "test_seed": 0,
}


class Writer(Scripted):
    """Writes what a test wants; a token is a character, also of a plain sentence.

    Attributes:
        limits: of each prompt, in order.
    """

    def __init__(self, says, kind="gemma2"):
        super().__init__(says)
        self.limits = []
        self.model = SimpleNamespace(config=SimpleNamespace(model_type=kind))

    def encode(self, texts, beginning=False):
        return [list(map(ord, text)) for text in texts]

    def generate(self, prompts, new, *, stop=()):
        each = [new] * len(prompts) if isinstance(new, int) else new
        self.limits += each
        made = super().generate(prompts, 10_000, stop=stop)
        return [tokens[:n] for tokens, n in zip(made, each, strict=True)]


def run(lm, treatment="none", task=TARGETED, items=ITEMS, **given):
    parameters = task.PARAMETERS.model_validate(given)
    return tasks.evaluated(task, treatment, lm, (items, parameters, "en-vi"))


def files(tmp_path, texts, suffix="txt"):
    made = []
    for code, text in texts.items():
        path = tmp_path / f"{code}.{suffix}"
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made


def test_sentences_are_joined_by_line(tmp_path):
    paths = files(tmp_path, {"en": "\n".join(EN) + "\n\n", "vi": "\n".join(VI)})
    assert tasks.prepare(SPEC, paths) == ITEMS
    assert tasks.prepare({**SPEC, "test_items": 1}, paths)[0] in ITEMS
    files(tmp_path, {"vi": "\n".join(VI[:2])})
    with pytest.raises(DataError, match="3 sentences, but 2 translations"):
        tasks.prepare(SPEC, paths)
    files(tmp_path, {"vi": f"{VI[0]}\n\n{VI[2]}"})
    with pytest.raises(DataError, match="line 2 is empty; lines of two languages"):
        tasks.prepare(SPEC, paths)


@pytest.mark.parametrize("suffix", ["tsv", "jsonl"])
def test_sentences_are_joined_by_their_id(tmp_path, suffix):
    def text(rows):
        if suffix == "tsv":
            return "id\ttext\n" + "".join(f"{n}\t{t}\n" for n, t in rows)
        return "".join(json.dumps({"id": n, "sentence": t}) + "\n" for n, t in rows)

    vi = [(3, VI[2]), (1, VI[0]), (2, VI[1])]
    paths = files(tmp_path, {"en": text(enumerate(EN, 1)), "vi": text(vi)}, suffix)
    assert tasks.prepare(SPEC, paths) == ITEMS
    files(tmp_path, {"vi": text(vi[:2])}, suffix)
    with pytest.raises(DataError, match="id '2' is in one of the two languages only"):
        tasks.prepare(SPEC, paths)
    files(tmp_path, {"vi": text([*vi, (3, "x")])}, suffix)
    with pytest.raises(DataError, match="id '3' stands twice"):
        tasks.prepare(SPEC, paths)


def test_a_sentence_has_one_number_in_all_pairs_of_languages(tmp_path):
    """Files of other sources have the same keys, in another order of rows."""
    keys, of = ("9", "x1", "10"), {}
    for source, order in (("en", (0, 1, 2)), ("de", (2, 0, 1))):
        texts = {source: order, "vi": (1, 2, 0)}
        rows = {
            code: "id\ttext\n" + "".join(f"{keys[i]}\t{code} {keys[i]}\n" for i in rows)
            for code, rows in texts.items()
        }
        of[source] = tasks.prepare(SPEC, files(tmp_path, rows, "tsv"))
    for source, items in of.items():
        assert [item["id"] for item in items] == [0, 1, 2]
        assert [item["source"] for item in items] == [
            f"{source} {key}" for key in ("9", "10", "x1")
        ]
    assert [x["reference"] for x in of["en"]] == [x["reference"] for x in of["de"]]


def test_flores_of_the_hub_has_a_split_of_its_own(monkeypatch):
    asked = []

    def rows(source, language, split):
        asked.append((source["config"], split))
        texts = EN if language == "en" else VI
        return ({"id": i, "sentence": text} for i, text in enumerate(texts, 1))

    monkeypatch.setattr(hub, "rows", rows)
    sources = [{"repo": "f", "config": c, "split": "devtest"} for c in ("eng", "vie")]
    assert tasks.prepare({**SPEC, "data": {"hub": sources}}, []) == ITEMS
    assert asked == [("eng", "devtest"), ("vie", "devtest")]


def test_other_files_are_refused(tmp_path):
    (path,) = files(tmp_path, {"en": "x"}, "csv")
    with pytest.raises(DataError, match=r"sentences are in .txt, .tsv, .jsonl files"):
        list(sentence_pairs.read_file(path))
    (path,) = files(tmp_path, {"en": "a\tb\n1\t2\n"}, "tsv")
    with pytest.raises(DataError, match="no column sentence or text; has a, b"):
        list(sentence_pairs.read_file(path))


SAYS = {
    "English: The sun is red.\nVietnamese:": " " + VI[0] + "\nEnglish: more",
    "English: A cat sat.\nVietnamese:": "The cat sat on the table in the kitchen.",
    "mat.\nVietnamese:": " " + VI[2],
}


def test_targeted_by_hand():
    """Text after the first newline does not count; scores are those of sacrebleu."""
    lm = Writer(SAYS)
    made = run(lm)
    answers = [VI[0], "The cat sat on the table in the kitchen.", VI[2]]
    assert list(made["answer"]) == answers and list(made["aid"]) == ["", "", ""]
    assert list(made["in_target"]) == [True, False, True]
    assert list(made["language"]) == ["vi", "en", "vi"]
    assert list(made) == list(TARGETED.per_item())
    assert lm.asked[0] == (
        "Translate from English to Vietnamese.\n\nEnglish: The sun is red.\nVietnamese:"
    )
    scores = tasks.metrics(TARGETED, made, TARGETED.PARAMETERS(), "en-vi")
    chrf = sacrebleu.CHRF(word_order=2).corpus_score(answers, [list(VI)])
    bleu = sacrebleu.BLEU().corpus_score(answers, [list(VI)])
    assert scores["chrf"] == pytest.approx(chrf.score / 100, abs=1e-11)
    assert scores["bleu"] == pytest.approx(bleu.score / 100, abs=1e-11)
    assert scores["in_target"] == 2 / 3
    assert list(scores) == ["chrf", "sentence_chrf", "in_target", "bleu"]


def test_the_released_way_keeps_everything_up_to_50_tokens():
    made = run(Writer(SAYS), stop="none", max_new_tokens=50)
    assert made["answer"][0] == f"{VI[0]}\nEnglish: more"
    made = run(Writer(SAYS), stop="none", max_new_tokens=12)
    assert made["answer"][0] == VI[0][:11]


def test_a_long_reference_is_not_cut():
    """Three times the tokens of the source, and at least 128."""
    long = "word " * 50
    items = [*ITEMS, {"id": 3, "source": long, "reference": "x " * 300}]
    says = SAYS | {f"{long}\nVietnamese:": "x " * 300}
    lm = Writer(says | {"English: A cat sat.\nVietnamese:": "y" * 127})
    made = run(lm, items=items)
    assert lm.limits == [128, 128, 128, 750]
    assert len(made["answer"][1]) == 127 and len(made["answer"][3]) == 599


@pytest.mark.parametrize("task", [TARGETED, UNTARGETED])
def test_baseline_and_intervention_are_asked_the_same(task):
    say = {"Vietnamese:": "x", "Target language: ": "y"}
    asked = []
    for name in ("none", "lape.s.vi.p_max", "prompt.vi"):
        lm = Writer(say)
        run(lm, name, task)
        asked.append(lm.asked)
    assert asked[0] == asked[1] == asked[2] and len(asked[0]) == 3
    assert ("Vietnamese" in asked[0][0]) == (task is TARGETED)


def test_untargeted_prompts_are_those_of_the_study():
    with_the = (
        "Translate from English into the target language.\n\nEnglish: The sun is red."
        "\nTarget language: "
    )
    without = (
        "Translate from English into target language.\nEnglish: The sun is red."
        "\nTarget language: "
    )
    for kind, given, wanted in (
        ("gemma2", {}, with_the),
        ("qwen2", {}, without),
        ("qwen2", {"wording": "gemma"}, with_the),
        ("gemma2", {"wording": "qwen"}, without),
        ("llama", {"template": "{source}:{text}→"}, "English:The sun is red.→"),
    ):
        lm = Writer({wanted[-9:]: VI[0]}, kind)
        made = run(lm, task=UNTARGETED, items=ITEMS[:1], **given)
        assert lm.asked == [wanted] and list(made["in_target"]) == [True]
    assert next(iter(UNTARGETED.METRICS)) == "in_target"


def test_through_a_bridge_its_own_translation_is_translated():
    first = {f"{text}\nGerman:": f" de{i}\nx" for i, text in enumerate(EN)}
    second = {f"German: de{i}\nVietnamese:": VI[i] for i in range(3)}
    lm = Writer(first | second)
    made = run(lm, "via_de")
    assert list(made["aid"]) == ["de0", "de1", "de2"]
    assert list(made["answer"]) == list(VI) and made["in_target"].all()
    assert lm.asked[3] == (
        "Translate from German to Vietnamese.\n\nGerman: de0\nVietnamese:"
    )
    given = TARGETED.PARAMETERS()
    assert TARGETED.generates_via(given) == 2 * TARGETED.generates(given) == 256


def test_a_lexicon_tells_languages(tmp_path):
    paths = files(tmp_path, {"vi": "bo\nku\nni", "en": "ri\nsa\nku"})
    given = {"lexicon": str(tmp_path / "{lang}.txt"), "lexicon_languages": ["vi", "en"]}
    lm = Writer(dict.fromkeys(SAYS, "Bo, ni ri"))
    made = run(lm, **given)
    assert list(made["language"]) == ["vi"] * 3 and made["in_target"].all()
    parameters = TARGETED.PARAMETERS.model_validate(given)
    named = {"lexicon (vi)": str(paths[0]), "lexicon (en)": str(paths[1])}
    assert TARGETED.files(parameters) == named
    assert list(TARGETED.unmet(parameters, ["en-vi"])) == []
    (told,) = TARGETED.unmet(parameters, ["en-ht"])
    assert "parameters.lexicon_languages: unknown language 'ht'" in told


def test_batches_change_nothing():
    """Limits differ from prompt to prompt, and so do the languages of a batch."""
    items = [{**item, "id": i} for i, item in enumerate([*ITEMS, *ITEMS[:2]])]
    change = treatment(model("llama"))
    made = []
    for micro_batch in (1, 2, 5):
        lm = opened(model("llama"), tokenizer(), micro_batch).under(change)
        made.append(run(lm, items=items, max_new_tokens=20))
    for other in made[1:]:
        assert made[0].equals(other)
    lm = opened(model("llama"), tokenizer(), 2)
    coded = lm.encode(["sun is", "red", "mặt trời"], beginning=True)
    each = [lm.generate([ids], n)[0] for ids, n in zip(coded, (3, 9, 5), strict=True)]
    assert lm.generate(coded, [3, 9, 5]) == each
    assert [len(tokens) for tokens in each] == [3, 9, 5]
    with pytest.raises(DataError, match="2 numbers, but there are 3 prompts"):
        lm.generate(coded, [3, 9])


def test_what_cannot_be_done_is_told_before_anything_runs():
    given = TARGETED.PARAMETERS()
    assert list(TARGETED.unmet(given, ["en-vi", "zh-sw", "de"])) == []
    told = list(TARGETED.unmet(given, ["en-xx", "yy"]))
    assert ["parameters.names: unknown language 'xx'" in told[0], len(told)] == [
        True,
        3,
    ]
    assert "CLD2: unknown language 'xx'" in told[2]
    named = UNTARGETED.PARAMETERS()
    assert list(UNTARGETED.unmet(named, ["en-vi"])) == []
    (told,) = UNTARGETED.unmet(named, ["en-vi", "de"])
    assert "not tested through a bridge" in told


@pytest.mark.parametrize("task", [TARGETED, UNTARGETED])
def test_a_job_reads_parameters_with_their_defaults_written_out(task):
    given = {"template": "{text} {target}" if task is TARGETED else "{text}"}
    given |= {"lexicon": "{lang}.txt", "lexicon_languages": ["en", "vi"]}
    parameters = task.PARAMETERS.model_validate(given)
    written = parameters.model_dump(mode="json")
    assert task.PARAMETERS.model_validate(written) == parameters


@pytest.mark.parametrize(
    ("task", "given", "said"),
    [
        (
            TARGETED,
            {"template": "{text}"},
            "needed {target}, {text}, allowed {s",
        ),
        (TARGETED, {"template": "{target} {text!r}"}, "placeholders {target}, {text}"),
        (
            TARGETED,
            {"template": "{target} {text} {x}"},
            "placeholders {target}, {text}",
        ),
        (TARGETED, {"template": "{target} {text} {"}, "is no template"),
        (
            UNTARGETED,
            {"template": "{target}{text}"},
            "{target} would name the",
        ),
        (UNTARGETED, {"template": "{text}", "wording": "qwen"}, "takes the place of"),
        (TARGETED, {"lexicon_languages": ["vi", "en"]}, "goes with 'lexicon'"),
        (TARGETED, {"lexicon": "a.txt", "lexicon_languages": ["a", "b"]}, "same file"),
        (TARGETED, {"lexicon": "{lang}.txt", "lexicon_languages": ["a"]}, "needs two"),
        (TARGETED, {"max_new_tokens": 0}, "greater than or equal to 1"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(task, given, said):
    with pytest.raises(ValidationError) as caught:
        task.PARAMETERS.model_validate(given)
    assert said in str(caught.value)


def test_a_model_of_sentence_pieces_is_a_file_of_the_task(tmp_path):
    (path,) = files(tmp_path, {"m": "no model"}, "model")
    given = TARGETED.PARAMETERS(spm=str(path))
    assert TARGETED.files(given) == {"spm": str(path)}


class Mute(Writer):
    """Must not be asked."""

    def generate(self, prompts, new, *, stop=()):
        raise AssertionError("generated what cannot be scored")


@pytest.mark.parametrize("treatment", ["none", "via_de"])
def test_what_scores_is_opened_before_the_model_writes(
    tmp_path, monkeypatch, treatment
):
    (path,) = files(tmp_path, {"m": "no model"}, "model")
    with pytest.raises(DataError, match="no SentencePiece model"):
        run(Mute({}), treatment, spm=str(path))
    files(tmp_path, {"en": "two words", "vi": "một"})
    own = {"lexicon": str(tmp_path / "{lang}.txt"), "lexicon_languages": ["en", "vi"]}
    with pytest.raises(DataError, match="a lexicon has one per line"):
        run(Mute({}), treatment, **own)
    for package in ("pycld2", "sacrebleu.metrics"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            name = package.partition(".")[0]
            with pytest.raises(DataError, match=f"Python package '{name}'"):
                run(Mute({}), treatment)


def test_statistics_must_be_numbers_that_can_be_summed():
    made = run(Writer(SAYS))
    for column, value, said in (
        ("chrf_c1_match", -1, "of kind resummed has -1"),
        ("bleu_total_2", np.nan, "needed: finite numbers, at least 0"),
    ):
        with pytest.raises(DataError, match=said):
            tasks.checked(TARGETED, made.assign(**{column: value}))
    with pytest.raises(DataError, match="no columns named 'chrf_w2_answer'"):
        tasks.checked(TARGETED, made.drop(columns="chrf_w2_answer"))
    with pytest.raises(ConfigError, match="of kind binary has no sums"):
        sentence_translations.IN_TARGET.resummed(made)
