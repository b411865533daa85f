"""Likelihoods and next tokens equal plain forward passes, one item at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import langneurons.nn.evaluation.open_model as open_model
from langneurons.config.errors import DataError
from langneurons.jobs import files
from langneurons.nn.evaluation import continuing
from langneurons.nn.evaluation.examples import Reading
from langneurons.nn.evaluation.language_model import LanguageModel
from langneurons.nn.models import folders
from langneurons.nn.models.architectures import mlp_sites
from test_batching import Scarce
from test_classification import word_tokenizer
from test_generation import NEURONS, treatment
from test_waiting import counted
from tiny_models import VOCAB, opened, tokens
from tiny_models import build as tiny

LENGTHS = (5, 12, 3, 19, 9)
FAMILIES = ("llama", "gemma3", "gpt2", "gemma2", "bloom", "opt", "xglm", "cohere2")
POSITIONS = (None, "all", "non_pad", "last", "prompt", "generated")


def contexts():
    return [tokens(1, n, seed=n)[0].numpy() for n in LENGTHS]


def continuations():
    """Of one to five tokens; their number differs from item to item."""
    return [
        [tokens(1, 1 + (i + k) % 5, seed=9 * i + k)[0].numpy() for k in range(1 + i)]
        for i in range(len(LENGTHS))
    ]


@torch.no_grad()
def plain_logits(model, text, length, where):
    """Run the stock model over one whole text, hooks written by hand.

    Args:
        model: a stock language model.
        text: token ids of a context and what follows it.
        length: of the context.
        where: positions that ``treatment`` writes; None: no intervention.
    """
    place = np.arange(len(text))
    written = {
        None: place < 0,
        "all": place >= 0,
        "non_pad": place >= 0,
        "last": place >= length - 1,
        "prompt": place < length,
        "generated": place >= length,
    }[where]
    rows = torch.from_numpy(np.flatnonzero(written))
    hooks = []
    for edit in treatment(model).edits:

        def write(module, args, output, edit=edit):
            output = output.clone()
            flat = output.view(-1, output.shape[-1])
            flat[rows[:, None], edit.neurons] = edit.values.to(output.dtype)
            return output

        act = mlp_sites(model).layers[edit.layer].act
        hooks.append(act.register_forward_hook(write))
    logits = model(input_ids=torch.from_numpy(text)[None]).logits[0].double()
    for hook in hooks:
        hook.remove()
    return logits


def reference(model, context, continuation, where):
    """Sum log-probabilities as a plain forward pass gives them; say if greedy."""
    length = len(context)
    logits = plain_logits(model, np.concatenate([context, continuation]), length, where)
    logs = logits[length - 1 : -1].log_softmax(-1)
    target = torch.from_numpy(continuation)
    picked = logs[torch.arange(len(target)), target]
    return float(picked.sum()), bool((logs.argmax(-1) == target).all())


@pytest.mark.parametrize("where", POSITIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_likelihoods_equal_plain_forward_passes(family, where, monkeypatch):
    """Contexts of 19 tokens leave the sliding window of 16 that gemma3 has."""
    model = tiny(family, tie_word_embeddings=False)
    change = treatment(model, where) if where else None
    given, texts = contexts(), continuations()
    greedy = plain_logits(model, given[1], len(given[1]), where)[-1].argmax()
    texts[1].append(np.array([int(greedy)]))  # the most likely token
    # Continuations in one pass, those of each length in their own, and as whole texts.
    alone = [each[-1:] for each in texts]
    for micro_batch, price, asked in ((1, 99, texts), (3, 0, texts), (3, 0, alone)):
        monkeypatch.setitem(continuing.PASS, "cpu", price)
        lm = opened(model, micro_batch=micro_batch).under(change)
        found = lm.loglikelihood(given, asked)
        for context, each, one in zip(given, asked, found, strict=True):
            wanted = [reference(model, context, text, where) for text in each]
            assert one.tokens.tolist() == [len(text) for text in each]
            assert one.logprob.dtype == np.float64
            assert np.allclose(one.logprob, [w for w, _ in wanted], atol=1e-4)
            assert one.greedy.tolist() == [g for _, g in wanted]
        assert found[1].greedy[-1]


def test_what_was_generated_is_the_greedy_choice():
    """And with the same positions written, its likelihood is that of generation."""
    model = tiny("llama", tie_word_embeddings=False)
    for where in ("last", "prompt", "generated"):
        lm = opened(model).under(treatment(model, where))
        made = lm.generate(contexts(), 6)
        found = lm.loglikelihood(contexts(), [[answer] for answer in made])
        assert all(one.greedy.all() for one in found)
    other = opened(model).loglikelihood(contexts(), [[answer] for answer in made])
    assert not all(one.greedy.all() for one in other)


def passes(model, work):
    """Return the shape of every forward pass."""
    shapes = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: shapes.append(tuple(args[0].shape))
    )
    work()
    hook.remove()
    return shapes


def test_a_context_is_run_once_for_all_its_continuations():
    model = tiny("llama")
    lm = opened(model, micro_batch=5)
    shapes = passes(model, lambda: lm.loglikelihood(contexts(), continuations()))
    # 15 continuations, of which those of one token need nothing but the context.
    more = [text for each in continuations() for text in each if len(text) > 1]
    assert shapes == [(5, max(LENGTHS)), (len(more), 4)]
    letters = [[[7], [8], [9]] for _ in LENGTHS]
    shapes = passes(model, lambda: lm.loglikelihood(contexts(), letters))
    assert shapes == [(5, max(LENGTHS))]


@pytest.mark.parametrize("where", [None, "all", "last", "prompt"])
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_next_tokens_equal_plain_forward_passes(family, where):
    model = tiny(family, tie_word_embeddings=False)
    lm = opened(model).under(treatment(model, where) if where else None)
    wanted = np.stack(
        [
            plain_logits(model, text, len(text), where)[-1].log_softmax(-1).numpy()
            for text in contexts()
        ]
    )
    found = lm.next_tokens(contexts())
    assert found.shape == (len(LENGTHS), VOCAB) and found.dtype == np.float32
    assert np.allclose(found, wanted, atol=1e-4)
    few = lm.next_tokens(contexts(), [9, 4])
    assert np.allclose(few, wanted[:, [9, 4]], atol=1e-4)


def test_the_side_on_which_a_tokenizer_pads_makes_no_difference():
    """Batches equal single items, whatever the tokenizer says of padding."""
    model, head = tiny("llama"), tiny("llama", "classifier")
    reading = Reading("last_real_token", 32, 0)
    found = []
    for side in ("left", "right"):
        for micro_batch in (1, 5):
            tokenizer = word_tokenizer()
            tokenizer.padding_side = side
            lm = opened(model, tokenizer, micro_batch)
            made = lm.generate(contexts(), 4)
            likely = lm.loglikelihood(contexts(), continuations())
            scores = opened(head, tokenizer, micro_batch).classify(contexts(), reading)
            sums = np.concatenate([one.logprob for one in likely])
            found.append((made, sums, lm.next_tokens(contexts()), scores))
    for made, *numbers in found[1:]:
        assert made == found[0][0]
        for one, first in zip(numbers, found[0][1:], strict=True):
            assert np.allclose(one, first, atol=1e-5)


def test_memory_that_runs_out_halves_the_batch():
    model = tiny("llama")
    lm = opened(model, micro_batch=5)
    wanted = lm.loglikelihood(contexts(), continuations()), lm.next_tokens(contexts())
    scarce = Scarce(model.model, 6, model.model.layers[1])
    found = lm.loglikelihood(contexts(), continuations()), lm.next_tokens(contexts())
    assert scarce.failed
    for one, two in zip(found[0], wanted[0], strict=True):
        assert np.allclose(one.logprob, two.logprob, atol=1e-5)
    assert np.allclose(found[1], wanted[1], atol=1e-5)


def test_likelihoods_fetch_nothing_before_the_end():
    model, found = tiny("llama"), []
    for micro_batch in (5, 1):
        lm = opened(model, micro_batch=micro_batch)
        with counted(found):
            lm.loglikelihood(contexts(), continuations())
        with counted(found):
            lm.next_tokens(contexts(), [3])
    # Where padding is, is known on the CPU; one item has answers of one token only.
    padding = (1, 4)
    assert found == [1 + padding[0], 1, 1 + padding[1], 1]


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda lm: lm.loglikelihood([[]], [[[4]]]), "no tokens"),
        (lambda lm: lm.loglikelihood([[4]], [[[]]]), "no tokens"),
        (lambda lm: lm.loglikelihood([[4]], [[]]), "no continuation"),
        (lambda lm: lm.loglikelihood([], []), "no items"),
        (lambda lm: lm.loglikelihood([[4]], [[[40]]]), "token 40.*0 to 39"),
        (lambda lm: lm.loglikelihood([[4] * 60], [[[4] * 6]]), "is 65 tokens"),
        (lambda lm: lm.next_tokens([[4]], [40]), "token 40"),
        (lambda lm: lm.next_tokens([[4] * 65]), "is 65 tokens"),
        (lambda lm: lm.generate([[4], [41]], 3), "token 41"),
        (lambda lm: lm.generate([[4] * 60], 6), "is 65 tokens"),
        (lambda lm: lm.classify([[4]], Reading("mean", 65, 0)), "is 65 tokens"),
        (lambda lm: lm.classify([[4]], Reading("padded_last", 9, 40)), "token 40"),
        (lambda lm: lm.classify([], Reading("mean", 9, 0)), "no items"),
    ],
)
def test_what_a_model_cannot_read_is_refused_before_it_is_loaded(work, message):
    def load():
        raise AssertionError("loaded")

    tokenizer = SimpleNamespace(eos_token_id=2, pad_token_id=0)
    manifest = {"model": "tiny", "vocab_size": VOCAB, "positions": 64}
    with pytest.raises(DataError, match=message):
        work(LanguageModel(tokenizer, manifest, load))


def test_likelihoods_that_are_not_finite_are_refused():
    model = tiny("llama")
    model.lm_head.weight.data.fill_(float("nan"))
    lm = opened(model).under(None, "vi zero")
    with pytest.raises(DataError, match="vi zero: the likelihood of a continuation"):
        lm.loglikelihood(contexts(), continuations())
    with pytest.raises(DataError, match="vi zero: the likelihood of a next token"):
        lm.next_tokens(contexts())


def test_weights_are_loaded_once_and_texts_encoded_once(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    tiny("llama").save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    about = {"model": "tiny", "source": "folder:x", "revision": "abc"}
    about |= {"dtype": "float32"} | folders.describe(folder)
    files.write_json(folder / "manifest.json", about)
    loads, made = [], []
    load, plain = open_model.loading.load_causal, open_model.PlainText
    monkeypatch.setattr(
        open_model.loading,
        "load_causal",
        lambda *a, **k: loads.append(a) or load(*a, **k),
    )
    monkeypatch.setattr(open_model, "PlainText", lambda t: made.append(t) or plain(t))
    lm = LanguageModel.open(folder / "manifest.json", "cpu").in_batches(2)
    assert lm.encode(["w5 w6", "</s>"], beginning=True) == [[1, 5, 6], [1, 3]]
    lm.encode(["w5"])[0].append(7)  # nobody else sees this
    assert lm.encode(["w5"]) == [[5]] and not loads
    width = lm.model.config.intermediate_size
    assert width > max(NEURONS[1])
    for change in (None, treatment(lm.model)):
        treated = lm.under(change, "x")
        assert treated.model is lm.model and treated.encode(["w5"]) == [[5]]
        treated.next_tokens([[4, 5]])
    assert len(loads) == len(made) == 1
