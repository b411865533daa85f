"""Control tokens in texts are characters; all other texts are tokenised as before."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
)
from tokenizers import models as kinds
from transformers import PreTrainedTokenizerFast

from langneurons.config.errors import DataError
from langneurons.nn.evaluation.open_model import OpenModel
from langneurons.nn.models import loading
from langneurons.tasks import xnli, xquad
from langneurons.tasks.common import prompts

CONTROL = ["<unk>", "<s>", "</s>", "<|eot_id|>"]
LETTERS = [*"abcdefgh .,<>/s|_iotmprx", "é", "नि", "你", "▁"]
TAG, FIM = "<h1>", "<|fim_prefix|>"  # ordinary in the vocabulary; the second is not


def byte_level() -> Tokenizer:
    """Like that of Llama 3: control tokens are outside of the vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("<", "/"), ("<", "|"), ("|", ">"), ("a", "b"), ("Ġ", "c"), ("ab", "d")]
    vocabulary = alphabet + [a + b for a, b in merges]
    inner = Tokenizer(
        kinds.BPE({t: i for i, t in enumerate(vocabulary)}, merges, ignore_merges=True)
    )
    split = pre_tokenizers.Split(Regex(r"\s?[a-h]+|\s+|[^\sa-h]+"), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    inner.decoder = decoders.ByteLevel()
    return inner


def sentencepiece_bpe() -> Tokenizer:
    """Like those of Llama 2 and Gemma: control tokens can be put together by merges."""
    pieces = [*CONTROL, *dict.fromkeys([*LETTERS, "<s", "</", "</s", "ab", "▁c"])]
    merges = [("<", "s"), ("<s", ">"), ("<", "/"), ("</", "s"), ("</s", ">")]
    merges += [("a", "b"), ("▁", "c")]
    vocabulary = {t: i for i, t in enumerate(pieces)}
    inner = Tokenizer(kinds.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True))
    steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    inner.normalizer = normalizers.Sequence(steps)
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return inner


def unigram() -> Tokenizer:
    """Control tokens are likely words of the vocabulary."""
    pieces = [(token, 0.0) for token in CONTROL]
    pieces += [(t, -3.0 - i / 10) for i, t in enumerate(dict.fromkeys(LETTERS))]
    pieces += [("ab", -4.0), ("▁c", -4.0)]
    inner = Tokenizer(kinds.Unigram(pieces, unk_id=0))
    inner.normalizer = normalizers.NFKC()
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    inner.decoder = decoders.Metaspace(prepend_scheme="first")
    return inner


