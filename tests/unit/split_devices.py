"""Several devices on a machine that has none: tensors that say where they are.

A ``Placed`` tensor computes on the CPU and claims to be on a device of its own, such as
``cpu:1``. Inside ``machine()`` operations whose tensors are on different devices fail,
as they do on GPUs, and ``.to(device)`` moves. ``split`` puts a model on two of them,
with the hooks of accelerate, as ``device_map`` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CPU = torch.device("cpu")
FIRST, SECOND = torch.device("cpu", 1), torch.device("cpu", 2)
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}
MOVES = {"copy_", "_to_copy", "to"}


class Placed(torch.Tensor):
    """A tensor that claims to be on another device than the CPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor, device: torch.device) -> Placed:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=device,
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the CPU; refuse one over several devices."""
    flat, _ = tree_flatten((args, kwargs))
    tensors = [t for t in flat if isinstance(t, torch.Tensor)]
    here = _device(func.overloadpacket.__name__, args, tensors)
    here = next((d for d in flat if isinstance(d, torch.device)), here)

    def bare(value: Any) -> Any:
        if isinstance(value, torch.device):
            return CPU
        return value.inner if isinstance(value, Placed) else value

    args, kwargs = tree_map(bare, (args, kwargs))
    known = {id(t.inner): t for t in tensors if isinstance(t, Placed)}

    def placed(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or here == CPU:
            return value
        old = known.get(id(value))  # what works in place returns what it was given
        return old if old is not None and old.device == here else Placed(value, here)

    return tree_map(placed, func(*args, **kwargs))


def _device(name: str, args: Any, tensors: list[torch.Tensor]) -> torch.device:
    """Say where an operation runs, by the rules of CUDA.

    Raises:
        RuntimeError: there are several devices. Single numbers on the CPU may be
            anywhere, and so may indices.
    """
    if name in MOVES:
        return args[0].device
    where = {t.device for t in tensors if t.numel() and (t.dim() or t.device != CPU)}
    if name in INDEXING:
        where = {args[0].device} | (where - {CPU})
    if len(where) > 1:
        raise RuntimeError(f"{name}: tensors on {sorted(map(str, where))}")
    return next(iter(where), CPU)


class _Machine(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return run(func, args, dict(kwargs or {}))


@contextmanager
def machine() -> Iterator[None]:
    """Make devices count inside the block."""

    def tolist(tensor: torch.Tensor) -> Any:
        return original(tensor.inner if isinstance(tensor, Placed) else tensor)

    original = torch.Tensor.tolist
    with pytest.MonkeyPatch.context() as patch, _Machine():
        patch.setattr(torch.Tensor, "tolist", tolist)
        yield


def split(model: Any) -> Any:
    """Put a model's last layer, norm and head on a second device, in place.

    Call it inside ``machine()``. The hooks are those of ``dispatch_model``.

    Args:
        model: a stock model; adapters may be in it already.
    """
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module

    kept = {"skip_keys": "past_key_values"}  # as transformers asks for
    for name, part in _parts(model):
        device = SECOND if name in ("last", *LAST) else FIRST
        for module in part.modules():
            _place(module, device)
        add_hook_to_module(part, AlignDevicesHook(device, **kept))
    root = AlignDevicesHook(FIRST, io_same_device=True, **kept)
    add_hook_to_module(model, root)
    return model


LAST = ("norm", "ln_f", "lm_head", "score")


def _parts(model: Any) -> Iterator[tuple[str, nn.Module]]:
    """List what a device map names: layers, and what stands beside them."""
    decoder = getattr(model, model.base_model_prefix)
    yield from ((n, m) for n, m in model.named_children() if m is not decoder)
    for name, child in decoder.named_children():
        if isinstance(child, nn.ModuleList):
            *first, last = child
            yield from (("first", layer) for layer in first)
            yield "last", last
        else:
            yield name, child


def _place(module: nn.Module, device: torch.device) -> None:
    for name, weight in module._parameters.items():
        if weight is not None:
            there = nn.Parameter(weight.data.to(device), weight.requires_grad)
            module._parameters[name] = there
    for name, value in module._buffers.items():
        if value is not None:
            module._buffers[name] = value.to(device)
