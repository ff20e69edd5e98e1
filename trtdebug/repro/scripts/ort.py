"""Runs a repro on onnxruntime, and on the emulator, which is onnxruntime with a model that rounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtdebug.repro.scripts.folder import existing
from trtdebug.repro.scripts.result import BuildFailed, Run, Tensor, Untestable
from trtdebug.scripts.telemetry import keep_to_ourselves
from trtdebug.scripts.words import one_line


def run_onnxruntime(folder: Path, model: str, feeds: Mapping[str, Tensor]) -> Run:
    """Runs a model file on onnxruntime's CPU provider, graph optimisation off."""
    keep_to_ourselves()
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise Untestable(f"onnxruntime is not installed ({error}): pip install onnxruntime") from None
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # errors only
    try:
        session = ort.InferenceSession(
            str(existing(folder, model)), options, providers=["CPUExecutionProvider"]
        )
    except Untestable:
        raise
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common base
        raise BuildFailed(f"onnxruntime does not load {model}: {one_line(error)}") from None
    names = [output.name for output in session.get_outputs()]
    try:
        values = session.run(names, dict(feeds))
    except Exception as error:  # noqa: BLE001 - as above
        raise Untestable(f"onnxruntime does not run {model}: {one_line(error)}") from None
    return Run(f"onnxruntime {ort.__version__}", dict(zip(names, values, strict=True)))


def run_reference_model(folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]) -> Run:
    """The model as it is."""
    return _run_model(folder, manifest, manifest["model"], feeds)


def run_emulated(folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]) -> Run:
    """The model with every low-precision node's inputs, weights and outputs rounded (Cast pairs)."""
    if not manifest.get("emulated"):
        raise Untestable(f"there is nothing to emulate for precision {manifest['precision']}")
    return _run_model(folder, manifest, manifest["emulated"], feeds)


def _run_model(folder: Path, manifest: Mapping[str, Any], model: str, feeds: Mapping[str, Tensor]) -> Run:
    """Runs a model file on onnxruntime; one with custom operators by trtdebug, which has their implementations run."""
    operators = manifest["options"].get("operators", [])
    if not operators:
        return run_onnxruntime(folder, model, feeds)
    try:
        from trtdebug.backends.run_file import RefusedError, run_file
    except ImportError as error:
        raise Untestable(f"custom operators need trtdebug ({error}): pip install trtdebug") from None
    try:
        version, outputs = run_file(existing(folder, model), folder, operators, feeds)
    except RefusedError as error:
        raise Untestable(f"{model} does not run: {one_line(error)}") from None
    return Run(version, outputs)
