"""Pins that layers' names can't say: of some nodes TensorRT's parser makes layers with other names only."""

from __future__ import annotations

from trtdebug.backends.tensorrt.precision import BODY_OPS
from trtdebug.export.manifest import FixManifest
from trtdebug.scripts.words import printable


def nameless(manifest: FixManifest) -> str:
    """Which pin has no layer of its node's name, and why; empty where all have, or the pinned layers are known.

    trtexec passes over a name that it does not find without a word.
    """
    for node in () if manifest.layers else manifest.pins:
        operator = printable(manifest.operators.get(node, ""))
        if node in manifest.calls:
            return f"{printable(node)} calls the function {operator}: the layers are those of its nodes"
        if operator in BODY_OPS:
            return f"{printable(node)} is {operator}: the layers are those of its body, and can't be pinned"
    return ""
