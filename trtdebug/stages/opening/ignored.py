"""Options of a TensorRT build with a candidate that is none: they are told, and nothing is refused for them.

So one command line, or one config file, serves machines with a GPU and without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtdebug.backends.base import Backend, stands_in
from trtdebug.core.finding import Finding

if TYPE_CHECKING:
    from trtdebug.stages.opening.preflight import CaseRequest


def ignored_options(candidate: Backend, request: CaseRequest) -> tuple[Finding, ...]:
    """What the user gave that this candidate has no use for, as findings.

    One that only stands for a builder loads no plugin libraries, and chooses nothing.
    """
    if not stands_in(candidate):
        return ()
    options = request.options
    findings = []
    if options.plugins:
        message = f"plugin libraries are ignored by {candidate.name}"
        advice = "Give --operators FILE, which says what the custom operators compute."
        findings.append(Finding("plugins-ignored", "warning", message, mitigation=advice))
    given = {
        "--tactic-sources": options.tactic_sources,
        "--opt-level": options.optimization_level,
        "--good-tactics": request.good_tactics,
        "--calibration-cache": options.calibration_cache,
    }
    if names := [name for name, value in given.items() if value is not None]:
        message = f"{', '.join(names)}: ignored by {candidate.name}, which is no TensorRT"
        advice = "Give --candidate tensorrt, on a machine that has it."
        findings.append(Finding("options-ignored", "warning", message, mitigation=advice))
    return tuple(findings)
