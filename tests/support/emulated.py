"""Runs a model on the built-in backends, as a trial would, without a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import Intervention, PinPrecision, Precision
from trtdebug.graph.load import load_model, save_model

Tensors = Mapping[str, np.ndarray]


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    save_model(model, path)
    return path


def request(
    path: Path,
    workdir: Path,
    precision: Precision = "fp32",
    interventions: Iterable[Intervention] = (),
    outputs: Iterable[str] | None = None,
) -> BuildRequest:
    return BuildRequest(
        path,
        BuildOptions(precision=precision),
        workdir,
        tuple(interventions),
        None if outputs is None else tuple(outputs),
    )


def reference(path: Path, workdir: Path, feeds: Tensors, outputs: Iterable[str] | None = None) -> Tensors:
    """What onnxruntime computes."""
    return OnnxruntimeBackend().build(request(path, workdir, outputs=outputs)).run(feeds)


def emulated(
    path: Path,
    workdir: Path,
    feeds: Tensors,
    precision: Precision = "fp16",
    pins: Iterable[str] = (),
    outputs: Iterable[str] | None = None,
) -> Tensors:
    """What the emulator computes with these nodes pinned to FP32."""
    build = request(path, workdir, precision, [PinPrecision(tuple(pins))], outputs)
    return EmulatorBackend().build(build).run(feeds)


def written_by(path: Path) -> tuple[str, ...]:
    """All tensors that nodes write, in the file's order."""
    return tuple(o for n in load_model(path).graph.node for o in n.output if o)


def node_names(path: Path) -> tuple[str, ...]:
    return tuple(n.name for n in load_model(path).graph.node)
