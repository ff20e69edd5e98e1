"""How trtexec is told of pins, where they are set on the user's own model."""

from __future__ import annotations

from trtdebug.export.layer_flags import PinnedLayer, layer_flags
from trtdebug.export.manifest import FixManifest
from trtdebug.graph.lowtypes import BODY_OUTPUT_OFFSET


def pin_flags(manifest: FixManifest) -> tuple[str, ...]:
    """The flags for TensorRT 8.6 to 10; empty where there are none that do it.

    trtexec passes over a name that it does not find without a word. So there are none where the nodes have these
    names in a model of the fix folder only, and none for an If, Loop or Scan, whose layers are those of its body.
    """
    if manifest.model is not None:
        return ()
    if not manifest.layers and not BODY_OUTPUT_OFFSET.keys().isdisjoint(manifest.operators.values()):
        return ()
    pins = manifest.layers or [PinnedLayer(node, dtype) for node, dtype in manifest.pins.items()]
    return tuple(layer_flags(pins)[0])
