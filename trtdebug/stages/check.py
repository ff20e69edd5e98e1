"""All checks on a model by itself: with the reference's values where it runs, without them where it can't."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from trtdebug.backends.base import BuildRequest, Tensor
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.finding import Finding
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.graph.ranges import parse_ranges
from trtdebug.graph.shapes import parse_shapes
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.types import CheckContext
from trtdebug.stages.inputs import Samples, check_samples, generated, read_samples
from trtdebug.stages.operator_sources import operator_sources
from trtdebug.stages.plugin_troubles import plugin_problems
from trtdebug.stages.preflight import CaseRequest, collect_findings


def check_model(request: CaseRequest, plugins: PluginManager) -> tuple[Finding, ...]:
    """Findings of all checks.

    Raises:
        UserError: no such file, not ONNX, inputs that do not fit.
    """
    model = load_model(request.model)
    notes: tuple[Finding, ...] = ()
    if request.inputs is not None:
        samples: Samples = read_samples(request.inputs, plugins)
    else:
        shapes = parse_shapes(request.input_shapes)
        samples, notes = generated(model, shapes, request.seed, parse_ranges(request.ranges))
    check_samples(model, samples, {})
    with tempfile.TemporaryDirectory(prefix="trtdebug-") as folder:
        reference = _Reference(request, plugins, samples[0], Path(folder))
        reason = reference.obstacle()
        context = CheckContext(
            path=request.model,
            model=model,
            index=GraphIndex(model),
            precision=request.options.precision,
            sample=samples[0],
            reference=None if reason else reference,
        )
        findings = collect_findings(plugins, context)
    if reason:
        unable = Finding(
            "reference-cannot-run", "error", reason, None, "See the other findings for the cause."
        )
        findings = (*findings, unable)
    return (*notes, *findings, *plugin_problems(plugins))


class _Reference:
    """Reference values of one sample, computed when a check asks."""

    def __init__(
        self, request: CaseRequest, plugins: PluginManager, sample: Mapping[str, Tensor], work: Path
    ):
        if request.reference not in plugins.backends():
            raise UserError(f"there is no backend {request.reference!r}.", "See `trtdebug doctor`.")
        self.backend = plugins.backends()[request.reference]
        self.path, self.sample, self.work = request.model, sample, work
        sources = operator_sources(request.operators, load_model(request.model), plugins)
        self.options = BuildOptions(operators=sources)
        self.extensions = {found.value.name: found.value for found in plugins.collect("operators")}

    def obstacle(self) -> str:
        """Why the reference can't run; empty when it can."""
        try:
            self(None)
        except BuildFailure as failure:
            return str(failure)
        return ""

    def __call__(self, names: Iterable[str] | None) -> Mapping[str, Tensor]:
        outputs = tuple(names) if names is not None else None
        asked = BuildRequest(self.path, self.options, self.work, outputs=outputs, extensions=self.extensions)
        engine = self.backend.build(asked)
        try:
            return engine.run(self.sample)
        finally:
            engine.close()
