"""onnxruntime as the reference runs it: on the CPU, the model as it is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import onnx

from trtdebug.core.errors import UserError
from trtdebug.graph.load import save_model
from trtdebug.plugins.types import Sample, Tensor

_IR = 10  # the newest that every onnxruntime from 1.18 on reads


class Runner:
    """A session over a model.

    Attributes:
        outputs: names of the graph's outputs.

    Raises:
        UserError: onnxruntime does not load the model, or does not run it.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnxruntime

        self.outputs = tuple(value.name for value in model.graph.output)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        if model.ir_version > _IR:
            newer, model = model, onnx.ModelProto()
            model.CopyFrom(newer)
            model.ir_version = _IR
        with tempfile.TemporaryDirectory(prefix="trtdebug-quant-") as folder:
            path = Path(folder, "model.onnx")
            save_model(model, path)
            try:
                self._session = onnxruntime.InferenceSession(
                    str(path), options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:
                raise UserError(f"onnxruntime does not load the model: {_line(error)}") from error

    def run(self, feeds: Sample, names: Iterable[str]) -> dict[str, Tensor]:
        """These tensors, which are outputs of the graph."""
        wanted = list(dict.fromkeys(names))
        try:
            return dict(zip(wanted, self._session.run(wanted, dict(feeds)), strict=True))
        except Exception as error:
            raise UserError(f"onnxruntime does not run the model: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
