"""Runs AutoCast in a process of its own: it needs torch, and other versions of onnx and onnxruntime than trtdebug."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from trtdebug.core.errors import UserError
from trtdebug.core.intervention import LowPrecision
from trtdebug.graph.load import load_model, save_model
from trtdebug.plugins.types import Sample

PYTHON_VARIABLE = "TRTDEBUG_MODELOPT_PYTHON"
"""Environment variable: the Python that has nvidia-modelopt. Default: the one that runs trtdebug."""

DISTRIBUTION = "nvidia-modelopt"
SECONDS = 900.0
_VERSION = f"import importlib.metadata as m; print(m.version({DISTRIBUTION!r}))"
_INSTALL = (
    f"install nvidia-modelopt[onnx], best into another environment whose Python {PYTHON_VARIABLE} names."
)
_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class AutocastError(Exception):
    """AutoCast gives no model; the message says why, on one line."""


@dataclass(frozen=True)
class Mixed:
    """What AutoCast gives.

    Attributes:
        model: with Casts around the nodes that stay in FP32; inputs and outputs as they were.
        version: of nvidia-modelopt.
    """

    model: onnx.ModelProto
    version: str


def version() -> str:
    """The version of nvidia-modelopt. Raises `AutocastError` where it is not there."""
    done = _run(["-c", _VERSION], 60.0)
    if done.returncode:
        raise AutocastError(f"{_python()} has no {DISTRIBUTION}: {_INSTALL}")
    return done.stdout.strip()


def convert(model: onnx.ModelProto, samples: Iterable[Sample], precision: LowPrecision) -> Mixed:
    """AutoCast's mixed model for FP16 or BF16, calibrated with these samples.

    Raises:
        AutocastError: nvidia-modelopt is not there, AutoCast fails, or takes more than 15 minutes.
    """
    found = version()
    with tempfile.TemporaryDirectory(prefix="trtdebug-autocast-") as name:
        folder = Path(name)
        save_model(model, folder / "model.onnx")
        _write_samples(samples, folder / "calibration")
        arguments = {
            "onnx_path": folder / "model.onnx",
            "output_path": folder / "mixed.onnx",
            "calibration_data": folder / "calibration",
            "low_precision_type": precision,
        }
        options = [text for key, value in arguments.items() for text in (f"--{key}", str(value))]
        done = _run(["-m", "modelopt.onnx.autocast", *options, "--keep_io_types"], SECONDS)
        if done.returncode:
            raise AutocastError(f"AutoCast {found} fails: {_error(done.stdout)}")
        try:
            return Mixed(load_model(folder / "mixed.onnx"), found)
        except UserError as error:
            raise AutocastError(f"AutoCast {found} wrote no model: {error.message}") from None


def _write_samples(samples: Iterable[Sample], folder: Path) -> None:
    """One .npz a sample: of several, AutoCast takes the largest values."""
    write: Any = np.lib.format.write_array  # typed by some releases of numpy only
    folder.mkdir()
    for number, sample in enumerate(samples):
        with zipfile.ZipFile(folder / f"{number:06}.npz", "w") as archive:
            for name, value in sample.items():  # np.savez has names of its own, which no input could have
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    write(file, np.asarray(value), allow_pickle=False)


def _python() -> str:
    return os.environ.get(PYTHON_VARIABLE) or sys.executable


def _run(arguments: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """With all that it says in `stdout`."""
    command = [_python(), *arguments]
    own = command[0] == sys.executable
    environment = {k: v for k, v in os.environ.items() if own or k not in _OURS}
    try:
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=environment,
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        reason = error.strerror or error
        raise AutocastError(f"{PYTHON_VARIABLE}={command[0]} cannot be run: {reason}.") from None
    except subprocess.TimeoutExpired:
        raise AutocastError(f"AutoCast took more than {seconds:.0f} s.") from None


def _error(said: str) -> str:
    """The exception that a traceback ends with, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it says nothing"]
    return next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception)\b", line)), lines[-1])
