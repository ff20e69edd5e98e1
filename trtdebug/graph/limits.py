"""What the installed onnxruntime takes: the newest IR version and opset, found by trying; and what is newer."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

_OLD_IR, _OLD_OPSET = 8, 15  # taken by every onnxruntime that trtdebug supports


@dataclass(frozen=True)
class Limits:
    """Newest IR version and newest opset of the default domain."""

    ir: int
    opset: int
    version: str


@dataclass(frozen=True)
class TooNew:
    """What of a model the installed onnxruntime does not take.

    Attributes:
        rule: `ir-version` or `opset-version`.
        message: what the model has, and what is taken.
        remedy: what to do.
    """

    rule: str
    message: str
    remedy: str


def too_new(model: onnx.ModelProto) -> Iterator[TooNew]:
    """What of the model is newer than the installed onnxruntime takes."""
    limits = onnxruntime_limits()
    if limits is None:
        return
    most = f"; onnxruntime {limits.version} takes at most"
    if model.ir_version > limits.ir:
        yield TooNew(
            "ir-version",
            f"The model has IR version {model.ir_version}{most} {limits.ir}.",
            f"Save it with model.ir_version = {limits.ir}, or install a newer onnxruntime.",
        )
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > limits.opset:
            yield TooNew(
                "opset-version",
                f"The model uses opset {opset.version}{most} {limits.opset}.",
                f"Export it with opset {limits.opset}, or install a newer onnxruntime.",
            )


@functools.cache
def onnxruntime_limits() -> Limits | None:
    """Limits of the installed onnxruntime, at most what onnx itself knows; None where it is missing."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    newest_ir, newest_opset = int(onnx.IR_VERSION), onnx.defs.onnx_opset_version()
    ir = next((ir for ir in range(newest_ir, _OLD_IR, -1) if _taken(ir, _OLD_OPSET)), _OLD_IR)
    opset = next((o for o in range(newest_opset, _OLD_OPSET, -1) if _taken(_OLD_IR, o)), _OLD_OPSET)
    return Limits(ir, opset, onnxruntime.__version__)


def _taken(ir: int, opset: int) -> bool:
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, NotImplemented

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "probe", [value], [result])
    model = helper.make_model(graph, ir_version=ir, opset_imports=[helper.make_opsetid("", opset)])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal only: a refusal is an answer here, not an error to print
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidGraph, NotImplemented):
        return False
    return True
