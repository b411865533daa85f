"""Prompts, loss, greedy decoding and scores of tasks answered in words."""

from __future__ import annotations

from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from langneurons import tasks
from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.nn.evaluation import decoding
from langneurons.nn.evaluation.examples import Answered
from langneurons.nn.evaluation.interventions import build
from langneurons.nn.evaluation.padding import alike, pad_left, pad_right, positions
from langneurons.nn.models import families
from langneurons.nn.models.architectures import mlp_sites
from langneurons.nn.tuning import losses
from langneurons.tasks.common import prompts
from langneurons.tasks.xquad import TASK, Parameters, scored
from test_classification import word_tokenizer
from tiny_models import FAMILIES, LAYERS, PAD, VOCAB, opened, tokens
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


def raw(lengths=LENGTHS):
    """Random prompts of the given lengths."""
    return [tokens(1, n, seed=n)[0].numpy() for n in lengths]


def generate(model, given, micro_batch, change=None, eos=-1, new=NEW, **options):
    """Continue prompts; ``eos`` ends an answer."""
    names = SimpleNamespace(eos_token_id=eos, pad_token_id=PAD)
    lm = opened(model, names, micro_batch).under(change, "vi none")
    return lm.generate(given, new, **options)


def exact(family):
    """A model in double precision, so that rounding decides between no two tokens.

    Its attention is not the eager one, which takes softmax in single precision and
    gives NaN where the lowest double is meant to hide padding.
    """
    if "sdpa" not in families.find(family).kernels:
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
                flat = output.view(-1, output.shape[-1])
                flat[rows, edit.neurons] = edit.values.to(output.dtype)
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
    found = [one_by_one(model, prompt, window, where) for prompt in raw()]
    eos = an_end(found)
    change = treatment(model) if where else None
    for micro_batch in (1, 3):
        made = generate(model, raw(), micro_batch, change, eos, window=window)
        assert made == [until(tokens, eos) for tokens in found]


@pytest.mark.parametrize("window", [None, 6])  # 6: the prompts leave the window
@pytest.mark.parametrize("where", POSITIONS)
def test_positions_while_generating(where, window):
    model = exact("llama")
    found = [one_by_one(model, p, window, where) for p in raw()]
    change = treatment(model, where)
    assert generate(model, raw(), 3, change, window=window) == found
    assert generate(model, raw(), 3, window=window) != found


def test_positions_give_different_answers():
    model = exact("llama")
    made = [generate(model, raw(), 7, treatment(model, where)) for where in POSITIONS]
    assert made[0] == made[1]
    assert len({str(answers) for answers in made}) == 4


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_eager_attention(family):
    """Padding is hidden there too; single precision, so at most a tie may differ."""
    made = generate(tiny(family, tie_word_embeddings=False), raw(), 3)
    found = [one_by_one(exact(family), prompt) for prompt in raw()]
    same = sum(a == b for a, b in zip(made, found, strict=True))
    assert same >= len(found) - 1


def test_works_in_a_peft_model():
    from peft import LoraConfig, get_peft_model

    model = exact("llama")
    plain = generate(model, raw(), 3, treatment(model))
    wanted = LoraConfig(r=2, target_modules=["q_proj", "gate_proj"])
    wrapped = get_peft_model(model, wanted).eval()
    assert generate(wrapped, raw(), 3, treatment(model)) == plain
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    assert generate(wrapped, raw(), 3, treatment(model)) != plain


def reads(model, given, micro_batch, **options):
    """Return the shape of every forward pass."""
    shapes = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: shapes.append(tuple(args[0].shape))
    )
    made = generate(model, given, micro_batch, **options)
    hook.remove()
    return shapes, made


def test_the_cache_is_used_and_finished_rows_leave():
    model = exact("llama")
    eos = an_end([one_by_one(model, p) for p in raw()])
    shapes, made = reads(model, raw(), 7, eos=eos)
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
    shapes, _ = reads(model, raw((12, 17, 13)), 2, window=WINDOW)
    # Prompts of 13 and 12 with a cache; after 2 and 3 tokens they exceed 14.
    assert shapes[:3] == [(2, 13), (2, 1), (1, 1)]
    assert set(shapes[3:]) <= {(2, WINDOW), (1, WINDOW)}
    # 12 tokens of the longest, and what the others still lack of theirs.
    assert sum(rows for rows, _ in shapes[3:]) == 12 + 10 + 9


