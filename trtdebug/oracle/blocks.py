"""Walks a pair of tensors in blocks: on all cores where that pays, in memory that no size of tensor changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]
T = TypeVar("T")

BLOCK = 1 << 19
"""Elements a block: small enough for its buffers to stay in the cache, and large enough for threads, which meet at
the interpreter's lock after each of numpy's loops, not to wait for each other."""

_MOST_THREADS = 2
"""What the buffers of blocks may hold (24 MiB a thread); more of them wait for each other rather than for memory."""


def map_blocks(work: Callable[[Tensor, Tensor], T], reference: Tensor, candidate: Tensor) -> list[T]:
    """`work` of every pair of blocks, in an order that depends on nothing but the layout of the tensors.

    Args:
        work: takes two one-dimensional arrays of equal length, at most `BLOCK`, which it must neither change nor
            keep; called by several threads at once.
        reference, candidate: of equal shape, any strides.
    """
    flat = _flat(np.asarray(reference), np.asarray(candidate))
    if flat is None:
        return [work(r, c) for r, c in _buffered(reference, candidate)]
    starts = range(0, flat[0].size, BLOCK)
    threads = min(_threads(), len(starts))
    if threads < 2:
        return _walk(work, *flat, starts)
    share = -(-len(starts) // threads)
    parts = [starts[i : i + share] for i in range(0, len(starts), share)]
    walked = _pool().map(lambda part: _walk(work, *flat, part), parts)
    return [result for results in walked for result in results]


def _walk(work: Callable[[Tensor, Tensor], T], r: Tensor, c: Tensor, starts: range) -> list[T]:
    return [work(r[i : i + BLOCK], c[i : i + BLOCK]) for i in starts]


def _flat(r: Tensor, c: Tensor) -> tuple[Tensor, Tensor] | None:
    """Both as one-dimensional views with the same element at the same place; None where that takes a copy."""
    if r.flags.c_contiguous and c.flags.c_contiguous:
        return r.reshape(-1), c.reshape(-1)
    if r.flags.f_contiguous and c.flags.f_contiguous:
        return r.T.reshape(-1), c.T.reshape(-1)
    return None


def _buffered(r: Tensor, c: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    flags: Any = ["external_loop", "buffered", "refs_ok", "zerosize_ok"]
    readonly: Any = [["readonly"], ["readonly"]]
    with np.nditer([r, c], flags, readonly, buffersize=BLOCK) as walk:
        yield from walk


def _threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_THREADS)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_threads(), "trtdebug-compare")
