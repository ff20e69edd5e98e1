"""A small model with a determinant in it, an operator that TensorRT-RTX's parser does not know."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
import onnx.parser


def build() -> onnx.ModelProto:
    """Input x float32 [4, 3, 3], output y float32 [4]."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> determinant (float[4, 3, 3] x) => (float[4] y)
           { rows = Softmax <axis = -1> (x) det = Det(rows) y = Abs(det) }"""
    )
    for node in model.graph.node:
        node.name = node.output[0]
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the .onnx file to write")
    onnx.save(build(), parser.parse_args().file)
