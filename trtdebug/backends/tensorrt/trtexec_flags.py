"""Build options as flags of trtexec."""

from __future__ import annotations

from trtdebug.backends.tensorrt.source_flags import trtexec_sources
from trtdebug.core.case import BuildOptions
from trtdebug.graph.shapes import format_trtexec

WEAK, TYPED = "10.0", "11.0"
"""Versions that stand for those whose precisions are flags, and those that read them from the model."""


def trtexec_flags(options: BuildOptions, version: str) -> list[str]:
    """What trtexec is told of the options, but for precision and calibration, which each command has in its own way.

    Args:
        version: of TensorRT, as of `trtexec_sources`.
    """
    flags = []
    for which in ("min", "opt", "max") if options.profiles else ():
        shapes = {name: getattr(profile, which) for name, profile in options.profiles.items()}
        flags.append(f"--{which}Shapes={format_trtexec(shapes)}")
    if not options.tf32:
        flags.append("--noTF32")
    if options.optimization_level is not None:
        flags.append(f"--builderOptimizationLevel={options.optimization_level}")
    if options.workspace is not None:
        flags.append(f"--memPoolSize=workspace:{options.workspace / 2**20:g}")  # MiB
    sources = trtexec_sources(options.tactic_sources, version) if options.tactic_sources is not None else ""
    if sources:
        flags.append(f"--tacticSources={sources}")
    return [*flags, *(f"--staticPlugins={library}" for library in options.plugins)]
