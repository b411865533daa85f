"""Likelihoods of continuations equal plain forward passes over one text at a time."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from itertools import cycle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.nn.models.tokenizing import load_tokenizer
from langneurons.tasks.common.continuations import Continued, blank, encode, score
from test_generation import treatment
from test_language_model import reference
from tiny_models import FAMILIES, opened
from tiny_models import build as tiny

WORDS = ("the", "sun", "is", "red", "là", "mặt", "trời", "太阳", "红", "ฟ้า", "a")
SAID = "the sun is red. la mặt trời là 太阳红 ฟ้า. " * 4


@cache
def tokenizer(side="right", bos=True):
    """Bytes that are merged across words, as in tokenizers without pre-tokenisation."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False, trim_offsets=False
    )
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<bos>", "<eos>"]
    trained = trainers.BpeTrainer(
        vocab_size=310,
        special_tokens=special,
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    inner.train_from_iterator([SAID], trained)
    if bos:
        inner.post_processor = TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", 1)]
        )
    names = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, padding_side=side, **names)


@cache
def model(family):
    sizes = {"vocab_size": 310, "tie_word_embeddings": False}
    length = "n_positions" if family == "gpt2" else "max_position_embeddings"
    if family != "bloom":
        sizes[length] = 256
    return tiny(family, **sizes)


