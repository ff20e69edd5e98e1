"""`BreakFusion` for any backend: a neutral node in the graph; where that is not built, an extra output instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from trtdebug.backends.base import BuildRequest
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.gpu_memory import OUT_OF_GPU_MEMORY
from trtdebug.core.intervention import BreakFusion, ReplaceGraph
from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.neutral import keep_apart

E = TypeVar("E")

MADE_OUTPUTS = "made extra outputs"
"""Stands in what is said of a build in which neutral nodes had to be given up."""


def build_apart(request: BuildRequest, build: Callable[[BuildRequest], E]) -> tuple[E, str]:
    """Builds with every `BreakFusion` realised.

    Args:
        build: builds a request; takes a `BreakFusion` for a tensor to be made an output that nobody reads.

    Returns:
        What `build` gives, and what had to be relaxed, in words; empty where nothing had to.

    Raises:
        BuildFailure: it does not build in either way, or the GPU has no memory left.
    """
    tensors = tuple(i.tensor for i in request.interventions if isinstance(i, BreakFusion))
    if not tensors:
        return build(request), ""
    try:
        return build(_with_neutral_nodes(request, tensors)), ""
    except BuildFailure as failure:
        if OUT_OF_GPU_MEMORY.search(failure.message):
            raise
        refused = failure.message
    relaxed = f"relaxed: {', '.join(tensors)} {MADE_OUTPUTS}, for by neutral nodes: {refused}"
    return build(request), relaxed


def _with_neutral_nodes(request: BuildRequest, tensors: tuple[str, ...]) -> BuildRequest:
    replaced = [Path(i.model) for i in request.interventions if isinstance(i, ReplaceGraph)]
    try:
        model = keep_apart(load_model(replaced[-1] if replaced else request.model), tensors)
    except UserError as error:
        raise BuildFailure(error.message, error.hint) from error
    path = request.workdir / "apart.onnx"
    save_model(model, path)
    others = (i for i in request.interventions if not isinstance(i, BreakFusion | ReplaceGraph))
    return replace(request, model=path, interventions=tuple(others))
