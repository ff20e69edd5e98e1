"""Built-in checks, registered through the same hook as third parties' are. One module a check, imported when
run.

A check reads and never changes the model. Severity `error` is for what surely keeps the reference from
loading or running; a doubt is a `warning`; what is only worth knowing is `info`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from trtdebug.core.finding import Finding
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, CheckContext


def _check(name: str, summary: str) -> Check:
    def run(context: CheckContext) -> Iterable[Finding]:
        module = import_module(f"{__name__}.{name.replace('-', '_')}")
        findings: Iterable[Finding] = module.run(context)
        return findings

    return Check(name, summary, run)


CHECKS: tuple[Check, ...] = (
    _check("versions", "IR version and opset that onnxruntime does not take"),
    _check("operators", "operators that ONNX does not know or that need a plugin"),
    _check("names", "two nodes or two tensors of one name"),
    _check("order", "nodes that stand before what they read"),
    _check("dead-ends", "outputs that no node writes, inputs that no node reads"),
    _check("declared-types", "tensors declared of another type than their operator writes"),
    _check("mixed-types", "operators whose inputs need one type and have two"),
    _check("dimensions", "operators whose inputs' dimensions do not fit together"),
    _check("half-weights", "weights that overflow or vanish in FP16"),
    _check("no-floats", "low precision for a model in which there is nothing to round"),
    _check("wide-numbers", "INT64 values and FP64 tensors, which TensorRT narrows"),
    _check("unknown-shapes", "inputs of which not even the number of dimensions is known"),
    _check("data-dependent", "operators whose output's size depends on values"),
    _check("random-operator", "random operators without a seed, which make the reference of no use"),
    _check("branches", "If nodes whose branches give tensors of other types"),
    _check("quantisation", "Q/DQ pairs that TensorRT does not take, or that leave a layer in floating point"),
    _check("calibration", "INT8 without anything that says the scales"),
    _check("silent-outputs", "outputs that are constant, saturated or not finite: a pass there says little"),
)


@hookimpl
def trtdebug_checks() -> Iterable[Check]:
    return CHECKS
