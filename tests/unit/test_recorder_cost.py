"""The recorder stays cheap: what it runs is counted, which no busy machine disturbs.

A model on torch's meta device stands in for one on a GPU: the recorder takes the path
of plain torch there, every operation and size is seen, and reading a value back fails
as there is none. Only the MLPs are run, because transformers waits once a forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from langneurons.nn.recording import distributions, measuring, moments
from langneurons.nn.recording.measuring import record
from langneurons.nn.recording.moments import Moments
from langneurons.nn.recording.recorder import SITES, Recorder
from tiny_models import LAYERS, build, config, tokens

LENGTH, BATCH, EVERY = 512, 4, 3
ORDERING = ("sort", "topk", "kthvalue", "median", "quantile", "unique", "msort")
WAITING = ("_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal", "masked")
# Per layer and forward pass, of one block.
MOST_OPERATIONS = 60
# A copy in single precision for each of the comparison, squares and sizes of two sites:
# 20 bytes; an eighth of the bins' 18 and of their numbers' 8; sums and the histogram.
MOST_BYTES = 25.0


@dataclass
class Cost(TorchDispatchMode):
    """What was run under it: names of operations, bytes written, and problems."""

    names: list[str] = field(default_factory=list)
    written: int = 0
    crossed: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        returns = func._schema.returns
        # A view writes nothing; an operation in place or with ``out`` does.
        is_view = any(r.alias_info and not r.alias_info.is_write for r in returns)
        if not is_view:
            self.names.append(func.__name__.split(".")[0].strip("_"))
            outputs = [x for x in tree_leaves(found) if isinstance(x, torch.Tensor)]
            self.written += sum(x.numel() * x.element_size() for x in outputs)
            inputs = [x for x in tree_leaves((args, kwargs)) if torch.is_tensor(x)]
            devices = {x.device.type for x in inputs + outputs if x.dim()}
            if len(devices) > 1:
                self.crossed.append(func.__name__)
        return found


def run_mlps(model, rows, length=LENGTH):
    """Run what the hooks are on, on activations of [rows, length] tokens."""
    weight = model.layers[0].mlp.gate_proj.weight
    shape = (rows, length, weight.shape[1])
    hidden = torch.zeros(shape, dtype=weight.dtype, device="meta")
    for layer in model.layers:
        layer.mlp(hidden)


def cost_of(recorder, model, passes=1, rows=2 * BATCH):
    """Return the cost of forward passes under a recorder, less that of bare ones."""
    with torch.no_grad():
        with Cost() as bare:
            for _ in range(passes):
                run_mlps(model, rows)
        with recorder, Cost() as full:
            for _ in range(passes):
                run_mlps(model, rows)
    left = list(full.names)
    for name in bare.names:
        left.remove(name)
    return Cost(left, full.written - bare.written, full.crossed)


def problems(kind, batch_quantiles=(), every=1, passes=EVERY):
    """List what is wrong with the cost of a recorder."""
    torch.manual_seed(0)
    model = build("llama", "base", intermediate_size=256).to("meta")
    recorder = kind(
        model, 8, batch_quantiles, batch_tokens=2 * BATCH * LENGTH, batches_every=every
    )
    distributions._ranks(2 * BATCH * LENGTH, torch.device("meta"))  # kept from then on
    found = []
    try:
        cost = cost_of(recorder, model, passes)
    except (NotImplementedError, RuntimeError) as error:
        return [f"reads a value back: {error}"]
    sorts = sum(name in ORDERING for name in cost.names)
    # The first of the passes is a batch that is used; each has one.
    wanted = len(batch_quantiles) * LAYERS * -(-passes // every)
    if sorts != wanted:
        found.append(f"{sorts} sorts, expected {wanted}")
    if waits := [n for n in cost.names if n.startswith(WAITING)]:
        found.append(f"waits: {waits}")
    if cost.crossed:
        found.append(f"copies between devices: {cost.crossed}")
    if not batch_quantiles:
        each = len(cost.names) / LAYERS / passes
        values = 2 * BATCH * LENGTH * 256 * LAYERS * passes
        if each > MOST_OPERATIONS:
            found.append(f"{each:.0f} operations a layer, at most {MOST_OPERATIONS}")
        if cost.written > MOST_BYTES * values:
            found.append(f"{cost.written / values:.1f} bytes a value")
    return found


def test_sums_and_histograms_are_within_bounds_and_sort_nothing():
    assert problems(Recorder) == []


@pytest.mark.parametrize("sites", [("gate_pre",), SITES])
@pytest.mark.parametrize("every", [1, 2, EVERY])
def test_only_batches_that_are_used_are_sorted(sites, every):
    assert problems(Recorder, sites, every) == []


def spoiled(what):
    """Make a recorder that does something more for every layer and pass."""

    class Spoiled(Recorder):
        def _record(self, layer, pre, post):
            super()._record(layer, pre, post)
            what(self, layer, pre)

    return Spoiled


def cross(self, layer, pre):
    pre[0].copy_(torch.zeros(pre.shape[1]))


SPOILED = {
    "reads": (lambda self, layer, pre: float(pre.sum()), "reads a value back"),
    "asks": (lambda self, layer, pre: bool((pre > 0).any()), "reads a value back"),
    "indices": (lambda self, layer, pre: pre.nonzero(), "reads a value back"),
    "leaves": (lambda self, layer, pre: pre.cpu(), "reads a value back"),
    "enters": (cross, "copies between devices"),
    "sorts": (lambda self, layer, pre: pre.sort(0), "6 sorts, expected 0"),
    "kth": (lambda self, layer, pre: pre.kthvalue(1, 0), "6 sorts, expected 0"),
    "copies": (lambda self, layer, pre: pre.clone(), "bytes a value"),
    "many": (lambda self, layer, pre: [pre[0] + i for i in range(30)], "operations"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_the_guard_sees_a_recorder_that_does_more(name):
    what, message = SPOILED[name]
    assert message in " ".join(problems(spoiled(what)))


def test_the_guard_sees_batches_sorted_that_are_not_used():
    class Eager(Recorder):
        def _batches_in(self, first, count):
            yield slice(0, count)

    assert problems(Eager, SITES, EVERY) == [f"{2 * LAYERS * EVERY} sorts, expected 4"]


def forwards(monkeypatch, sites, every, run=record):
    """Count the rows of the forward passes and the sorts of the plain CPU path."""
    seen, sorts = [], []
    model = build("llama", "base")
    model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(len(kwargs["input_ids"])),
        with_kwargs=True,
    )
    plain = distributions._sorted_columns

    def counted(values):
        sorts.append(values.shape)
        return plain(values)

    monkeypatch.setattr(distributions, "_sorted_columns", counted)
    run(
        model, tokens(22, 9), 0, batch_chunks=BATCH, histogram_every=8,
        batch_quantiles=sites, micro_batch=5, label="test",
        batch_quantiles_every=every,
    )  # fmt: skip
    return seen, sorts


def test_every_chunk_is_run_once(monkeypatch):
    assert sum(forwards(monkeypatch, (), 1)[0]) == 22
    assert forwards(monkeypatch, (), 1)[0] == [5, 5, 5, 5, 2]
    seen, sorts = forwards(monkeypatch, SITES, 2)
    assert sum(seen) == 22 and len(sorts) == 2 * LAYERS * 3


def test_the_guard_sees_a_second_pass(monkeypatch):
    class Twice(Recorder):
        def __exit__(self, *error):
            super().__exit__(*error)
            self._model(input_ids=tokens(22, 9))

        def __init__(self, model, *args, **kwargs):
            super().__init__(model, *args, **kwargs)
            object.__setattr__(self, "_model", model)

    monkeypatch.setattr(measuring, "Recorder", Twice)
    assert sum(forwards(monkeypatch, (), 1)[0]) == 44


def tensors_of(*holders):
    """Collect the tensors that objects hold, also in lists, and their bytes."""
    leaves = [leaf for holder in holders for leaf in tree_leaves(vars(holder))]
    return {id(x): x.numel() * x.element_size() for x in leaves if torch.is_tensor(x)}


def test_memory_at_the_shape_of_8b_is_under_3_gb(monkeypatch):
    import transformers

    monkeypatch.setitem(moments._BLOCK, "meta", moments._BLOCK["cuda"])
    shape = config(
        "llama", hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, head_dim=128,
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(shape, dtype=torch.bfloat16).eval()
    recorder = Recorder(model, 8, SITES, batch_tokens=2048)
    before = tensors_of(recorder, recorder._moments)
    with torch.no_grad(), recorder:
        run_mlps(model, 4, 512)
    held = sum(tensors_of(recorder, recorder._moments).values())
    neurons = 32 * 14336
    # 481 bins, a count and six sums, four extremes, two sites of seven percentiles.
    kept = 4 * 481 + 8 * 7 + 4 * 4 + 8 * 14
    assert sum(before.values()) == pytest.approx(kept * neurons, rel=1e-6)
    scratch = 4 * moments._BLOCK["cuda"]
    assert kept * neurons < held <= kept * neurons + 1.01 * scratch
    assert held <= 3e9


def test_blocks_bound_the_temporary_memory_on_a_cpu():
    found = Moments(1, 1024, torch.device("cpu"))
    for rows in (700, 2000):
        values = torch.randn(rows, 1024)
        found.add(0, values, values)
    assert found._scratch.numel() == moments._BLOCK["cpu"]
