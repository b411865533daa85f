"""Statistics of every neuron from a recorded file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_files import build, family, heavy_tailed
from langneurons.config.errors import DataError
from langneurons.jobs import tensors
from langneurons.neurons.histogram import activation_function
from langneurons.neurons.recorded_activations import (
    Activations,
    check_same_model,
    pooled_quantiles,
)
from langneurons.text.token_files import evenly

FRACTIONS = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]


def at_site(pre: np.ndarray, site: str) -> np.ndarray:
    if site == "gate_pre":
        return pre
    return activation_function("silu")(pre.astype(np.float64)).astype(np.float32)


@pytest.fixture(scope="module")
def pre() -> np.ndarray:
    return heavy_tailed(0, 3000, 2, 40)


@pytest.fixture(scope="module")
def recorded(pre: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Activations:
    path = tmp_path_factory.mktemp("activations") / "en.safetensors"
    return build(path, pre, batch_tokens=700)


def test_shape_counts_and_metadata(recorded: Activations, pre: np.ndarray) -> None:
    assert (recorded.n, recorded.layers, recorded.width) == (3000, 2, 40)
    assert recorded.metadata["language"] == "en"
    assert recorded.activation == "silu"
    assert np.array_equal(recorded.counts(), (pre > 0).sum(0))
    assert np.array_equal(recorded.probability(), (pre > 0).mean(0))


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_plain_values(recorded: Activations, pre: np.ndarray, site: str) -> None:
    values = at_site(pre, site)
    for name in ("mean", "min", "max"):
        want = getattr(values.astype(np.float64), name)(0)
        found = recorded.value(name, site, "pooled")
        assert found.dtype == np.float32
        assert np.allclose(found, want, rtol=1e-6, atol=1e-7)
    assert not recorded.value("zero", site, "pooled").any()


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_rank_error_of_pooled_percentiles(tmp_path: Path, site: str) -> None:
    """The share of tokens below a percentile is off by 0.002 at most, on average."""
    pre = heavy_tailed(3, 20_000, 2, 40)
    found = build(tmp_path / "en.safetensors", pre)
    values = at_site(pre, site).astype(np.float64)
    errors = []
    for percent in (5, 10, 25, 50, 75, 90, 95):
        cut = found.value(f"p{percent}", site, "pooled").astype(np.float64)
        errors.append(np.abs((values < cut).mean(0) - percent / 100))
    assert np.mean(errors) <= 0.002


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_batch_mean_is_the_mean_of_per_batch_quantiles(
    recorded: Activations, pre: np.ndarray, site: str
) -> None:
    batches = at_site(pre, site)[:2800].reshape(4, 700, 2, 40).astype(np.float64)
    want = np.quantile(batches, 0.9, axis=1).mean(0)  # the last 200 tokens are dropped
    assert np.allclose(recorded.value("p90", site, "batch_mean"), want, atol=1e-6)
    middle = np.quantile(batches, 0.5, axis=1).mean(0)
    assert np.allclose(recorded.value("median", site, "batch_mean"), middle, atol=1e-6)


@pytest.mark.parametrize(
    "site,mean,p99,largest",
    [("act_post", 0.0008, 0.0054, 0.047), ("gate_pre", 0.0012, 0.0075, 0.047)],
)
def test_pooled_quantiles_are_within_the_stated_error(
    tmp_path: Path, site: str, mean: float, p99: float, largest: float
) -> None:
    """Bounds for 4 mantissa bits on SiLU outputs; inputs reach wider bins."""
    pre = heavy_tailed(3, 20_000, 1, 100)
    recorded = build(tmp_path / "en.safetensors", pre)
    values = at_site(pre, site).astype(np.float64)
    error = recorded.quantiles(FRACTIONS, site) - np.quantile(values, FRACTIONS, 0)
    assert np.abs(error).mean() < mean
    assert np.quantile(np.abs(error), 0.99) < p99
    assert np.abs(error).max() < largest


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_fraction_above(recorded: Activations, pre: np.ndarray, site: str) -> None:
    values = at_site(pre, site)
    threshold = np.quantile(values, 0.8, axis=0) + 0.05
    found = recorded.fraction_above(threshold, site)
    assert np.abs(found - (values > threshold).mean(0)).max() < 0.01
    assert np.abs(found - (values > threshold).mean(0)).mean() < 0.002
    everything = recorded.fraction_above(-1e6, site)
    assert np.array_equal(everything, np.ones((2, 40)))
    assert not recorded.fraction_above(1e6, site).any()


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_fraction_above_zero_is_exact(recorded: Activations, site: str) -> None:
    threshold = np.zeros((2, 40))
    threshold[1] = 0.2
    found = recorded.fraction_above(threshold, site)
    assert np.array_equal(found[0], recorded.probability()[0])
    assert (found[1] < recorded.probability()[1]).all()


def test_every_mth_token_gives_nearly_the_same(tmp_path: Path) -> None:
    pre = heavy_tailed(5, 16_000, 1, 20)
    recorded = build(tmp_path / "en.safetensors", pre, every=8)
    assert recorded.histogram_n == 2000 and recorded.n == 16_000
    error = recorded.value("p90", "gate_pre", "pooled") - np.quantile(pre, 0.9, axis=0)
    assert np.abs(error).mean() < 0.04  # sampling error of 2000 tokens


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_pooled_over_languages_and_layers(tmp_path: Path, site: str) -> None:
    parts = [heavy_tailed(seed, 2000 * (seed + 1), 2, 30) for seed in range(2)]
    files = [build(tmp_path / f"{i}.safetensors", p) for i, p in enumerate(parts)]
    values = at_site(np.concatenate(parts), site)
    found = pooled_quantiles(files, [0.9], site)
    assert found.shape == (1, 2, 30)
    assert np.abs(found[0] - np.quantile(values, 0.9, axis=0)).max() < 0.02
    layerwise = pooled_quantiles(files, [0.5, 0.9], site, over_layer=True)
    want = np.quantile(values.transpose(1, 0, 2).reshape(2, -1), [0.5, 0.9], axis=1)
    assert layerwise.shape == (2, 2, 1)
    assert np.allclose(layerwise[:, :, 0], want, atol=0.01)


@pytest.mark.parametrize(
    "value,site,quantile,message",
    [
        ("mode", "gate_pre", "pooled", "unknown value 'mode'"),
        ("const", "gate_pre", "pooled", "unknown value 'const'"),
        ("p90", "gate_post", "pooled", "unknown site 'gate_post'"),
        ("p90", "gate_pre", "poled", "did you mean 'pooled'"),
        ("p33", "gate_pre", "batch_mean", "p33 at gate_pre was not recorded"),
    ],
)
def test_unknown_names(
    recorded: Activations, value: str, site: str, quantile: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        recorded.value(value, site, quantile)


def test_batch_quantiles_must_have_been_recorded(tmp_path: Path) -> None:
    pre = heavy_tailed(0, 50, 1, 4)
    without = build(tmp_path / "a.safetensors", pre)
    with pytest.raises(DataError, match=r"activations\.batch_quantiles"):
        without.value("p90", "gate_pre", "batch_mean")
    short = build(tmp_path / "b.safetensors", pre, batch_tokens=100)
    with pytest.raises(DataError, match="shorter than one batch"):
        short.value("p90", "gate_pre", "batch_mean")


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        Activations.open(tmp_path / "absent.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\x08" + b"\x00" * 20)
    with pytest.raises(DataError, match=r"broken\.safetensors: cannot be read"):
        Activations.open(tmp_path / "broken.safetensors")
    tensors.write(tmp_path / "tokens.safetensors", {"tokens": np.zeros((2, 2))})
    with pytest.raises(
        DataError, match="not an activations file, it lacks .*count_pos"
    ):
        Activations.open(tmp_path / "tokens.safetensors")


def rewrite(source: Activations, path: Path, **changed: np.ndarray) -> Path:
    arrays, metadata = tensors.read(source.path)
    tensors.write(path, arrays | changed, metadata)
    return path


def test_inconsistent_contents(tmp_path: Path) -> None:
    good = build(tmp_path / "en.safetensors", heavy_tailed(0, 20, 2, 3))
    wrong = np.zeros((2, 3, 11), np.int32)
    with pytest.raises(DataError, match="histogram has shape"):
        Activations.open(rewrite(good, tmp_path / "a.safetensors", histogram=wrong))
    with pytest.raises(DataError, match="no tokens"):
        Activations.open(rewrite(good, tmp_path / "b.safetensors", n=np.array([0])))
    empty = Activations.open(
        rewrite(good, tmp_path / "c.safetensors", histogram_n=np.array([0]))
    )
    with pytest.raises(DataError, match="holds no tokens"):
        empty.value("p90", "gate_pre", "pooled")
    with pytest.raises(DataError, match="holds no tokens"):
        empty.fraction_above(0.5, "gate_pre")
    with pytest.raises(DataError, match="unknown tensor"):
        good.tensor("act_post.batch_quantiles")


def test_another_model_is_refused(tmp_path: Path) -> None:
    good = family(tmp_path, ("en", "fr"))
    check_same_model(list(good.values()))
    pre = heavy_tailed(0, 20, 2, 60)
    other = build(tmp_path / "x.safetensors", pre, revision="r2")
    with pytest.raises(DataError, match="model_revision is r2, but r1"):
        check_same_model([good["en"], other])
    narrow = build(tmp_path / "y.safetensors", pre[:, :, :50])
    with pytest.raises(DataError, match="neurons per layer is 50, but 60"):
        pooled_quantiles([good["en"], narrow], [0.5], "gate_pre")


@pytest.mark.parametrize("family_name", ["llama", "gemma3", "gpt2", "bloom"])
def test_reads_what_the_recorder_writes(family_name: str, tmp_path: Path) -> None:
    """Values at both sites are those of the activations that a model computes."""
    torch = pytest.importorskip("torch")
    import tiny_models
    from langneurons.nn.models import architectures
    from langneurons.nn.recording import measuring

    model = tiny_models.build(family_name, head="base")
    chunks = torch.randint(3, tiny_models.VOCAB, (60, 20))
    seen: dict[str, list[np.ndarray]] = {"gate_pre": [], "act_post": []}

    def keep(module: object, args: tuple, output: object) -> None:
        seen["gate_pre"].append(args[0].flatten(0, -2).numpy())
        seen["act_post"].append(output.flatten(0, -2).numpy())

    layer = architectures.mlp_sites(model, family_name).layers[1]
    handle = layer.act.register_forward_hook(keep)
    arrays, metadata = measuring.record(
        model,
        chunks,
        0,
        batch_chunks=6,
        histogram_every=1,
        batch_quantiles=("gate_pre", "act_post"),
        micro_batch=4,
        label="test",
        family=family_name,
    )
    handle.remove()
    tensors.write(tmp_path / "x.safetensors", arrays, metadata)
    recorded = Activations.open(tmp_path / "x.safetensors")
    for site, parts in seen.items():
        values = np.concatenate(parts).astype(np.float64)
        assert recorded.n == len(values) == 1200
        for name, want in (
            ("mean", values.mean(0)),
            ("min", values.min(0)),
            ("max", values.max(0)),
        ):
            found = recorded.value(name, site, "pooled")[1]
            assert np.allclose(found, want, rtol=1e-5, atol=1e-6)
        batches = np.quantile(values.reshape(10, 120, -1), 0.9, axis=1).mean(0)
        assert np.allclose(recorded.value("p90", site, "batch_mean")[1], batches, 1e-5)
        want = np.quantile(values, FRACTIONS, axis=0)
        error = np.abs(recorded.quantiles(FRACTIONS, site)[:, 1] - want)
        # a bin is 1/16 of an octave wide; a random model has no atoms
        assert (error < 0.004 + np.abs(want) / 16).all()
        above = recorded.fraction_above(want[5], site)[1]
        assert np.abs(above - (values > want[5]).mean(0)).max() < 0.03


@given(st.integers(0, 300), st.integers(0, 310))
def test_evenly_chosen_numbers(total: int, count: int) -> None:
    found = evenly(total, count)
    assert len(found) == min(total, count)
    assert all(0 <= n < total for n in found)
    steps = set(np.diff(found).tolist())
    assert all(step > 0 for step in steps)
    assert max(steps, default=0) - min(steps, default=0) <= 1
    if found:  # as much is left out before the first as after the last
        assert abs(found[0] - (total - 1 - found[-1])) <= 1


def test_evenly_takes_the_middle_of_each_part() -> None:
    assert evenly(10, 2) == [2, 7]
    assert evenly(9, 3) == [1, 4, 7]


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_chunk_means(tmp_path: Path, pre: np.ndarray, site: str) -> None:
    path = tmp_path / "x.safetensors"
    recorded = build(path, pre, chunk_length=30, chunk_means=4)
    chunks = at_site(pre, site).reshape(100, 30, 2, 40)[[12, 37, 62, 87]]
    assert recorded.chunk_means_recorded == 4
    found = recorded.chunk_means(site, 1)
    assert found.dtype == np.float16 and found.shape == (4, 40)
    assert np.allclose(found, chunks.mean(1)[:, 1], rtol=1e-3, atol=1e-4)


def test_contributions(tmp_path: Path, pre: np.ndarray) -> None:
    made = np.array([[[5.0, 1, 2, 0]], [[3, 0, 3, 1]], [[0, 0, 0, 1]]])
    path = tmp_path / "x.safetensors"
    recorded = build(path, pre[:, :1, :4], contribution_top=0.5, contributions=made)
    top = recorded.top_chunks()
    assert (top.chunks, top.share) == (3, 0.5)
    assert top.counts.tolist() == [[2, 0, 2, 1]]
    assert recorded.product_sums().tolist() == [[8, 1, 5, 2]]


def test_chunks_must_have_been_recorded(recorded: Activations) -> None:
    assert recorded.chunk_means_recorded == 0
    with pytest.raises(
        DataError, match=r"en\.safetensors: .* activations\.chunk_means"
    ):
        recorded.chunk_means("gate_pre", 0)
    for read in (recorded.top_chunks, recorded.product_sums):
        with pytest.raises(DataError, match=r"set activations\.contribution_top"):
            read()


@pytest.mark.parametrize("site", ["gate_pre", "act_post"])
def test_largest_and_lower_median_of_means(tmp_path: Path, site: str) -> None:
    """Means .2 .6 .4 give .6 and .4; .1 .2 .6 .4 give .6 and .2, the lower middle."""
    for means, median in (([0.2, 0.6, 0.4], 0.4), ([0.1, 0.2, 0.6, 0.4], 0.2)):
        pre = np.array(means, np.float32)[:, None, None] * np.array([1, -1], np.float32)
        given = {"activation": "relu", "chunk_length": 1, "chunk_means": len(means)}
        one = build(tmp_path / f"{len(means)}.safetensors", pre, **given)
        largest, middle = (
            one.value(name, site) for name in ("max_of_means", "median_of_means")
        )
        assert largest.dtype == middle.dtype == np.float32
        assert largest.shape == middle.shape == (1, 2)
        assert largest[0, 0] == np.float32(np.float16(0.6))
        assert middle[0, 0] == np.float32(np.float16(median))
        # Of the values below zero, the lower middle is another one; relu leaves none.
        below = sorted(-x for x in means)[(len(means) - 1) // 2]
        wanted = np.float16(below if site == "gate_pre" else 0)
        assert middle[0, 1] == np.float32(wanted)


def test_means_of_chunks_must_have_been_recorded(recorded: Activations) -> None:
    for name in ("max_of_means", "median_of_means"):
        with pytest.raises(DataError, match="activations.chunk_means"):
            recorded.value(name, "act_post")


def test_residual_mean(recorded: Activations, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="residual stream was not recorded; delete"):
        recorded.residual_mean()
    sums = np.arange(6.0).reshape(recorded.layers, -1)
    path = rewrite(recorded, tmp_path / "x.safetensors", **{"residual.sum": sums})
    found = Activations.open(path).residual_mean()
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, sums / recorded.n)
    path = rewrite(recorded, tmp_path / "y.safetensors", **{"residual.sum": sums[:1]})
    with pytest.raises(DataError, match="residual.sum has shape"):
        Activations.open(path)