def answered(given, counted="full"):
    golds = [np.array([5, EOS]) for _ in given]
    return Answered(given, golds, counted)


def test_half_precision():
    model = tiny("llama").bfloat16()
    made = generate(model, raw(), 3, treatment(model))
    assert [len(answer) for answer in made] == [NEW] * len(LENGTHS)
    assert made != generate(model, raw(), 3)
    loss = losses.summed(model, answered(raw()), PAD)(range(3))
    assert loss.dtype == torch.float32 and bool(loss.isfinite())


def test_ties_go_to_the_lowest_token():
    model = exact("llama")
    with torch.no_grad():
        model.lm_head.weight[:] = model.lm_head.weight[7]
    assert generate(model, raw(), 3) == [[0] * NEW] * len(LENGTHS)
    assert generate(model, raw(), 3, eos=0) == [[0]] * len(LENGTHS)


@pytest.mark.parametrize("window", [None, 6])
def test_texts_that_end_an_answer(tokenizer, window):
    """They may begin and end within tokens; others of the batch go on."""
    model = exact("llama")
    found = [one_by_one(model, p, window) for p in raw()]
    bare = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer)
    bare.add_special_tokens({"pad_token": "<pad>", "eos_token": "<none>"})
    lm = opened(model, bare, 3)
    stop = lm.decode(found[2][:4])[-5:]  # from within a token
    made = lm.generate(raw(), NEW, window=window, stop=[stop, "never"])
    for answer, whole in zip(made, found, strict=True):
        said = [n for n in range(1, NEW) if stop in lm.decode(whole[:n])]
        assert answer == whole[: min(said, default=NEW)]
    assert len(made[2]) == 4 and max(map(len, made)) == NEW
    assert lm.decode(made[2], [stop]) + stop == lm.decode(made[2])


def test_logits_that_are_not_finite_are_refused():
    model = tiny("llama")
    model.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(DataError, match="vi none: the logits of token 1 .*prompt 6 "):
        generate(model, raw(), 3)


def test_more_positions_than_gpt2_has():
    model = tiny("gpt2")
    with pytest.raises(DataError, match="answer is 80 tokens.*only 64 positions"):
        generate(model, raw(), 3, new=64)
    generate(model, raw((62,)), 3, new=3)
    generate(model, raw((70,)), 3, new=3, window=64)
    with pytest.raises(DataError, match="an item is 72 tokens.*lower the task's max"):
        opened(model).require_fit(answered(raw((70,))))


def encode(tokenizer, items, given, training):
    return prompts.encode(opened(tiny("llama"), tokenizer), items, given, training)


def test_prompt_answer_and_eos_as_tokens(tokenizer):
    asked = item(3, "w5 w6", "w4 w4", [" w7 w8 ", "w9"])
    found = encode(tokenizer, [asked], parameters(), training=False)
    assert found.prompts[0].tolist() == [1, 4, 4, 5, 6, EOS]  # BOS, as by default
    assert found.golds[0].tolist() == [7, 8, EOS]
    assert found.rows == [0]


def test_long_items_are_dropped(tokenizer):
    """At max_length - 1 tokens: training counts the answer and EOS, a test does not."""
    items = [item(n, " ".join(["w5"] * n)) for n in (3, 4, 5, 6)]
    ten = parameters(max_length=10)  # 1 BOS, 1 question, n of context, 1 EOS: n + 3
    train = TASK.examples(opened(tiny("llama"), tokenizer), items, ten)
    assert len(train) == 1 and train.dropped == 3
    assert len(train.prompts[0]) + len(train.answers[0]) == 8
    test = encode(tokenizer, items, ten, training=False)
    assert test.rows == [0, 1, 2]
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
    assert found.rows == [0, 1, 2]
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


