"""AffineGrid by a product with the grid of an unmoved image."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.graph.expand import BodyDraft, Call


def affine_grid(call: Call) -> onnx.FunctionProto | None:
    """Where the size stands in the model: N, C, H, W or N, C, D, H, W."""
    size, shape = call.value(1), call.shape(0)
    if size is None or call.dtype(0) != "float32" or shape is None or len(size) not in (4, 5):
        return None
    count, _, *sides = (int(n) for n in size)
    align_corners = bool(call.attribute("align_corners", 0))
    if align_corners and 1 in sides:  # where one pixel lies then, ONNX does not say
        return None
    axes = [_places(side, align_corners) for side in sides]
    mesh = np.meshgrid(*axes, indexing="ij")
    points = np.stack([*mesh[::-1], np.ones_like(mesh[0])], axis=-1).reshape(-1, len(sides) + 1)
    draft = BodyDraft(call)
    turned = draft.op("Transpose", draft.inputs[0], perm=[0, 2, 1])
    moved = draft.op("MatMul", draft.constant(points.astype(np.float32)[None]), turned)
    to = draft.constant(np.array([count, *sides, len(sides)], np.int64))
    draft.op("Reshape", moved, to, writes=draft.outputs[0])
    return draft.done()


def _places(side: int, align_corners: bool) -> NDArray[np.float64]:
    """Centres of pixels from -1 to 1; of `align_corners` those at the ends lie on them."""
    places = np.linspace(-1, 1, side) if align_corners else (2 * np.arange(side) + 1) / side - 1
    return np.asarray(places, np.float64)
