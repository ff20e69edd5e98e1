"""All checks on a model by itself: with the reference's values where it runs, without them where it can't."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import onnx

from trtdebug.backends.base import Tensor
from trtdebug.core.errors import BuildFailure
from trtdebug.core.finding import Finding
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_mapped
from trtdebug.graph.ranges import parse_ranges
from trtdebug.graph.shapes import parse_shapes
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.types import CheckContext
from trtdebug.stages.inputs import Samples, check_samples, generated, read_samples
from trtdebug.stages.opening.backends import working_backend
from trtdebug.stages.opening.plugin_troubles import plugin_problems
from trtdebug.stages.opening.preflight import CaseRequest, check_files
from trtdebug.stages.opening.reference_run import ReferenceRun
from trtdebug.stages.opening.run_checks import collect_findings

_ELSEWHERE = "See the other findings for the cause."
_BY_ITSELF = (
    "Nothing can be compared without a reference: mend the model or the inputs, or give another --reference."
)

Values: TypeAlias = Callable[[Iterable[str] | None], Mapping[str, Tensor]]


def check_model(request: CaseRequest, plugins: PluginManager) -> tuple[Finding, ...]:
    """Findings of all checks.

    Raises:
        UserError: no such file, not ONNX, inputs that do not fit, a plugin library that is not there, a
            reference that does not work here.
    """
    model = load_mapped(request.model)
    check_files(request.options)
    notes: tuple[Finding, ...] = ()
    if request.inputs is not None:
        samples: Samples = read_samples(request.inputs, plugins)
    else:
        shapes = parse_shapes(request.input_shapes)
        samples, notes = generated(model, shapes, request.seed, parse_ranges(request.ranges))
    check_samples(model, samples, {})
    reference = _reference(request, model, samples[0], plugins)
    reason = _obstacle(reference)
    context = CheckContext(
        path=request.model,
        model=model,
        index=GraphIndex(model),
        precision=request.options.precision,
        sample=samples[0],
        reference=None if reason else reference,
        plugins=request.options.plugins,
    )
    findings = collect_findings(plugins, context)
    if reason:
        explained = any(f.severity == "error" for f in findings)
        advice = _ELSEWHERE if explained else _BY_ITSELF
        findings = (*findings, Finding("reference-cannot-run", "error", reason, None, advice))
    return (*notes, *findings, *plugin_problems(plugins))


def _reference(
    request: CaseRequest, model: onnx.ModelProto, sample: Mapping[str, Tensor], plugins: PluginManager
) -> Values:
    """Reference values of the sample, computed when a check asks."""
    backend = working_backend(request.reference, plugins, "reference")
    run = ReferenceRun.of(backend, request.operators, model, plugins)
    return lambda names: run(request.model, sample, names)


def _obstacle(reference: Values) -> str:
    """Why the reference can't run; empty when it can."""
    try:
        reference(None)
    except BuildFailure as failure:
        return str(failure)
    return ""
