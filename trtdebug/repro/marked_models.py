"""The models of a repro of marks that are not built, beside the plain one: with the marks as outputs of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from trtdebug.graph.load import save_model
from trtdebug.graph.lowcast import lowerable, mixed_precision
from trtdebug.graph.more_outputs import with_outputs
from trtdebug.repro.manifest import Manifest
from trtdebug.stages.unbuilt.marked_piece import is_of_model


def save_marked(model: onnx.ModelProto, manifest: Manifest, folder: Path, fails_so: bool) -> Manifest:
    """Writes what can be had of them; the manifest with their files. `fails_so`: with the marks as its own outputs."""
    if not is_of_model(model, manifest.options.marks):
        return manifest
    marked = with_outputs(model, manifest.options.marks)
    if fails_so:
        manifest = replace(manifest, marked="marked.onnx")
        save_model(marked, folder / "marked.onnx")
    low = manifest.precision
    if low == "fp16" or low == "bf16":
        manifest = replace(manifest, typed="typed.onnx")
        nodes = lowerable(marked, [node.name for node in marked.graph.node], low)
        save_model(mixed_precision(marked, nodes, low), folder / "typed.onnx")
    return manifest
