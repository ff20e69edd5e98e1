"""Build options as flags of `polygraphy run` and `polygraphy convert`."""

from __future__ import annotations

from trtdebug.backends.tensorrt.source_flags import polygraphy_sources
from trtdebug.core.case import BuildOptions
from trtdebug.graph.shapes import format_polygraphy


def polygraphy_flags(options: BuildOptions) -> list[str]:
    """What Polygraphy is told of the options, but for precision and calibration, which each command has in its own way.

    The tactic sources are left out where they cannot be said: see `has_sources_flag`.
    """
    flags = []
    if options.tf32:
        flags.append("--tf32")
    if options.optimization_level is not None:
        flags.append(f"--builder-optimization-level={options.optimization_level}")
    if options.workspace is not None:
        flags.append(f"--pool-limit=workspace:{options.workspace}")  # bytes
    sources = polygraphy_sources(options.tactic_sources) if options.tactic_sources is not None else None
    if sources is not None:
        flags += ["--tactic-sources", *sources]
    for which in ("min", "opt", "max") if options.profiles else ():
        shapes = {name: getattr(profile, which) for name, profile in options.profiles.items()}
        flags += [f"--trt-{which}-shapes", *format_polygraphy(shapes)]
    if options.plugins:
        flags += ["--plugins", *options.plugins]
    return flags


def has_sources_flag(options: BuildOptions) -> bool:
    """Whether Polygraphy can be told the tactic sources, if there are any to tell."""
    return options.tactic_sources is None or polygraphy_sources(options.tactic_sources) is not None