def cut(tokens, context, continuation):
    """Cut one text by its characters, with transformers alone."""
    coded = tokens(context + continuation, return_offsets_mapping=True)
    ids = np.array(coded["input_ids"])
    ends = [end for _, end in coded["offset_mapping"]]
    start = next(i for i, end in enumerate(ends) if end > len(context))
    return ids[:start], ids[start:]


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
after = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
joins = st.sampled_from(["", " "])
contexts = st.lists(texts, min_size=1, max_size=2)
items = st.lists(
    st.tuples(contexts, joins, st.lists(after, min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("where", [None, "all", "non_pad", "last"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(drawn=items)
def test_batches_equal_one_unpadded_text_at_a_time(family, side, where, drawn):
    """Whatever the lengths beside it, with and without an intervention.

    The continuations of an item follow one context, or two in turn.
    """
    tokens, whole = tokenizer(side), model(family)
    given_ = [
        Continued(i, [(c, join + text) for c, text in zip(cycle(begun), options)])
        for i, (begun, join, options) in enumerate(drawn)
    ]
    change = treatment(whole, where) if where else None
    lm = opened(whole, tokens, micro_batch=3).under(change)
    found = score(lm, given_)
    assert len(found) == len(given_)
    for one, likelihood in zip(given_, found, strict=True):
        for number, (context, text) in enumerate(one.pairs):
            begun, rest = cut(tokens, context, text)
            wanted, greedy = reference(whole, begun, rest, where)
            assert likelihood.logprob[number] == pytest.approx(wanted, abs=1e-4)
            assert likelihood.tokens[number] == len(rest)
            assert likelihood.greedy[number] == greedy


def test_a_token_across_the_boundary_belongs_to_the_continuation():
    """And only then do the contexts of an item differ, so that both are run."""
    lm = opened(model("llama"), tokenizer())
    context = "the sun is "
    one = Continued.of(0, context, ["red. la", "la"])
    (first, merged), (second, rest) = encode(lm, [one], "offsets")[0]
    read = [tokenizer().decode(ids) for ids in (first, merged, second, rest)]
    assert read == ["<bos>", "the sun is red. la", "<bos>the sun is ", "la"]
    alone = lm.encode([context], beginning=True)[0]
    (apart, rest) = encode(lm, [Continued.of(0, context, ["la"])], "separate")[0][0]
    assert len(apart) == len(alone) and tokenizer().decode(rest) == "la"
    with pytest.raises(DataError, match="item 0: the continuation has no tokens"):
        encode(lm, [one], "separate")  # the whole has fewer tokens than the context
    assert len(score(lm, [one])[0].logprob) == 2


def test_the_paper_counts_tokens_of_the_context_where_the_tokenizer_pads_left():
    """By hand: 2 tokens shorter, so the last 2 of the context are counted too."""
    given_ = [Continued.of(0, "the sun is", [" a", " mặt a a"])]
    whole = model("llama")
    (context, short), (_, long) = encode(opened(whole, tokenizer()), given_, "offsets")[
        0
    ]
    p = len(long) - len(short)
    assert 0 < p < len(context)
    exact = score(opened(whole, tokenizer("left")), given_)[0]
    right = score(opened(whole, tokenizer("right")), given_, padding="paper_left")[0]
    assert np.array_equal(exact.logprob, right.logprob)
    paper = score(opened(whole, tokenizer("left")), given_, padding="paper_left")[0]
    wanted = reference(whole, context[:-p], np.concatenate([context[-p:], short]), None)
    assert paper.logprob[0] == pytest.approx(wanted[0], abs=1e-4)
    assert paper.logprob[0] < exact.logprob[0] - 1
    assert paper.logprob[1] == pytest.approx(exact.logprob[1], abs=1e-4)
    assert paper.tokens.tolist() == [len(short), len(long)]


@pytest.mark.parametrize(
    ("said", "side"),
    [
        ({"padding_side": "left"}, "left"),
        ({"tokenizer_class": "GemmaTokenizer"}, "left"),
        ({"tokenizer_class": "Qwen2Tokenizer"}, "right"),
        ({"tokenizer_class": "GemmaTokenizer", "padding_side": "right"}, "right"),
    ],
)
def test_a_model_that_is_read_from_a_folder_pads_as_its_makers_have_it(
    tmp_path, said, side
):
    """Its tokenizer is set to the right, which is not what the paper's code had."""
    tokenizer().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    for name in ("padding_side", "tokenizer_class"):
        kept.pop(name, None)
    path.write_text(json.dumps(kept | said), encoding="utf-8")
    read = load_tokenizer(tmp_path)
    given_ = [Continued.of(0, "the sun is", [" a", " mặt a a"])]
    whole = model("llama")
    wanted = score(opened(whole, tokenizer(side)), given_, padding="paper_left")[0]
    found = score(opened(whole, read), given_, padding="paper_left")[0]
    assert found.logprob == pytest.approx(wanted.logprob, abs=1e-5)
    assert read.padding_side == "right"


def test_the_paper_s_batch_is_what_it_says():
    """A left-padded batch, read as if padding were on the right, gives the sum."""
    given_ = [Continued.of(0, "the sun is", [" a", " mặt a a"])]
    whole, tokens = model("llama"), tokenizer("left")
    paper = score(opened(whole, tokens), given_, padding="paper_left")[0]
    length = len(encode(opened(whole, tokens), given_, "offsets")[0][0][0])
    batch = tokens([f"the sun is{t}" for _, t in given_[0].pairs], padding=True,
                   return_tensors="pt")  # fmt: skip
    mask = batch["attention_mask"]
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = whole(input_ids=batch["input_ids"], attention_mask=mask,
                       position_ids=places).logits.double()  # fmt: skip
    logs = logits[:, :-1].log_softmax(-1)
    picked = logs.gather(-1, batch["input_ids"][:, 1:, None])[..., 0]
    # From the length of the context to the end, in every row.
    assert np.allclose(picked[:, length - 1 :].sum(1), paper.logprob, atol=1e-4)


@pytest.mark.parametrize(
    ("boundary", "context", "text", "said"),
    [("offsets", "the sun", "", "item 7: the continuation has no tokens"),
     ("separate", "the sun", "", "item 7: the continuation has no tokens"),
     ("offsets", "s", "un", "item 7: the context has no tokens")],
)  # fmt: skip
def test_what_has_no_tokens_is_refused_by_item(boundary, context, text, said):
    lm = opened(model("llama"), tokenizer(bos=False))
    with pytest.raises(DataError, match=said):
        score(lm, [Continued.of(7, context, [text])], boundary=boundary)


@pytest.mark.parametrize("boundary", ["offsets", "separate", "alone", "apart"])
def test_no_context_is_eos_where_a_tokenizer_has_no_bos(boundary):
    tokens = deepcopy(tokenizer(bos=False))
    tokens.bos_token = None
    lm = opened(model("llama"), tokens)
    ((begun, rest),) = encode(lm, [Continued.of(7, "", [" the sun"])], boundary)[0]
    assert begun.tolist() == [tokens.eos_token_id]
    assert rest.tolist() == tokens.encode(" the sun")
    one = score(lm, [Continued.of(7, "", [" the sun"])], boundary=boundary)[0]
    wanted, _ = reference(model("llama"), begun, rest, None)
    assert one.logprob[0] == pytest.approx(wanted, abs=1e-4)


def test_a_prompt_may_be_the_beginning_alone():
    one = score(opened(model("llama"), tokenizer()), [Continued.of(0, "", ["a"])])[0]
    wanted, _ = reference(model("llama"), np.array([1]), np.array(
        tokenizer().encode("a", add_special_tokens=False)), None)  # fmt: skip
    assert one.logprob[0] == pytest.approx(wanted, abs=1e-4)


def test_blanks_are_those_of_the_text_s_language():
    for lang in ("zh", "ja", "th", "zho_Hans", "zh-TW", "tha_Thai", "jpn_Jpan"):
        assert blank(lang, "by_language") == "" and blank(lang, "space") == " "
    for lang in ("en", "vi", "tl", "jav_Latn"):
        assert blank(lang, "by_language") == " "
