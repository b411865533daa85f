"""Read-out, padding and predictions of the sentence-pair classifier."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import ConfigError, DataError
from langneurons.nn.evaluation.classifying import collate
from langneurons.nn.evaluation.examples import Labelled
from langneurons.nn.evaluation.interventions import build
from langneurons.nn.tuning import losses
from langneurons.tasks.common.classifier import predictions
from langneurons.tasks.xnli import TASK, Parameters
from tiny_models import CLASSIFIERS, LAYERS, PAD, VOCAB, WIDTH, opened
from tiny_models import build as tiny

POOLS = ("padded_last", "last_real_token", "mean")
LENGTH = 12


def word_tokenizer():
    """A word a token: <pad> <bos> <eos>, then w3 w4 ...; BOS comes first."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<bos>", "<eos>", *(f"w{i}" for i in range(3, VOCAB))]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "w3"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="w3",
    )


@pytest.fixture(scope="session")
def tokenizer():
    return word_tokenizer()


def words(rng, n):
    return " ".join(f"w{i}" for i in rng.integers(3, VOCAB, n))


def make_items(count=7, longest=4):
    rng = np.random.default_rng(0)
    return [
        {
            "id": 10 + i,
            "premise": words(rng, 1 + i % longest),
            "hypothesis": words(rng, 1 + i % 3),
            "label": i % 3,
        }
        for i in range(count)
    ]


def encoded(tokenizer, items=None, training=False, **changes):
    """Return items as a test or training sees them."""
    parameters = Parameters(**{"max_length": LENGTH, **changes})
    items = make_items() if items is None else items
    lm = opened(tiny("llama", "classifier"), tokenizer)
    if training:
        return TASK.examples(lm, items, parameters)
    labels = np.array([item["label"] for item in items])
    tokens = [np.array(ids) for ids in TASK.encode(lm, items, parameters)]
    return Labelled(tokens, labels, TASK.reading(lm, parameters))


def predict(model, data, micro_batch, treatment=None, label=""):
    """Score items."""
    lm = opened(model, micro_batch=micro_batch).under(treatment, label)
    return lm.classify(data.tokens, data.reading)


def padded_reference(model, data):
    """The released code's way: pad to max_length with EOS, read at index -1.

    OPT takes positions from the mask, all of padding the same one, and is told that
    they count on, as they do in the others.
    """
    backbone = getattr(model, model.base_model_prefix)
    ids = torch.full((len(data), data.reading.length), 2)
    mask = torch.zeros_like(ids)
    for row, item in enumerate(data.tokens):
        ids[row, : len(item)] = torch.from_numpy(item)
        mask[row, : len(item)] = 1
    given = {"input_ids": ids, "attention_mask": mask}
    if model.config.model_type == "opt":
        given["position_ids"] = torch.arange(ids.shape[1])[None]
    with torch.no_grad():
        hidden = backbone(**given).last_hidden_state
        return model.score(hidden[:, -1]).numpy()


def test_text_has_eos_between_blanks(tokenizer):
    item = {"id": 0, "premise": "w5 w6", "hypothesis": "w7", "label": 1}
    assert encoded(tokenizer, [item]).tokens[0].tolist() == [1, 5, 6, 2, 7]
    plain = encoded(tokenizer, [item], separator="space")
    assert plain.tokens[0].tolist() == [1, 5, 6, 7]


def test_long_items_are_dropped_in_training_only(tokenizer):
    items = [
        *make_items(),
        {"id": 9, "premise": "w4 " * 20, "hypothesis": "w5", "label": 0},
    ]
    kept = encoded(tokenizer, items, training=True)
    assert len(kept) == len(items) - 1 and kept.dropped == 1
    cut = encoded(tokenizer, items)
    assert len(cut) == len(items) and cut.dropped == 0
    assert len(cut.tokens[-1]) == LENGTH
    assert len(encoded(tokenizer, items, training=True, drop_long=False)) == len(items)


