"""trtexec's flags for the precision of layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

UNSAYABLE = ",'"
"""trtexec splits at each comma, and takes apostrophes for its own; it knows no escape.

A colon may be part of a name: it splits at the last one. (samples/common/sampleOptions.cpp, splitNameAndValue.)
"""


def is_sayable(name: str) -> bool:
    """Whether trtexec can be told of a layer, or an input, of this name.

    One star may be in it, as in TensorRT's own "(Unnamed Layer* 7) [Shuffle]": it is a wildcard, but what is named
    exactly is looked for first. By itself it stands for every layer, and trtexec knows no more than one.
    """
    return name not in ("", "*") and name.count("*") < 2 and not any(c in name for c in UNSAYABLE)


@dataclass(frozen=True)
class PinnedLayer:
    """A layer of TensorRT's network, its precision, and how many outputs it has."""

    name: str
    dtype: str
    outputs: int = 1


def layer_flags(layers: Iterable[PinnedLayer]) -> tuple[list[str], list[str]]:
    """The flags, none where there is nothing to say, and the names that cannot be said.

    Where one cannot be said there are no flags: half of a fix is none.
    """
    pinned = list(layers)
    unsayable = [x.name for x in pinned if not is_sayable(x.name)]
    if unsayable or not pinned:
        return [], unsayable
    precisions = ",".join(f"{x.name}:{x.dtype}" for x in pinned)
    types = ",".join(f"{x.name}:{'+'.join([x.dtype] * max(x.outputs, 1))}" for x in pinned)
    return [
        "--precisionConstraints=obey",
        f"--layerPrecisions={precisions}",
        f"--layerOutputTypes={types}",
    ], []
