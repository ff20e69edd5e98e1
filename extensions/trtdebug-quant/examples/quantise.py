"""Quantises a model to INT8 as TensorRT wants it: Q/DQ pairs, symmetric, weights per channel, biases in float.

    python quantise.py float.onnx int8.onnx --inputs inputs.npz --spoil TENSOR:FACTOR

Calibrates with standard normal inputs; one more sample of these goes to --inputs. --spoil multiplies the scale of one
tensor, as a calibration does that never saw what the tensor holds in use.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

KINDS = ["Conv", "Gemm", "MatMul"]
SAMPLES = 8


class Normal(CalibrationDataReader):  # type: ignore[misc]
    """Standard normal samples for every input of a model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        weights = {tensor.name for tensor in model.graph.initializer}
        self.shapes = {
            value.name: [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
            for value in model.graph.input
            if value.name not in weights
        }
        self.samples: Iterator[dict[str, np.ndarray]] = map(self.sample, range(1, SAMPLES + 1))

    def sample(self, seed: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(seed)
        return {name: random.normal(size=shape).astype(np.float32) for name, shape in self.shapes.items()}

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.samples, None)


def quantise(source: Path, target: Path) -> None:
    """Writes the Q/DQ model; only what Conv, Gemm and MatMul read is quantised."""
    quantize_static(
        source,
        target,
        Normal(onnx.load(source)),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=KINDS,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": KINDS,
        },
    )


def spoil(path: Path, tensor: str, factor: float) -> None:
    """Multiplies the scale of a tensor."""
    model = onnx.load(path)
    (scale,) = (i for i in model.graph.initializer if i.name == f"{tensor}_scale")
    value = numpy_helper.to_array(scale) * np.float32(factor)
    scale.CopyFrom(numpy_helper.from_array(np.asarray(value, np.float32), scale.name))
    onnx.save(model, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the float model")
    parser.add_argument("target", type=Path, help="the Q/DQ model to write")
    parser.add_argument("--inputs", type=Path, help="an .npz to write one sample to")
    parser.add_argument("--spoil", metavar="TENSOR:FACTOR", help="multiply the scale of a tensor")
    given = parser.parse_args()
    quantise(given.source, given.target)
    if given.spoil:
        name, _, times = given.spoil.rpartition(":")
        spoil(given.target, name, float(times))
    if given.inputs:
        np.savez(given.inputs, **Normal(onnx.load(given.source)).sample(0))
