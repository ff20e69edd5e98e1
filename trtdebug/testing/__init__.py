"""What authors of extensions test with. Needs no pytest; its fixtures are in `trtdebug.testing.fixtures`."""

from __future__ import annotations

from trtdebug.plugins.testing import (
    INTERVENTIONS,
    check_context,
    fix_context,
    load_plugin,
    onnxruntime_reference,
    run_check,
    run_fix,
)
from trtdebug.testing.assertions import assert_finds, assert_pins, assert_unchanged
from trtdebug.testing.planted import Fault, PlantedFaults
from trtdebug.testing.running import debugged

__all__ = [
    "INTERVENTIONS",
    "Fault",
    "PlantedFaults",
    "assert_finds",
    "assert_pins",
    "assert_unchanged",
    "check_context",
    "debugged",
    "fix_context",
    "load_plugin",
    "onnxruntime_reference",
    "run_check",
    "run_fix",
]
