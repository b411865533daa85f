"""Prompts, loss, greedy decoding and scores of tasks answered in words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.nn.evaluation import classification, decoding, generation, runners
from langneurons.nn.evaluation.interventions import build
from langneurons.nn.evaluation.prompts import Encoded, encode, pad_left, positions
from langneurons.nn.models.architectures import mlp_sites
from langneurons.tasks import xnli, xquad
from langneurons.tasks.common import items as task_items
from langneurons.tasks.xquad import Parameters
from test_classification import word_tokenizer
from tiny_models import FAMILIES, LAYERS, VOCAB, tokens
from tiny_models import build as tiny

EOS, NEW, WINDOW = 2, 12, 14
NEURONS = {0: [1, 5, 7], 1: [0, 23]}
LENGTHS = (5, 12, 3, 13, 9, 17, 8)
POSITIONS = ("all", "non_pad", "last", "prompt", "generated")


@pytest.fixture(scope="session")
def tokenizer():
    return word_tokenizer()


def item(number, context, question="w4", answer="w7"):
    answers = [answer] if isinstance(answer, str) else answer
    texts = {"context": context, "question": question, "answers": answers}
    return {"id": number, **texts}


def parameters(**changes):
    fixed = {"template": "plain", "max_length": 24, "max_new_tokens": NEW}
    return Parameters(**fixed | changes)


def raw(eos=EOS, lengths=LENGTHS, **changes):
    """Random prompts of the given lengths; ``eos`` ends an answer."""
    return Encoded(
        prompts=[tokens(1, n, seed=n)[0].numpy() for n in lengths],
        golds=[np.array([5, eos]) for _ in lengths],
        ids=np.arange(len(lengths)),
        answers=[("w5",)] * len(lengths),
        dropped=0,
        parameters=parameters(**{"window": None, **changes}),
        tokenizer=SimpleNamespace(eos_token_id=eos, pad_token_id=0),
    )


def exact(family):
    """A model in double precision, so that rounding decides between no two tokens.

    Its attention is not the eager one, which takes softmax in single precision and
    gives NaN where the lowest double is meant to hide padding.
    """
    if family in ("gemma2", "bloom"):  # have the eager one only
        return tiny(family, tie_word_embeddings=False)
    kind = {"attn_implementation": "sdpa", "tie_word_embeddings": False}
    return tiny(family, **kind).double()


def treatment(model, where="all", op="set"):
    width = mlp_sites(model).width
    values = np.random.default_rng(0).normal(size=(LAYERS, width)) * 2
    statistic = Statistic(value="mean", write="act_post", positions=where, op=op)
    return build(NEURONS, values.astype(np.float32), statistic)


@torch.no_grad()
def one_by_one(model, prompt, window=None, where=None):
    """The released code's way, with no EOS: a token at a time, no batch, no cache.

    ``treatment(model)`` writes the positions ``where``; None is no intervention.
    """
    made, length = [], len(prompt)
    change = treatment(model) if where else None
    for _ in range(NEW):
        text = np.array([*prompt, *made])
        place = np.arange(len(text))[-(window or len(text)) :]
        written = torch.from_numpy(
            {
                None: place < 0,
                "all": place >= 0,
                "non_pad": place >= 0,
                "last": place >= length - 1,
                "prompt": place < length,
                "generated": place >= length,
            }[where]
        )
        hooks = []
        for edit in change.edits if change else ():

            def write(module, args, output, edit=edit, written=written):
                output = output.clone()
                rows = torch.nonzero(written)
                output[0, rows, edit.neurons] = edit.values.to(output.dtype)
                return output

            act = mlp_sites(model).layers[edit.layer].act
            hooks.append(act.register_forward_hook(write))
        scores = model(input_ids=torch.from_numpy(text[place])[None]).logits[0, -1]
        for hook in hooks:
            hook.remove()
        made.append(int(scores.argmax()))
    return made


def until(made, eos):
    return made[: made.index(eos) + 1] if eos in made else made


def an_end(references):
    """Choose the token that, as EOS, ends answers at the most different places."""
    ends = {e: {len(until(made, e)) for made in references} for e in range(VOCAB)}
    best = max(ends, key=lambda e: len(ends[e]))
    assert len(ends[best]) >= 3, "these answers test nothing"
    return best


@pytest.mark.parametrize(("where", "window"), [(None, None), ("all", WINDOW)])
@pytest.mark.parametrize("family", FAMILIES)
def test_same_tokens_as_one_by_one_without_a_cache(family, where, window):
    model = exact(family)
    found = [
        one_by_one(model, prompt, window, where)
        for prompt in raw(lengths=LENGTHS).prompts
    ]
    eos = an_end(found)
    change = treatment(model) if where else None
    for micro_batch in (1, 3):
        encoded = raw(eos, window=window)
        made = decoding.generate(model, encoded, micro_batch, change)
        assert made == [until(tokens, eos) for tokens in found]


@pytest.mark.parametrize("window", [None, 6])  # 6: the prompts leave the window
@pytest.mark.parametrize("where", POSITIONS)
def test_positions_while_generating(where, window):
    model = exact("llama")
    found = [one_by_one(model, p, window, where) for p in raw().prompts]
    change = treatment(model, where)
    made = decoding.generate(model, raw(-1, window=window), 3, change)
    assert made == found
    plain = decoding.generate(model, raw(-1, window=window), 3)
    assert made != plain


def test_positions_give_different_answers():
    model = exact("llama")
    made = [
        decoding.generate(model, raw(-1), 7, treatment(model, where))
        for where in POSITIONS
    ]
    assert made[0] == made[1]
    assert len({str(answers) for answers in made}) == 4


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_eager_attention(family):
    """Padding is hidden there too; single precision, so at most a tie may differ."""
    made = decoding.generate(tiny(family, tie_word_embeddings=False), raw(-1), 3)
    found = [one_by_one(exact(family), prompt) for prompt in raw().prompts]
    same = sum(a == b for a, b in zip(made, found, strict=True))
    assert same >= len(found) - 1


def test_works_in_a_peft_model():
    from peft import LoraConfig, get_peft_model

    model = exact("llama")
    plain = decoding.generate(model, raw(-1), 3, treatment(model))
    wanted = LoraConfig(r=2, target_modules=["q_proj", "gate_proj"])
    wrapped = get_peft_model(model, wanted).eval()
    assert decoding.generate(wrapped, raw(-1), 3, treatment(model)) == plain
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    assert decoding.generate(wrapped, raw(-1), 3, treatment(model)) != plain


def reads(model, encoded, micro_batch):
    """Return the shape of every forward pass."""
    shapes = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: shapes.append(tuple(args[0].shape))
    )
    made = decoding.generate(model, encoded, micro_batch)
    hook.remove()
    return shapes, made


def test_the_cache_is_used_and_finished_rows_leave():
    model = exact("llama")
    eos = an_end([one_by_one(model, p) for p in raw().prompts])
    shapes, made = reads(model, raw(eos), 7)
    assert shapes[0] == (7, max(LENGTHS))
    assert {length for _, length in shapes[1:]} == {1}
    assert len(shapes) == max(map(len, made))
    for step, (rows, _) in enumerate(shapes):
        going = sum(len(answer) > step for answer in made)
        assert going <= rows
        assert going > decoding.CROWDED * rows or rows == going
    assert shapes[-1][0] < 7


def test_rows_past_the_window_are_read_whole():
    model = exact("llama")
    shapes, _ = reads(model, raw(-1, (12, 17, 13), window=WINDOW), 2)
    # Prompts of 13 and 12 with a cache; after 2 and 3 tokens they exceed 14.
    assert shapes[:3] == [(2, 13), (2, 1), (1, 1)]
    assert set(shapes[3:]) <= {(2, WINDOW), (1, WINDOW)}
    # 12 tokens of the longest, and what the others still lack of theirs.
    assert sum(rows for rows, _ in shapes[3:]) == 12 + 10 + 9


def test_half_precision():
    model = tiny("llama").bfloat16()
    made = decoding.generate(model, raw(-1), 3, treatment(model))
    assert [len(answer) for answer in made] == [NEW] * len(LENGTHS)
    assert made != decoding.generate(model, raw(-1), 3)
    loss = generation.summed_loss(model, raw())(range(3))
    assert loss.dtype == torch.float32 and bool(loss.isfinite())


def test_ties_go_to_the_lowest_token():
    model = exact("llama")
    with torch.no_grad():
        model.lm_head.weight[:] = model.lm_head.weight[7]
    assert decoding.generate(model, raw(-1), 3) == [[0] * NEW] * len(LENGTHS)
    assert decoding.generate(model, raw(0), 3) == [[0]] * len(LENGTHS)


def test_logits_that_are_not_finite_are_refused():
    model = tiny("llama")
    model.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(DataError, match="item 5: the logits of token 1 .*not finite"):
        decoding.generate(model, raw(), 3)


def test_more_positions_than_gpt2_has():
    model = tiny("gpt2")
    with pytest.raises(DataError, match="answer is 80 tokens.*only 64 positions"):
        decoding.generate(model, raw(max_new_tokens=64), 3)
    decoding.generate(model, raw(max_new_tokens=3, lengths=(62,)), 3)
    decoding.generate(model, raw(max_new_tokens=3, lengths=(70,), window=64), 3)
    with pytest.raises(DataError, match="an item is 72 tokens.*lower the task's max"):
        generation.summed_loss(model, raw(lengths=(70,)))


def test_prompt_answer_and_eos_as_tokens(tokenizer):
    asked = item(3, "w5 w6", "w4 w4", [" w7 w8 ", "w9"])
    found = encode(tokenizer, [asked], parameters(), training=False, language="vi")
    assert found.prompts[0].tolist() == [1, 4, 4, 5, 6, EOS]  # BOS, as by default
    assert found.golds[0].tolist() == [7, 8, EOS]
    assert found.ids.tolist() == [3] and found.answers == [(" w7 w8 ", "w9")]
    assert (found.language, found.eos, found.filler) == ("vi", EOS, 0)


def test_long_items_are_dropped(tokenizer):
    """At max_length - 1 tokens: training counts the answer and EOS, a test does not."""
    items = [item(n, " ".join(["w5"] * n)) for n in (3, 4, 5, 6)]
    ten = parameters(max_length=10)  # 1 BOS, 1 question, n of context, 1 EOS: n + 3
    train = encode(tokenizer, items, ten, training=True)
    assert train.ids.tolist() == [3] and train.dropped == 3
    assert len(train.prompts[0]) + len(train.golds[0]) == 8
    test = encode(tokenizer, items, ten, training=False)
    assert test.ids.tolist() == [3, 4, 5] and test.dropped == 1
    assert len(test.prompts[-1]) == 8
    with pytest.raises(DataError, match="no item is left of 1.*max_length - 1 = 9"):
        encode(tokenizer, items[-1:], ten, training=False)
    with pytest.raises(DataError, match="there are no items"):
        encode(tokenizer, [], ten, training=False)


def test_cutting_keeps_the_question(tokenizer):
    # Prompts of 6, 15 = max_length - 1 and 33 tokens.
    items = [item(n, " ".join(f"w{i}" for i in range(5, 5 + n))) for n in (3, 12, 30)]
    cut = parameters(max_length=16, long_test="cut")
    found = encode(tokenizer, items, cut, training=False)
    assert found.dropped == 0
    assert found.prompts[0].tolist() == [1, 4, 5, 6, 7, EOS]
    for prompt in found.prompts[1:]:
        assert prompt.tolist() == [1, 4, *range(5, 16), EOS]  # 14 tokens
    with pytest.raises(DataError, match="no item is left"):
        encode(tokenizer, items[1:], cut, training=True)
    long = item(8, "w5", " ".join(["w4"] * 20))
    with pytest.raises(DataError, match="item 8: .*22 tokens even without its"):
        encode(tokenizer, [long], cut, training=False)


def test_tokenizer_without_eos(tokenizer):
    bare = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(DataError, match="no EOS token"):
        encode(bare, [item(0, "w5")], parameters(), training=False)


def test_left_padding():
    ids, mask = pad_left([np.array([7]), np.array([4, 5, 6])], 0)
    assert ids.tolist() == [[0, 0, 7], [4, 5, 6]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]
    assert positions(mask).tolist() == [[0, 0, 0], [0, 1, 2]]


def training_items(tokenizer, loss):
    items = [item(n, " ".join(["w5", "w9"] * n), "w4", "w7 w8") for n in (1, 4, 2, 3)]
    return encode(tokenizer, items, parameters(loss=loss), training=True)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("loss", ["full", "answer_only"])
def test_loss_counts_every_token_alike(tokenizer, family, loss):
    """Parity with the stock model's own loss, item by item."""
    changes = {"final_logit_softcapping": 2.0} if family == "gemma2" else {}
    model = tiny(family, **changes)
    encoded = training_items(tokenizer, loss)
    sums, counts = [], []
    for prompt, gold in zip(encoded.prompts, encoded.golds, strict=True):
        ids = torch.from_numpy(np.concatenate([prompt, gold]))[None]
        labels = ids.clone()
        if loss == "answer_only":
            labels[0, : len(prompt)] = -100
        counts.append(int((labels[0, 1:] != -100).sum()))
        with torch.no_grad():
            sums.append(float(model(input_ids=ids, labels=labels).loss) * counts[-1])
    found = generation.summed_loss(model, encoded)
    mean = sum(counts) / len(counts)
    for rows in ([0], [2, 1], [3, 0, 1, 2]):
        expected = sum(sums[row] for row in rows) / mean
        assert float(found(rows).detach()) == pytest.approx(expected, rel=1e-5)
    # So the mean over all items is the mean over all tokens.
    assert float(found(range(4)).detach()) / 4 == pytest.approx(
        sum(sums) / sum(counts), rel=1e-5
    )
    if loss == "answer_only":
        assert counts == [3] * 4


