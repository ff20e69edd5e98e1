"""The build options of a repro, on whatever TensorRT is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtdebug.scripts.tactic_sources import set_tactic_sources


def set_options(trt: Any, config: Any, options: Mapping[str, Any]) -> None:
    """Sets TF32, optimisation level, workspace and tactic sources on a trt.IBuilderConfig; `options` of repro.json.

    Raises:
        UserError: this version cannot be told so.
    """
    if not options.get("tf32", True):
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.get("optimization_level") is not None:
        config.builder_optimization_level = options["optimization_level"]
    if options.get("workspace") is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options["workspace"])
    if options.get("tactic_sources") is not None:
        set_tactic_sources(trt, config, options["tactic_sources"])
