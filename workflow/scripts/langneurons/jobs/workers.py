"""Independent pieces of array work, spread over the processors of a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")


def processors() -> int:
    """Return how many processors the job has: what Snakemake says, or all there are."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdigit() and int(said) else len(os.sched_getaffinity(0))


def spread(work: Callable[..., T], *given: Iterable[object]) -> Iterator[T]:
    """Do like ``map``, several calls at a time, each on one processor.

    Meant for NumPy, which lets other threads run while it computes. Its own threads are
    off meanwhile: on small matrices they wait for each other longer than they work,
    and sums would be rounded otherwise with every number of processors.

    Args:
        work: is called with one item of each iterable; must not depend on the order.
        given: iterables, of one length.

    Yields:
        Results in the order of the items.
    """
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(processors()) as pool:
        yield from pool.map(work, *given)