def test_gradients_do_not_depend_on_the_micro_batch(tokenizer):
    model = exact("llama")
    loss = generation.summed_loss(model, training_items(tokenizer, "full"))
    weight = model.model.layers[0].mlp.gate_proj.weight
    found = []
    for parts in ([[0, 1, 2, 3]], [[0], [1, 2], [3]]):
        weight.grad = None
        for rows in parts:
            loss(rows).backward()
        found.append(weight.grad.clone())
    assert found[0].abs().max() > 1e-3
    torch.testing.assert_close(*found, rtol=0, atol=1e-9)


def test_table(tokenizer):
    asked = [item(10, "w5", answer=["w7 w8", "w9"]), item(11, "w5", answer="w7")]
    encoded = encode(tokenizer, asked, parameters(), training=False, language="en")
    found = generation.table([[9, EOS], [7, 6, 4]], encoded)
    assert found["item"].tolist() == [10, 11]
    assert found["prediction"].tolist() == ["w9", "w7 w6 w4"]
    assert found["gold"].tolist() == ["w7 w8", "w7"]
    assert found["generated_tokens"].tolist() == [2, 3]
    assert found["stopped"].tolist() == [True, False]
    # Token ids know the first answer only; words take the best.
    assert found["em"].tolist() == [False, False]
    assert found["f1"].tolist() == pytest.approx([2 / 5, 2 / 5])
    assert found["squad_em"].tolist() == found["mlqa_em"].tolist() == [True, False]
    assert found["squad_f1"].tolist() == pytest.approx([1, 1 / 2])
    assert found["mlqa_f1"].tolist() == pytest.approx([1, 1 / 2])
    kinds = {k: str(v) for k, v in found.dtypes.items()}
    assert kinds["item"] == kinds["generated_tokens"] == "int32"
    for name, metric in xquad.TASK.METRICS.items():
        assert kinds[name] == ("bool" if metric.kind == "binary" else "float32")
    assert kinds["stopped"] == "bool"
    right = generation.table([[7, 8, EOS], [7, EOS]], encoded)
    assert task_items.means(right, xquad.TASK.METRICS) == dict.fromkeys(
        xquad.TASK.METRICS, 1.0
    )


