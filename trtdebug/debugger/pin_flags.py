"""How trtexec is told of pins, where they are set on the user's own model."""

from __future__ import annotations

from trtdebug.backends.tensorrt.layer_flags import PinnedLayer, layer_flags
from trtdebug.export.manifest import FixManifest


def pin_flags(manifest: FixManifest) -> tuple[str, ...]:
    """The flags for TensorRT 8.6 to 10; empty where there are none that do it.

    trtexec passes over a name that it does not find without a word. So there are none where the nodes have these
    names in a model of the fix folder only, and none where the layers have other names.
    """
    if manifest.model is not None or manifest.nameless:
        return ()
    pins = manifest.layers or [PinnedLayer(node, dtype) for node, dtype in manifest.pins.items()]
    return tuple(layer_flags(pins)[0])
