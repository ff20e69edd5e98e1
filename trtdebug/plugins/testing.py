"""For authors of extensions: contexts to test checks and fixes with. Needs no pytest.

For pytest there are fixtures in `trtdebug.plugins.fixtures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx

from trtdebug.core.case import BuildOptions, Case, Tolerance
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Precision, ReplaceGraph
from trtdebug.core.outcome import Signature
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.names import name_nodes
from trtdebug.plugins import returned, rules
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.types import (
    Check,
    CheckContext,
    FixContext,
    FixProposal,
    FixProposer,
    Sample,
    Tensor,
)

INTERVENTIONS = frozenset(
    {
        "PinPrecision",
        "ForcePrecision",
        "BanTactic",
        "UseTactic",
        "Knob",
        "MarkOutputs",
        "BreakFusion",
        "ReplaceGraph",
    }
)
_ORT_IR = 10  # the newest IR that every onnxruntime from 1.18 on reads; `onnx.helper` writes newer ones


def check_context(
    model: onnx.ModelProto,
    sample: Sample | None = None,
    precision: Precision = "fp16",
    path: Path = Path("model.onnx"),
) -> CheckContext:
    """A context as checks get it; its nodes are named. With a sample, `reference` runs onnxruntime on it."""
    named = _named(model)
    reference = None if sample is None else onnxruntime_reference(named, sample)
    return CheckContext(path, named, GraphIndex(named), precision, sample, reference)


def fix_context(
    model: onnx.ModelProto,
    culprits: Iterable[Iterable[str]],
    pins: Iterable[str] | None = None,
    *,
    precision: Precision = "fp16",
    signature: Signature | None = None,
    findings: Iterable[Finding] = (),
    realises: Iterable[str] = INTERVENTIONS,
    keep_model: Callable[[onnx.ModelProto], ReplaceGraph] | None = None,
    samples: Iterable[Sample] = (),
) -> FixContext:
    """A context as fix proposers get it. `culprits`: sets of node names, each of which fails alone.

    Rewritten models go to `keep_model`; without it no rewrite is proposed.
    """
    named = _named(model)
    index = GraphIndex(named)
    case = Case(
        model="model.onnx",
        sha256="",
        nodes=len(index.nodes),
        options=BuildOptions(precision=precision),
        tolerance=Tolerance(),
        reference="onnxruntime",
        candidate="emulator",
        samples=(),
        inputs_sha256="",
    )
    return FixContext(
        case=case,
        model=named,
        index=index,
        signature=signature or Signature("mismatch", index.outputs),
        culprits=tuple(tuple(culprit) for culprit in culprits),
        pins=None if pins is None else tuple(pins),
        findings=tuple(findings),
        realises=frozenset(realises),
        keep_model=keep_model,
        samples=lambda: samples,
    )


def run_check(check: Check, context: CheckContext) -> tuple[Finding, ...]:
    """All findings. Raises `TypeError` where the check yields anything else."""
    return returned.findings(check.name, check.run(context))


def run_fix(proposer: FixProposer, context: FixContext) -> tuple[FixProposal, ...]:
    """All proposals. Raises `TypeError` where the proposer yields anything else."""
    return returned.proposals(proposer.name, proposer.propose(context))


def load_plugin(*plugins: ModuleType | object | str) -> PluginManager:
    """A manager with these plugins alone. Raises `AssertionError`, with tracebacks, where one has a fault."""
    manager = PluginManager.load(builtins=plugins, third_party=False)
    manager.plugins()
    for kind in rules.KINDS:
        manager.collect(kind)
    if manager.problems:
        raise AssertionError("\n".join(f"{p.plugin}: {p.error}\n{p.traceback}" for p in manager.problems))
    return manager


def onnxruntime_reference(
    model: onnx.ModelProto, sample: Sample
) -> Callable[[Iterable[str]], Mapping[str, Tensor]]:
    """`reference(names)` gives these tensors, computed by onnxruntime on the CPU, its optimisations off."""

    def reference(names: Iterable[str]) -> dict[str, Tensor]:
        import onnxruntime

        wanted = tuple(names)
        given = {name: np.asarray(sample[name]) for name in wanted if name in sample}
        asked = [name for name in wanted if name not in given]
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        copy.ir_version = min(copy.ir_version, _ORT_IR)
        have = {output.name for output in copy.graph.output}
        copy.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in dict.fromkeys(asked) if name not in have
        )
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            copy.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        values = session.run(asked, dict(sample)) if asked else []
        return {**given, **dict(zip(asked, values, strict=True))}

    return reference


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    name_nodes(copy)
    return copy
