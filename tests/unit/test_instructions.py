"""An instruction stands before every context, and changes nothing else of it."""

from __future__ import annotations

import numpy as np
import pytest

from langneurons.config.errors import DataError
from langneurons.nn.evaluation.examples import Reading
from langneurons.tasks.common.continuations import Continued, score
from test_classification import word_tokenizer
from test_language_model import continuations
from tiny_models import build as tiny
from tiny_models import opened

UNTIED = {"tie_word_embeddings": False}
TOLD = "w7 w8\n"


def of(model, micro_batch=3):
    return opened(model, word_tokenizer(), micro_batch)


def contexts(lm, beginning):
    texts = ["w5 w6", "w9", "w4 w5 w6 w10 w11", "w20", "w21 w22"]
    return lm.encode(texts, beginning=beginning)


@pytest.mark.parametrize("beginning", [True, False])
def test_it_stands_behind_what_the_tokenizer_puts_in_front(beginning):
    lm = of(tiny("llama", **UNTIED))
    told = lm.under(None, "x", TOLD)
    given = contexts(lm, beginning)
    own = lm.encode([TOLD])[0]
    assert own == [7, 8] and (given[0][0] == 1) is beginning
    by_hand = [[1, *own, *x[1:]] if beginning else [*own, *x] for x in given]
    assert np.array_equal(told.next_tokens(given), lm.next_tokens(by_hand))
    assert not np.array_equal(told.next_tokens(given), lm.next_tokens(given))
    texts = continuations()
    found, wanted = (
        one.loglikelihood(x, texts) for one, x in ((told, given), (lm, by_hand))
    )
    for a, b in zip(found, wanted, strict=True):
        assert np.array_equal(a.logprob, b.logprob)
    assert told.generate(given, 5) == lm.generate(by_hand, 5)
    assert lm.next_tokens(given) == pytest.approx(
        lm.under(None, "x").next_tokens(given)
    )  # of one treatment alone


def test_it_stands_behind_the_eos_that_takes_the_place_of_a_context():
    """A tokenizer without BOS: what follows no context follows EOS."""
    from tokenizers.processors import ByteLevel

    tokens = word_tokenizer()
    tokens.backend_tokenizer.post_processor = ByteLevel()
    tokens.bos_token = None
    lm = opened(tiny("llama", **UNTIED), tokens, 3)
    assert lm.prefix == [2] and lm.encode(["w5"], beginning=True) == [[5]]
    told = lm.under(None, "x", TOLD)
    given = [Continued.of(0, "", [" w5 w6"]), Continued.of(1, "w9", [" w5 w6"])]
    wanted = lm.loglikelihood([[2, 7, 8], [7, 8, 9]], [[[5, 6]], [[5, 6]]])
    for a, b in zip(score(told, given, boundary="alone"), wanted, strict=True):
        assert a.logprob == pytest.approx(b.logprob, abs=1e-5)


def test_what_a_model_sees_of_an_item_while_it_answers_stays():
    """A window of so many tokens grows by the instruction."""
    lm = of(tiny("llama", **UNTIED))
    given = contexts(lm, True)
    told = lm.under(None, "x", TOLD)
    by_hand = [[1, 7, 8, *x[1:]] for x in given]
    for window in (3, 6, 9):
        found = told.generate(given, 6, window=window)
        assert found == lm.generate(by_hand, 6, window=window + 2)


def test_it_counts_for_the_positions_of_a_model():
    lm = of(tiny("llama", **UNTIED))
    context, told = [4] * 63, lm.under(None, "x", TOLD)
    lm.next_tokens([context])
    with pytest.raises(DataError, match="is 65 tokens"):
        told.next_tokens([context])


def test_a_classifier_reads_none():
    lm = of(tiny("llama", "classifier")).under(None, "xnli vi prompt.hi", TOLD)
    with pytest.raises(DataError, match=r"xnli vi prompt.hi: a classifier reads no"):
        lm.classify([[4, 5]], Reading("last_real_token", 9, 0))
