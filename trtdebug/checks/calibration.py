"""INT8 without anything that says the scales."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.backends.tensorrt.calibration import is_quantised
from trtdebug.checks.built import built_model
from trtdebug.core.finding import Finding
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """`int8-without-scales`: no Q/DQ in the model, no calibration cache: nothing runs in INT8."""
    given = context.case is not None and context.case.options.calibration_cache is not None
    if context.precision != "int8" or given:
        return
    built = built_model(context)
    if built is not None and not is_quantised(built[0]):
        yield Finding(
            "int8-without-scales",
            "warning",
            "The build is to be INT8, but the model has no QuantizeLinear/DequantizeLinear and no calibration "
            "cache was given: no layer will run in INT8.",
            None,
            "Give --calibration-cache FILE (TensorRT before 11), or quantise the model with Q/DQ (all versions).",
        )