def test_padding():
    ids, mask = pad_right([np.array([7]), np.array([4, 5, 6])], 0)
    assert ids.tolist() == [[7, 0, 0], [4, 5, 6]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    ids, mask = pad_left([np.array([7]), np.array([4, 5, 6])], 0)
    assert ids.tolist() == [[0, 0, 7], [4, 5, 6]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]
    assert positions(mask).tolist() == [[0, 0, 0], [0, 1, 2]]


def test_batches_of_like_lengths_are_the_cheapest_of_all_cuts():
    rng = np.random.default_rng(0)
    for price in (0, 1, 5, 40):
        lengths = rng.integers(1, 12, 9).tolist()
        found = alike(lengths, price)
        assert sorted(i for part in found for i in part) == list(range(9))
        cost = sum(price + len(part) * max(lengths[i] for i in part) for part in found)
        ordered = sorted(lengths)
        cheapest = min(
            sum(price + (b - a) * ordered[b - 1] for a, b in pairwise([0, *cuts, 9]))
            for many in range(9)
            for cuts in combinations(range(1, 9), many)
        )
        assert cost == cheapest
    assert len(alike([3, 1, 1], 0)) == 2 and alike([], 5) == []


def training_items(tokenizer, loss):
    items = [item(n, " ".join(["w5", "w9"] * n), "w4", "w7 w8") for n in (1, 4, 2, 3)]
    lm = opened(tiny("llama"), tokenizer)
    return TASK.examples(lm, items, parameters(loss=loss))


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("loss", ["full", "answer_only"])
def test_loss_counts_every_token_alike(tokenizer, family, loss):
    """Parity with the stock model's own loss, item by item."""
    changes = {"final_logit_softcapping": 2.0} if family == "gemma2" else {}
    model = tiny(family, **changes)
    encoded = training_items(tokenizer, loss)
    sums, counts = [], []
    for prompt, gold in zip(encoded.prompts, encoded.answers, strict=True):
        ids = torch.from_numpy(np.concatenate([prompt, gold]))[None]
        labels = ids.clone()
        if loss == "answer_only":
            labels[0, : len(prompt)] = -100
        counts.append(int((labels[0, 1:] != -100).sum()))
        with torch.no_grad():
            sums.append(float(model(input_ids=ids, labels=labels).loss) * counts[-1])
    found = losses.summed(model, encoded, PAD)
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
    loss = losses.summed(model, training_items(tokenizer, "full"), PAD)
    weight = model.model.layers[0].mlp.gate_proj.weight
    found = []
    for parts in ([[0, 1, 2, 3]], [[0], [1, 2], [3]]):
        weight.grad = None
        for rows in parts:
            loss(rows).backward()
        found.append(weight.grad.clone())
    assert found[0].abs().max() > 1e-3
    torch.testing.assert_close(*found, rtol=0, atol=1e-9)


def table(tokenizer, asked, made, language):
    """Lay answers out."""
    lm = opened(tiny("llama"), tokenizer)
    golds = prompts.encode(lm, asked, parameters(), training=False).golds
    return scored(lm, asked, made, golds=golds, language=language)


def test_table(tokenizer):
    asked = [item(10, "w5", answer=["w7 w8", "w9"]), item(11, "w5", answer="w7")]
    found = table(tokenizer, asked, [[9, EOS], [7, 6, 4]], "en")
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
    for name, metric in TASK.METRICS.items():
        assert kinds[name] == ("bool" if metric.kind == "binary" else "float32")
    assert kinds["stopped"] == "bool"
    right = table(tokenizer, asked, [[7, 8, EOS], [7, EOS]], "en")
    assert tasks.checked(TASK, right) is right
    found = tasks.metrics(TASK, right, parameters(), "en")
    assert found == dict.fromkeys(TASK.METRICS, 1.0)


def test_evaluate_decodes_and_scores(tokenizer):
    model = exact("llama")
    items = [item(n, " ".join(["w5"] * n)) for n in (1, 6, 3)]
    given = parameters(window=None)
    encoded = encode(tokenizer, items, given, training=False)

    def evaluated(micro_batch, change=None):
        lm = opened(model, tokenizer, micro_batch).under(change, "xquad vi")
        return TASK.evaluate(lm, items, given, "en")

    plain = evaluated(2)
    assert plain["item"].tolist() == [1, 6, 3]
    made = [until(one_by_one(model, p), EOS) for p in encoded.prompts]
    expected = [tokenizer.decode(t, skip_special_tokens=True).strip() for t in made]
    assert plain["prediction"].tolist() == expected
    assert not evaluated(2, treatment(model)).equals(plain)
    assert evaluated(3).equals(plain)


def test_language_decides_the_mlqa_scores(tokenizer):
    def exact_match(language):
        asked = [item(0, "w5", answer=["der w7"])]
        return table(tokenizer, asked, [[7, EOS]], language)["mlqa_em"][0]

    assert exact_match("de") and not exact_match("en")
