"""The GPUs of a job: their memory, and moving data to them without waiting."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# What CUDA libraries say instead of torch.OutOfMemoryError when they find no memory.
_WORDS = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


class Gpus:
    """All GPUs that the job sees, which are alike; a ``batching.Device``.

    Attributes:
        name: their model, and how many there are.
        gib: memory of each, GiB.
    """

    def __init__(self) -> None:
        import torch

        self._cuda = torch.cuda
        self._devices = range(self._cuda.device_count())
        found = self._cuda.get_device_properties(0)
        many = len(self._devices)
        self.name: str = f"{many} x {found.name}" if many > 1 else found.name
        self.gib = round(found.total_memory / 2**30)

    def wait(self) -> None:
        """Wait until all work is done."""
        for device in self._devices:
            self._cuda.synchronize(device)

    def free(self) -> None:
        """Give back memory that nothing uses."""
        gc.collect()
        self._cuda.empty_cache()

    def reset_peak(self) -> None:
        """Forget what was used so far; see ``peak``."""
        for device in self._devices:
            self._cuda.reset_peak_memory_stats(device)

    def peak(self) -> float:
        """Return the largest share of available memory used since ``reset_peak``."""
        shares = []
        for device in self._devices:
            free, _ = self._cuda.mem_get_info(device)  # less what other processes use
            ours = free + self._cuda.memory_reserved(device)
            shares.append(self._cuda.max_memory_allocated(device) / ours)
        return max(shares)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that a GPU has no memory left."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _WORDS)


def put(values: Tensor, device: torch.device) -> Tensor:
    """Copy values from main memory to a device without waiting for its work.

    A copy from pageable memory would wait until a GPU has done all that was asked of it
    before. Values that are there already are returned as they are.
    """
    if device.type != "cuda" or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
