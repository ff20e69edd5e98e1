"""Shapes frozen to those of the samples, and what is constant then folded: sizes, masks, what NonZero gives of them.

The rewritten model is good for these shapes only. Nothing is proposed where samples or profiles have several.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from trtdebug.core.case import Shape
from trtdebug.core.errors import UserError
from trtdebug.fixes.ladder.culprits import refused
from trtdebug.fixes.ladder.replace import replaced
from trtdebug.graph.expand import calls_of
from trtdebug.graph.folding import fold_constants
from trtdebug.graph.freeze import freeze_shapes
from trtdebug.plugins.rewrites import proposal
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer

COST = 8.0


def freeze(context: FixContext) -> Iterator[FixProposal]:
    """The frozen and folded model where nothing refused is left in it; else with the rest replaced."""
    found = refused(context)
    shapes = _shapes(context) if found is not None else None
    if found is None or shapes is None:
        return
    frozen = onnx.ModelProto()
    frozen.CopyFrom(found.model)
    try:
        changes = freeze_shapes(frozen, shapes)
        folded = fold_constants(frozen)
    except (
        UserError
    ):  # onnxruntime, which folds, is missing or folds none of them: no fix, and no fault of the session
        return
    if not (changes or folded.nodes or folded.unneeded):
        return
    sizes = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    told = f"frozen to {sizes} (good for no other shapes) and folded" if changes else "constants folded"
    model = folded.model
    if any(found.wants(call) for call in calls_of(model)):
        rest = replaced(context, found, model)
        if (
            rest is None or replaced(context, found, found.model) is not None
        ):  # no need to freeze anything for that
            return
        model, more = rest
        told = f"{told}; {more}"
    yield from proposal(context, told, model, COST)


def _shapes(context: FixContext) -> dict[str, Shape] | None:
    """Shapes of the inputs; None where samples and profiles do not agree on one for each, or there are no samples."""
    found: dict[str, set[Shape]] = {}
    for sample in context.samples():
        for name, value in sample.items():
            found.setdefault(name, set()).add(value.shape)
    for name, profile in context.case.options.profiles.items():
        found.setdefault(name, set()).update((profile.min, profile.opt, profile.max))
    if not found or any(len(shapes) > 1 for shapes in found.values()):
        return None
    return {name: next(iter(shapes)) for name, shapes in found.items()}


FIX = FixProposer("freeze", "shapes frozen, constants folded", freeze)