def test_an_item_that_fills_max_length_leaves_no_room_for_the_read_out(tokenizer):
    exact = {"id": 0, "premise": "w4 " * 9, "hypothesis": "w5", "label": 0}
    with pytest.raises(DataError, match="no item is left of 1.*max_length=12"):
        encoded(tokenizer, [exact], training=True)
    with pytest.raises(DataError, match="there are no items"):
        encoded(tokenizer, [])


def test_a_template_goes_around_the_pair_and_its_end_survives_the_cut(tokenizer):
    template = "w9 {premise} w8 {hypothesis} w10 w11"
    item = {"id": 0, "premise": "w5", "hypothesis": "{premise} w7", "label": 1}
    given = encoded(tokenizer, [item], template=template).tokens[0].tolist()
    unknown = 3  # braces in a text are no placeholder
    assert given == [1, 9, 5, 8, unknown, 7, 10, 11]
    long = {"id": 1, "premise": "w4 " * 20, "hypothesis": "w5", "label": 0}
    data = encoded(tokenizer, [item, long], template=template, pool="last_real_token")
    assert data.tokens[1].tolist() == [1, 9, *[4] * 8, 10, 11]
    batch = collate(data.tokens, data.reading)
    read = batch.input_ids[torch.arange(2), batch.read]
    assert read.tolist() == [11, 11]
    with pytest.raises(DataError, match="ends in 12 tokens; max_length is 12"):
        encoded(tokenizer, [item], template="{premise} {hypothesis}" + " w5" * 12)


@pytest.mark.parametrize(
    "template", ["{premise}", "{hypothesis} {premise}", "{premise}{premise}", "x"]
)
def test_a_template_without_both_texts_is_refused(template):
    with pytest.raises(ValueError, match="must hold {premise} and then"):
        Parameters(template=template)


def test_tokenizer_without_eos(tokenizer):
    bare = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(DataError, match="no EOS token"):
        encoded(bare, separator="space")
    assert len(encoded(bare, separator="space", pool="mean")) == 7


@pytest.mark.parametrize("pool", POOLS)
def test_padding_is_on_the_right(tokenizer, pool):
    data = encoded(tokenizer, pool=pool)
    batch = collate(data.tokens, data.reading)
    mask = batch.attention_mask
    assert bool((mask[:, 1:] <= mask[:, :-1]).all()) and bool(mask[:, 0].all())
    assert mask.sum(1).tolist() == [len(t) for t in data.tokens]
    if pool == "padded_last":
        assert batch.position_ids[0, -1] == LENGTH - 1
        assert not mask[:, -1].any() and bool((batch.input_ids[:, -1] == 2).all())
    if pool == "last_real_token":
        assert batch.read.tolist() == [len(t) - 1 for t in data.tokens]
        assert bool((batch.input_ids[mask == 0] == PAD).all())


@pytest.mark.parametrize("family", CLASSIFIERS)
@pytest.mark.parametrize("length", [LENGTH, 24])
def test_padded_last_equals_padding_in_full(tokenizer, family, length):
    """Also with sliding windows of 16, where 24 positions must really be padded."""
    model = tiny(family, "classifier")
    data = encoded(tokenizer, max_length=length)
    scores = predict(model, data, 3)
    assert np.allclose(scores, padded_reference(model, data), atol=1e-5)


def test_padded_last_with_an_item_that_fills_it(tokenizer):
    model = tiny("llama", "classifier")
    full = {"id": 8, "premise": "w4 " * 20, "hypothesis": "w5", "label": 0}
    data = encoded(tokenizer, [*make_items(), full])
    assert np.allclose(
        predict(model, data, 4), padded_reference(model, data), atol=1e-5
    )


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_last_real_token_equals_the_stock_classifier(tokenizer, family):
    model = tiny(family, "classifier")
    data = encoded(tokenizer, pool="last_real_token")
    batch = collate(data.tokens, data.reading)
    with torch.no_grad():
        stock = model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask
        ).logits
    assert np.allclose(predict(model, data, 2), stock.numpy(), atol=1e-6)