def test_evaluate_decodes_and_scores(tokenizer):
    model = exact("llama")
    items = [item(n, " ".join(["w5"] * n)) for n in (1, 6, 3)]
    encoded = encode(tokenizer, items, parameters(window=None), False, "en")
    plain = generation.evaluate(model, encoded, 2)
    assert plain["item"].tolist() == [1, 6, 3]
    made = [until(one_by_one(model, p), EOS) for p in encoded.prompts]
    expected = [tokenizer.decode(t, skip_special_tokens=True).strip() for t in made]
    assert plain["prediction"].tolist() == expected
    treated = generation.evaluate(
        model, encoded, 2, treatment(model), "llama", "xquad vi"
    )
    assert not treated.equals(plain)
    assert generation.evaluate(model, encoded, 3).equals(plain)


def test_language_decides_the_mlqa_scores(tokenizer):
    def scored(language):
        asked = [item(0, "w5", answer=["der w7"])]
        encoded = encode(tokenizer, asked, parameters(), False, language)
        return generation.table([[7, EOS]], encoded)["mlqa_em"][0]

    assert scored("de") and not scored("en")


def test_the_output_decides_the_runner():
    assert runners.of(xnli.TASK) is classification
    assert runners.of(xquad.TASK) is generation
    assert (runners.name(xnli.TASK), runners.name(xquad.TASK)) == (
        "nn.evaluation.classification",
        "nn.evaluation.generation",
    )
    for module in (classification, generation):
        for name in ("load", "encode", "summed_loss", "evaluate"):
            assert callable(getattr(module, name))
    assert (classification.HEAD, classification.TASK_TYPE) == ("score", "SEQ_CLS")
    assert (generation.HEAD, generation.TASK_TYPE) == (None, "CAUSAL_LM")
