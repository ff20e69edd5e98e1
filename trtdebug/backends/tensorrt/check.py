"""Build options that this TensorRT cannot take, told before anything is built."""

from __future__ import annotations

from pathlib import Path

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.calibration import is_quantised
from trtdebug.backends.tensorrt.engine_file import is_engine_file
from trtdebug.backends.tensorrt.plan import plan_build
from trtdebug.backends.tensorrt.plugin_libraries import libraries_obstacle
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.graph.load import load_model


def check_options(options: BuildOptions, model: Path, version: str) -> None:
    """Checks the user's options for this model.

    Args:
        version: of the installed TensorRT.

    Raises:
        UserError: a precision or a tactic source that it does not have, a calibration cache that it cannot use or that
            says nothing, INT8 without scales, a plugin library that cannot be loaded.
    """
    try:
        plan = plan_build(BuildRequest(model, options, model.parent), version)
    except BuildFailure as failure:
        raise UserError(failure.message, failure.hint) from failure
    if not is_engine_file(model) and options.precision == "int8":
        quantised = is_quantised(load_model(model))
        if quantised and plan.calibration is not None:
            raise UserError(
                f"{model.name} is quantised by its own QuantizeLinear nodes: a calibration cache has no meaning.",
                "Drop --calibration-cache.",
            )
        if not quantised and plan.calibration is None:
            raise UserError(
                f"--int8 needs scales, and {model.name} has no QuantizeLinear or DequantizeLinear nodes that say them.",
                "Quantise the model, or give --calibration-cache (TensorRT 8 to 10).",
            )
    obstacle = libraries_obstacle(options.plugins)
    if obstacle:
        raise UserError(obstacle, "Check --plugins, and that its own libraries are found.")
