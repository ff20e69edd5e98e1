"""Splits a list of tensors by their sizes."""

from __future__ import annotations

from collections.abc import Sequence


def split(names: Sequence[str], sizes: Sequence[int | None], most: int) -> list[list[str]]:
    """Batches of consecutive names, each of at most `most` bytes, or of one tensor that is larger.

    A tensor of unknown size (None) gets a batch by itself.
    """
    batches: list[list[str]] = []
    left = -1
    for name, size in zip(names, sizes, strict=True):
        if size is None or size > left:
            batches.append([])
            left = most
        batches[-1].append(name)
        left = -1 if size is None else left - size
    return batches
