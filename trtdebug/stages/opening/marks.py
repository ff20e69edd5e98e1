"""Tensors that the user marks as outputs, checked before anything is built."""

from __future__ import annotations

import difflib
from pathlib import Path

import onnx

from trtdebug.backends.base import Backend, OwnsTensors
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import EVERY_TENSOR
from trtdebug.graph.load import load_model
from trtdebug.graph.walk import all_nodes, initializer_names


def check_marks(options: BuildOptions, path: Path, candidate: Backend) -> None:
    """Checks `options.marks` for the model in a file. `EVERY_TENSOR` is one of them, or names nothing.

    Raises:
        UserError: the model has no tensor of such a name, nor has the candidate tensors of its own.
    """
    wanted = [t for t in options.marks if t != EVERY_TENSOR]
    if not wanted or (isinstance(candidate, OwnsTensors) and candidate.owns_tensors):
        return
    model = load_model(path)
    known = _tensors(model)
    for tensor in wanted:
        if tensor in known:
            continue
        near = difflib.get_close_matches(tensor, known, n=3, cutoff=0.0)
        raise UserError(
            f"--mark names {tensor!r}, which is no tensor of {path.name}.",
            f"Nearest to it: {', '.join(map(repr, near))}.",
        )


def _tensors(model: onnx.ModelProto) -> dict[str, None]:
    """Every tensor of the model, in bodies too."""
    graph = model.graph
    written = (t for node in all_nodes(graph.node) for t in node.output if t)
    given = (v.name for v in (*graph.input, *graph.output))
    return dict.fromkeys((*written, *given, *sorted(initializer_names(graph))))
