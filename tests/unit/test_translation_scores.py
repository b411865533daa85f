"""Sums of statistics score as sacrebleu scores the whole text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.tasks.common import translation_scores as scores

sacrebleu = pytest.importorskip("sacrebleu", reason="pip install sacrebleu")

WORDS = (
    "the",
    "a",
    "Cat",
    "cat.",
    "(sat)",
    "mèo",
    "太阳",
    "ngồi",
    "trên",
    "x",
    "1,000",
)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
REFERENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
CORPORA = st.lists(st.tuples(TEXTS, REFERENCES), min_size=1, max_size=6)


def theirs(metric, pairs):
    answers, references = map(list, zip(*pairs, strict=True))
    return metric.corpus_score(answers, [references]).score / 100


@given(CORPORA)
@settings(max_examples=150, deadline=None)
def test_corpus_scores_are_those_of_sacrebleu(pairs):
    answers, references = map(list, zip(*pairs, strict=True))
    chrf = scores.chrf_statistics(answers, references)
    wanted = theirs(sacrebleu.CHRF(word_order=2), pairs)
    assert scores.chrf_score(chrf.sum(0).astype(float)) == pytest.approx(
        wanted, abs=1e-11
    )
    bleu = scores.bleu_statistics(answers, references)
    wanted = theirs(sacrebleu.BLEU(), pairs)
    assert scores.bleu_score(bleu.sum(0).astype(float)) == pytest.approx(
        wanted, abs=1e-11
    )
    alone = [
        sacrebleu.CHRF(word_order=2).sentence_score(a, [r]).score / 100
        for a, r in pairs
    ]
    np.testing.assert_allclose(scores.sentence_chrf(chrf), alone, atol=1e-11)


@given(st.lists(st.lists(st.integers(0, 5), min_size=34, max_size=34), min_size=1))
@settings(deadline=None)
def test_many_sums_at_once_score_as_each_alone(rows):
    sums = np.array(rows, float)
    both = (scores.chrf_score, sums[:, :24]), (scores.bleu_score, sums[:, 24:])
    for score, part in both:
        np.testing.assert_array_equal(score(part), [score(row) for row in part])
        assert np.isfinite(score(part)).all()


def test_chrf_by_hand():
    # "ab" against "ac": characters 1 of 2, pairs 0 of 1, words 0 of 1; longer n-grams
    # neither text has. Precision and recall are (1/2 + 0 + 0) / 3 both.
    found = scores.chrf_statistics(["ab"], ["ac"])
    assert list(found[0, :6]) == [2, 2, 1, 1, 1, 0]
    assert scores.sentence_chrf(found)[0] == pytest.approx(1 / 6)


def test_pieces_of_a_model_make_spbleu(tmp_path: Path):
    spm = pytest.importorskip("sentencepiece", reason="pip install sentencepiece")
    text = tmp_path / "text.txt"
    lines = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))] * 4
    text.write_text("\n".join(lines), encoding="utf-8")
    spm.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "m"), vocab_size=45,
        hard_vocab_limit=False, minloglevel=9,
    )  # fmt: skip
    model = str(tmp_path / "m.model")
    answers, references = ["the cat. sat ", "mèo ngồi"], ["the Cat sat", "mèo trên"]
    pieces = spm.SentencePieceProcessor(model_file=model)
    cut = [[" ".join(pieces.encode(t.rstrip(), out_type=str)) for t in some]
           for some in (answers, references)]  # fmt: skip
    wanted = sacrebleu.BLEU(tokenize="none", force=True).corpus_score(cut[0], [cut[1]])
    found = (
        scores.bleu_statistics(answers, references, scores.open_pieces(model))
        .sum(0)
        .astype(float)
    )
    assert scores.bleu_score(found) == pytest.approx(wanted.score / 100, abs=1e-11)
    assert found[0] == sum(len(line.split()) for line in cut[0])

    with pytest.raises(DataError, match="no SentencePiece model"):
        scores.open_pieces(str(text))


def test_a_plan_needs_none_of_these_packages():
    """Where Snakemake itself runs there are no scores to make."""
    code = (
        "import sys; sys.path.insert(0, 'workflow/scripts'); from langneurons import "
        "tasks; [tasks.load(x).unmet(tasks.load(x).PARAMETERS(), ['en-vi']) for x in "
        "('translation', 'translation_untargeted')]; print([x for x in ('sacrebleu', "
        "'sentencepiece', 'pycld2', 'torch') if x in sys.modules])"
    )
    root = Path(__file__).parents[2]
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True
    )
    assert made.stdout == "[]\n", made.stderr