def test_mean_is_over_real_tokens(tokenizer):
    model = tiny("llama", "classifier")
    data = encoded(tokenizer, pool="mean")
    scores = predict(model, data, 7)
    for row, item in enumerate(data.tokens):
        with torch.no_grad():
            hidden = model.model(input_ids=torch.from_numpy(item)[None])[0]
            expected = model.score(hidden.mean(1))[0]
        assert np.allclose(scores[row], expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("positions", ["all", "non_pad", "last", "prompt"])
def test_micro_batch_changes_nothing(tokenizer, pool, positions):
    model = tiny("llama", "classifier")
    data = encoded(tokenizer, pool=pool)
    statistic = Statistic(value="mean", write="act_post", positions=positions)
    values = np.full((LAYERS, WIDTH), 1.5, np.float32)
    treatment = build({0: [1, 2, 9], 1: [3]}, values, statistic)
    plain = predict(model, data, 7)
    treated = predict(model, data, 7, treatment)
    assert not np.allclose(plain, treated, atol=1e-3)
    for micro_batch in (1, 3):
        assert np.allclose(plain, predict(model, data, micro_batch), atol=1e-5)
        again = predict(model, data, micro_batch, treatment)
        assert np.allclose(treated, again, atol=1e-5)


def test_order_of_items_is_kept(tokenizer):
    model = tiny("llama", "classifier")
    items = make_items()
    forth = predict(model, encoded(tokenizer, items), 2)
    back = predict(model, encoded(tokenizer, items[::-1]), 2)
    assert np.allclose(forth, back[::-1], atol=1e-5)


def test_loss_is_summed_cross_entropy(tokenizer):
    model = tiny("llama", "classifier")
    data = encoded(tokenizer)
    scores = torch.from_numpy(predict(model, data, 7))[:4]
    logs = scores.log_softmax(1)
    expected = -sum(logs[i, data.labels[i]] for i in range(4))
    found = losses.summed(model, data, PAD)(range(4))
    assert torch.allclose(found, expected, atol=1e-5)


def test_table():
    scores = np.array([[1, 0, 0], [2, 1, 0], [0, 0, 3]], np.float32)
    found = predictions(make_items(3), scores)
    assert found["item"].tolist() == [10, 11, 12]
    assert found["gold"].tolist() == [0, 1, 2]
    assert found["prediction"].tolist() == [0, 0, 2]
    assert found["accuracy"].tolist() == [True, False, True]
    assert found["logit_2"].tolist() == [0, 0, 3]
    kinds = {k: str(v) for k, v in found.dtypes.items()}
    assert kinds["item"] == "int32" and kinds["gold"] == kinds["prediction"] == "int8"
    assert kinds["accuracy"] == "bool" and kinds["logit_0"] == "float32"


def test_evaluate_gives_the_table(tokenizer):
    model, items = tiny("llama", "classifier"), make_items()
    lm = opened(model, tokenizer)
    found = TASK.evaluate(lm, items, Parameters(max_length=LENGTH), "vi")
    scores = predict(model, encoded(tokenizer, items), 3)
    assert found.equals(predictions(items, scores))


def test_the_prompt_is_all_text_and_nothing_is_generated(tokenizer):
    model, data = tiny("llama", "classifier"), encoded(tokenizer)
    values = np.full((LAYERS, WIDTH), 1.5, np.float32)

    def treated(positions):
        statistic = Statistic(value="mean", write="act_post", positions=positions)
        return predict(model, data, 3, build({0: [1, 2]}, values, statistic))

    assert np.array_equal(treated("prompt"), treated("non_pad"))
    with pytest.raises(ConfigError, match="'generated': nothing is generated here"):
        treated("generated")


def test_scores_that_are_not_finite_are_refused(tokenizer):
    model = tiny("llama", "classifier")
    model.score.weight.data.fill_(float("inf"))
    with pytest.raises(DataError, match="vi p90: scores of 7 of 7 items"):
        predict(model, encoded(tokenizer), 7, label="vi p90")


def test_more_positions_than_gpt2_has(tokenizer):
    with pytest.raises(DataError, match="max_length is 100 .*only 64 positions"):
        predict(tiny("gpt2", "classifier"), encoded(tokenizer, max_length=100), 7)
