"""The model that the candidate builds: another one than the reference's, where the user gave one."""

from __future__ import annotations

from pathlib import Path

import onnx

from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.plugins.types import CheckContext


def built_model(context: CheckContext) -> tuple[onnx.ModelProto, GraphIndex] | None:
    """Model and index; None where the candidate is an engine, which holds no graph to look into."""
    if context.case is None or context.case.candidate_model is None:
        return context.model, context.index
    try:
        model = load_model(Path(context.case.candidate_model))
    except UserError:  # preflight read it as a model, or knows it as an engine
        return None
    return model, GraphIndex(model)