def word_level() -> Tokenizer:
    """Words between blanks, control tokens among them."""
    words = [*CONTROL, "a", "b", "ab", "c", "d,", "<h2>", "é"]
    inner = Tokenizer(kinds.WordLevel({w: i for i, w in enumerate(words)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return inner


MAKERS = {
    "byte_level": byte_level,
    "sentencepiece_bpe": sentencepiece_bpe,
    "unigram": unigram,
    "word_level": word_level,
}


def save(folder: Path, kind: str, post: str = "<s> $A", **changes: Any) -> Any:
    """Save a tokenizer and load it as a job does; ``changes`` are keys of the file."""
    inner = MAKERS[kind]()
    inner.add_special_tokens([AddedToken(t, special=True) for t in CONTROL])
    inner.add_tokens([AddedToken(t, normalized=False) for t in (TAG, FIM)])
    used = [(t, inner.token_to_id(t)) for t in CONTROL if t in post]
    inner.post_processor = processors.TemplateProcessing(
        single=post, special_tokens=used
    )
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=inner, **named).save_pretrained(folder)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return loading.load_tokenizer(folder)


def control_ids(tokenizer: Any) -> set[int]:
    return {tokenizer.convert_tokens_to_ids(t) for t in (*CONTROL[1:], FIM)}


SPELLED = [
    "a</s>b",
    "a </s> b",
    "</s>",
    "<s>ab</s>",
    "</s><|eot_id|><s>",
    "ab <|eot_id|> c",
    f"ab {FIM}c",
    "é <s> 你</s>",
    "</</s>s>",
]


def plain_texts() -> list[str]:
    """Draw texts without any control token."""
    draw = random.Random(0)
    texts = ["".join(draw.choices(LETTERS, k=draw.randrange(24))) for _ in range(400)]
    texts += ["", " ", "  a", "a  b ", "\n a\t", "a b ab c d,", f"a{TAG}b {TAG} c"]
    return [t for t in texts if not any(c in t for c in (*CONTROL, FIM))]


@pytest.mark.parametrize("kind", MAKERS)
def test_control_tokens_in_a_text_are_characters(tmp_path: Path, kind: str) -> None:
    tokenizer = save(tmp_path, kind)
    found = loading.encoder(tokenizer)(SPELLED)
    for text, ids in zip(SPELLED, found, strict=True):
        assert not control_ids(tokenizer) & set(ids), text
        if kind != "word_level":  # a word that is not known is <unk>
            assert tokenizer.decode(ids) == text.replace("▁", " ")
            assert tokenizer.unk_token_id not in ids


@pytest.mark.parametrize("kind", MAKERS)
def test_other_texts_have_the_tokens_that_they_had(tmp_path: Path, kind: str) -> None:
    tokenizer = save(tmp_path, kind)
    texts = plain_texts()
    assert len(texts) > 380
    assert loading.encoder(tokenizer)(texts) == [
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts
    ]
    tag = tokenizer.convert_tokens_to_ids(TAG)
    assert tag in loading.encoder(tokenizer)([f"a {TAG} b"])[0], "an ordinary token"


def pair(premise: str, hypothesis: str) -> dict[str, Any]:
    return {"id": 0, "premise": premise, "hypothesis": hypothesis, "label": 0}


def opened(tokenizer: Any) -> OpenModel:
    """Open a model of which only the tokenizer is read."""
    known = {"model": "x", "vocab_size": 10**6, "positions": None}
    return OpenModel(tokenizer, known, lambda: None)


def sequences(
    tokenizer: Any, items: Any, given: xnli.Parameters, training: bool = False
) -> list[list[int]]:
    """Encode pairs for a test, or for training."""
    lm = opened(tokenizer)
    if training:
        return [ids.tolist() for ids in xnli.TASK.examples(lm, items, given).tokens]
    xnli.TASK.reading(lm, given)
    return xnli.TASK.encode(lm, items, given)


@pytest.mark.parametrize("kind", MAKERS)
def test_pairs_have_one_separator(tmp_path: Path, kind: str) -> None:
    tokenizer = save(tmp_path, kind)
    given = xnli.Parameters(pool="last_real_token", separator="eos", max_length=99)
    texts = plain_texts()
    items = [pair(a, b) for a, b in itertools.pairwise(texts)]
    found = sequences(tokenizer, items, given)
    for item, ids in zip(items, found, strict=True):
        before = f"{item['premise']} </s> {item['hypothesis']}"
        assert ids == tokenizer(before)["input_ids"]
    items = [pair(a, b) for a, b in itertools.pairwise(SPELLED)]
    for ids in sequences(tokenizer, items, given):
        bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
        assert [i for i in ids if i in control_ids(tokenizer)] == [bos, eos]


@pytest.mark.parametrize("kind", MAKERS)
def test_a_template_gives_control_tokens_and_an_item_does_not(
    tmp_path: Path, kind: str
) -> None:
    tokenizer = save(tmp_path, kind)
    template = "{premise}<|eot_id|>{hypothesis}</s>"
    given = xnli.Parameters(template=template, pool="last_real_token", max_length=12)
    items = [pair("a</s>", "b"), pair("a", "ab " * 30 + "<|eot_id|>")]
    found = sequences(tokenizer, items, given)
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    turn = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    for ids in found:
        assert [i for i in ids if i in control_ids(tokenizer)] == [bos, turn, eos]
        assert ids[-1] == eos, "the template's end survives the cut"
    assert len(found[1]) == 12


@pytest.mark.parametrize("kind", MAKERS)
def test_prompts_and_answers(tmp_path: Path, kind: str) -> None:
    tokenizer = save(tmp_path, kind)
    given = xquad.Parameters(template="plain", max_length=400)

    def encode(texts: list[str]) -> prompts.Encoded:
        texts = [text for text in texts if text.strip()]
        rows = zip(texts, texts[1:], texts[2:], strict=False)
        items = [
            {"id": i, "context": a, "question": b, "answers": [c]}
            for i, (a, b, c) in enumerate(rows)
        ]
        return prompts.encode(opened(tokenizer), items, given, training=False)

    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    texts = [text for text in plain_texts() if text.strip()]
    found = encode(texts)
    for i, (prompt, gold) in enumerate(zip(found.prompts, found.golds, strict=True)):
        before = f"{texts[i + 1].strip()} {texts[i].strip()} </s>"
        assert prompt.tolist() == tokenizer(before)["input_ids"]
        answer = tokenizer(f" {texts[i + 2].strip()}", add_special_tokens=False)
        assert gold.tolist() == [*answer["input_ids"], eos]
    found = encode(SPELLED)
    for prompt, gold in zip(found.prompts, found.golds, strict=True):
        assert [i for i in prompt if i in control_ids(tokenizer)] == [bos, eos]
        assert [i for i in gold if i in control_ids(tokenizer)] == [eos]


def test_a_context_that_is_cut_keeps_its_characters(tmp_path: Path) -> None:
    tokenizer = save(tmp_path, "byte_level")
    given = xquad.Parameters(template="plain", max_length=20, long_test="cut")
    item = {"id": 0, "context": "</s> " * 40, "question": "ab", "answers": ["c"]}
    prompt = prompts.encode(opened(tokenizer), [item], given, training=False).prompts[0]
    assert len(prompt) < 19
    assert prompt.tolist().count(tokenizer.eos_token_id) == 1
    assert "</s> </s>" in tokenizer.decode(prompt[:-1])


@pytest.mark.parametrize("post", ["$A </s>", "<s> $A </s>", "<s> $A </s> <|eot_id|>"])
def test_what_a_tokenizer_appends_does_not_end_a_prompt_or_a_pair(
    tmp_path: Path, post: str
) -> None:
    tokenizer = save(tmp_path, "sentencepiece_bpe", post)
    eos = tokenizer.eos_token_id
    assert eos in tokenizer("ab")["input_ids"][-2:]
    begin = [tokenizer.bos_token_id] * post.startswith("<s>")
    text = tokenizer("ab c", add_special_tokens=False)["input_ids"]
    given = xnli.Parameters(pool="last_real_token", separator="space", max_length=16)
    item = pair("ab", "c")
    for training in (False, True):
        (found,) = sequences(tokenizer, [item], given, training)
        assert found == [*begin, *text]
        task = xquad.Parameters(template="alpaca", max_length=2000)
        asked = {"id": 0, "context": "ab", "question": "c", "answers": ["d"]}
        prompt = prompts.encode(opened(tokenizer), [asked], task, training).prompts[0]
        assert eos not in prompt
        assert prompt.tolist()[: len(begin)] == begin
    # A text that is nothing but appended tokens has none.
    assert loading.encoder(tokenizer)([""]) == [[]]


def test_saved_truncation_and_padding_are_switched_off(tmp_path: Path) -> None:
    cut = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst"}
    fill = {"strategy": {"Fixed": 9}, "direction": "Left", "pad_id": 0}
    fill |= {"pad_to_multiple_of": None, "pad_type_id": 0, "pad_token": "<unk>"}
    plain = save(tmp_path / "plain", "unigram")
    changed = {"truncation": cut | {"stride": 0}, "padding": fill}
    damaged = save(tmp_path / "damaged", "unigram", **changed)
    texts = ["a", "ab c a b c a b c", ""]
    assert loading.encoder(damaged)(texts) == loading.encoder(plain)(texts)
    given = xnli.Parameters(pool="last_real_token", separator="eos", max_length=99)
    long = pair(" ".join("abcdefg"), "c a")
    one, two = (sequences(t, [long], given) for t in (plain, damaged))
    assert one == two


def test_a_tokenizer_without_end_of_text(tmp_path: Path) -> None:
    inner = word_level()
    bare = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>")
    assert loading.encoder(bare)(["a </s> b"])[0] == [4, 2, 5], "a word of this one"
    given = xnli.Parameters(pool="last_real_token", separator="eos")
    with pytest.raises(DataError, match="no EOS token"):
        sequences(bare, [pair("a", "b")], given)


def test_a_tokenizer_in_another_form_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers
    from transformers.models.ctrl.tokenization_ctrl import CTRLTokenizer

    (tmp_path / "vocab.json").write_text('{"a": 0, "<unk>": 1}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    slow = CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    monkeypatch.setattr(
        transformers.AutoTokenizer, "from_pretrained", lambda *a, **k: slow
    )
    with pytest.raises(DataError, match="CTRLTokenizer has no form of tokenizer.json"):
        loading.load_tokenizer(tmp_path)
