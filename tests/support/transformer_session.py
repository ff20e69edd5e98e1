"""A session of a transformer of any size, as a GPU would leave it: its report without its hours.

The model is real ONNX; what the backends would answer is made up by a scripted executor, and stored by the session
itself.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from diagnoses import plain
from onnx import TensorProto, helper

from trtdebug.core.case import BuildOptions, Case, Tolerance
from trtdebug.core.diagnosis import (
    BackendInfo,
    Culprit,
    Divergence,
    ExtensionInfo,
    Fix,
    Latency,
    OutputVerdict,
    ReproResult,
    StageTime,
    TrialCounts,
)
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.core.outcome import EngineInfo, LayerInfo, Outcome, Signature, TensorError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import content_sha256, save_model
from trtdebug.graph.types import tensor_types
from trtdebug.oracle.tolerance import Limits
from trtdebug.report.build import build_report
from trtdebug.report.html.details import keep_details
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.session import Session

_BLOCK = (
    ("input_layernorm/ReduceMean", "ReduceMean", ("h",)),
    ("input_layernorm/Sub", "Sub", ("h", "input_layernorm/ReduceMean")),
    ("input_layernorm/Pow", "Pow", ("input_layernorm/Sub", "#two")),
    ("input_layernorm/ReduceMean_1", "ReduceMean", ("input_layernorm/Pow",)),
    ("input_layernorm/Add", "Add", ("input_layernorm/ReduceMean_1", "#eps")),
    ("input_layernorm/Sqrt", "Sqrt", ("input_layernorm/Add",)),
    ("input_layernorm/Div", "Div", ("input_layernorm/Sub", "input_layernorm/Sqrt")),
    ("input_layernorm/Mul", "Mul", ("input_layernorm/Div", "#gain")),
    ("attention/q_proj/MatMul", "MatMul", ("input_layernorm/Mul", "#w")),
    ("attention/k_proj/MatMul", "MatMul", ("input_layernorm/Mul", "#w")),
    ("attention/v_proj/MatMul", "MatMul", ("input_layernorm/Mul", "#w")),
    ("attention/Mul", "Mul", ("attention/q_proj/MatMul", "#eps")),
    ("attention/MatMul", "MatMul", ("attention/Mul", "attention/k_proj/MatMul")),
    ("attention/Softmax", "Softmax", ("attention/MatMul",)),
    ("attention/MatMul_1", "MatMul", ("attention/Softmax", "attention/v_proj/MatMul")),
    ("attention/o_proj/MatMul", "MatMul", ("attention/MatMul_1", "#w")),
    ("Add", "Add", ("h", "attention/o_proj/MatMul")),
    ("mlp/fc1/MatMul", "MatMul", ("Add", "#w")),
    ("mlp/act/Sigmoid", "Sigmoid", ("mlp/fc1/MatMul",)),
    ("mlp/act/Mul", "Mul", ("mlp/fc1/MatMul", "mlp/act/Sigmoid")),
    ("mlp/fc2/MatMul", "MatMul", ("mlp/act/Mul", "#w")),
    ("Add_1", "Add", ("Add", "mlp/fc2/MatMul")),
)
"""One block: name, operator and inputs; "#" marks weights, "h" is what the block before gives."""
_OVERFLOWING = slice(2, 6)
"""Within a block: what leaves FP16's range where the hidden state is large."""
_WIDTH = 64


def transformer(nodes: int) -> onnx.ModelProto:
    """Blocks as exporters name them, cut off after so many nodes. Its weights are small, it is not to be run."""
    made: list[onnx.NodeProto] = []
    hidden = "hidden_states"
    for number in range(-(-nodes // len(_BLOCK))):
        prefix = f"/model/decoder/layers.{number}/"

        def tensor(name: str, prefix: str = prefix, hidden: str = hidden) -> str:
            return name[1:] if name[0] == "#" else hidden if name == "h" else f"{prefix}{name}_output_0"

        for name, op, inputs in _BLOCK[: nodes - len(made)]:
            made.append(helper.make_node(op, [tensor(i) for i in inputs], [tensor(name)], prefix + name))
        hidden = made[-1].output[0]
    weights = [("w", (_WIDTH, _WIDTH)), ("gain", (_WIDTH,)), ("two", ()), ("eps", ())]
    graph = helper.make_graph(
        made,
        "decoder",
        [helper.make_tensor_value_info("hidden_states", TensorProto.FLOAT, [1, 16, _WIDTH])],
        [helper.make_tensor_value_info(hidden, TensorProto.FLOAT, None)],
        [helper.make_tensor(n, TensorProto.FLOAT, s, np.ones(s, np.float32).ravel()) for n, s in weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@dataclass
class Scripted:
    """Answers jobs as TensorRT 10 on a GPU might: what overflows fails where it is in low precision."""

    index: GraphIndex
    culprits: tuple[str, ...]
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def run(self, job: Job) -> Outcome:
        pinned = {n for i in job.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        wrong = [n for n in self.culprits if n not in pinned]
        tensors = tuple(
            self._error(job, name, ref.tensor, wrong) for name, ref in (job.expected or {}).items()
        )
        failing = [t.tensor for t in tensors if t.status == "fail"]
        reason = f"{failing[0]}: 1000 of 1024 elements are NaN or Inf on one side only" if failing else ""
        is_read = job.purpose in ("as built", "verify fix")  # the report shows no others
        layers = self._layers(pinned) if is_read else ()
        return Outcome(
            "fail" if failing else "pass",
            Signature("nonfinite", tuple(failing)) if failing else None,
            reason,
            tensors,
            EngineInfo("tensorrt", "10.13.3", "NVIDIA H200", layers),
            build_seconds=self.chance.uniform(1, 9),
            run_seconds=0.02,
        )

    def close(self) -> None: ...

    def _error(self, job: Job, name: str, tensor: str, wrong: Sequence[str]) -> TensorError:
        node = self.index.producer[tensor]
        rms = 10 ** self.chance.gauss(-3.5, 0.35)
        if node in wrong:
            return TensorError(name, "fail", 9.0, 0.1, rms, 1000, 1024, "nonfinite", reason="NaN or Inf")
        behind = wrong and not job.isolated and self.index.position(node) > self.index.position(wrong[0])
        if behind:
            return TensorError(name, "fail", 3.0, 1.0, self.chance.uniform(0.9, 1.1), 0, 1024, "mismatch")
        depth = 1.0 if job.isolated else 1.5 + self.index.position(node) / len(self.index.order)
        return TensorError(name, "pass", rms / 10, rms / 10, rms * depth, 0, 1024)

    def _layers(self, pinned: set[str]) -> tuple[LayerInfo, ...]:
        """Matrix products by themselves, all between two of them in one kernel."""
        groups: list[list[str]] = []
        for name in self.index.order:
            if (
                not groups
                or self.index.node(name).op == "MatMul"
                or self.index.node(groups[-1][0]).op == "MatMul"
            ):
                groups.append([])
            groups[-1].append(name)
        return tuple(self._layer(number, group, pinned) for number, group in enumerate(groups))

    def _layer(self, number: int, group: list[str], pinned: set[str]) -> LayerInfo:
        precision = "fp32" if pinned & set(group) else "fp16"
        ops = "".join(self.index.node(n).op for n in group)
        gemm = ops == "MatMul"
        return LayerInfo(
            group[0] if gemm else f"__myl_{ops}_myl0_{number}",
            tuple(group),
            precision,
            f"sm90_xmma_gemm_{'f16f16_f16f32' if precision == 'fp16' else 'f32f32_tf32f32'}_tn_n_tilesize128x128x64"
            if gemm
            else f"__myl_{ops}_0x{number:08x}",
            "gemm" if gemm else "kgen",
            (precision,),
            (precision,),
            milliseconds=self.chance.uniform(0.002, 0.02),
        )


@dataclass(frozen=True)
class MadeSession:
    """The session's folder, and what is in it."""

    folder: Path
    model: onnx.ModelProto
    culprits: tuple[str, ...]
    report: Mapping[str, Any]

    @cached_property
    def html(self) -> Path:
        return self.folder / "report.html"


def make_session(
    folder: Path,
    nodes: int,
    model: onnx.ModelProto | None = None,
    trials: int = 40,
    foreseen: bool = False,
) -> MadeSession:
    """A finished session, without its report.html.

    Args:
        model: one of this kind, with other names; None = `transformer(nodes)`.
        foreseen: it was the emulator that looked at nodes by themselves, and nobody at all tensors.
    """
    model = model or transformer(nodes)
    folder.mkdir(parents=True)
    path = folder / "decoder.onnx"
    save_model(model, path)
    index = GraphIndex(model)
    blocks = len(index.order) // len(_BLOCK)
    starts = [len(_BLOCK) * b for b in dict.fromkeys((blocks // 2, 2 * blocks // 3))]
    culprits = tuple(n for s in starts for n in index.order[s : s + len(_BLOCK)][_OVERFLOWING])
    case = Case(
        str(path), content_sha256(path), nodes, BuildOptions("fp16"), Tolerance(), "onnxruntime", "tensorrt",
        ("s0",), "cd" * 32, command=f"trtdebug run {path} --fp16",
    )  # fmt: skip
    session = Session(folder, Scripted(index, culprits))
    session.store_case(case)
    kept = _run_trials(session, case, index, culprits, trials, foreseen)
    report = build_report(case, _diagnosis(index, culprits, session))
    _store_tensors(session, index, culprits, kept)
    keep_details(folder, case, report, index, tensor_types(model))
    return MadeSession(folder, model, culprits, report)


def _run_trials(
    session: Session, case: Case, index: GraphIndex, culprits: Sequence[str], trials: int, foreseen: bool
) -> tuple[str, str]:
    """The trials of a search; returns the hashes of those whose values are kept: nodes alone, and as built."""
    outputs = {o: TensorRef(o) for o in index.outputs}
    job = Job(
        "as built", "tensorrt", case.model, case.sha256, case.inputs_sha256, case.samples, case.options,
        Limits(0.01), {n: TensorRef(n) for n in index.inputs}, expected=outputs, keep="all",
    )  # fmt: skip
    session.journal.write("stage_started", stage="sanity")
    session.run(job)
    session.run(replace(job, repeat=1))
    force = ForcePrecision("fp16")
    session.run(replace(job, purpose="forced", interventions=(force,)))
    session.journal.write("stage_started", stage="observe")
    alone = replace(
        job,
        purpose="nodes isolated",
        model_sha256="ef" * 32,
        expected={f"{t}__from__{n}": TensorRef(t) for n in index.order for t in index.node(n).writes},
        interventions=(force,),
        isolated=True,
        keep="failing",
        fast=True,
    )
    if foreseen:
        alone = replace(alone, purpose="nodes isolated, foreseen", role="reference", backend="emulator")
    session.run(alone)
    session.journal.write("stage_started", stage="localise")
    for low in _subsets(index.order, trials):
        purpose = f"{len(low)} of {len(index.order)} nodes in fp16"
        pins = PinPrecision(tuple(n for n in index.order if n not in low))
        session.run(replace(job, purpose=purpose, interventions=(force, pins), keep="none", fast=True))
    marked = {t: TensorRef(t) for t in index.tensors}
    every = replace(job, purpose="every tensor marked", expected=marked, outputs=tuple(marked))
    if not foreseen:
        session.run(replace(every, interventions=(force,)))
    session.journal.write("stage_started", stage="fix")
    session.run(
        replace(job, purpose="verify fix", interventions=(PinPrecision(tuple(culprits)),), keep="none")
    )
    return alone.sha256, job.sha256


def _subsets(order: Sequence[str], count: int) -> Iterator[frozenset[str]]:
    """Halves, quarters, eighths, ... of the nodes, as a search asks for them."""
    parts = 2
    while True:
        size = math.ceil(len(order) / parts)
        for start in range(0, len(order), size):
            if count == 0:
                return
            count -= 1
            yield frozenset(order[start : start + size])
        parts *= 2


def _store_tensors(
    session: Session, index: GraphIndex, culprits: Sequence[str], kept: tuple[str, str]
) -> None:
    """Values around the first culprits: the reference's, and the candidate's where it overflowed."""
    chance = np.random.default_rng(3)
    store = session.tensors
    for name in culprits[:4]:
        tensor = index.node(name).writes[0]
        reference = np.exp(chance.normal(9.5, 2.2, (16, 64))).astype(np.float32)
        with np.errstate(over="ignore"):
            candidate = reference.astype(np.float16)
        store.put("s0", TensorRef(tensor), reference)
        store.put("s0", TensorRef(f"{tensor}__from__{name}", kept[0]), candidate)
    for before in index.predecessors(culprits[0]):
        store.put(
            "s0", TensorRef(index.node(before).writes[0]), chance.normal(0, 300, (16, 64)).astype(np.float32)
        )
    for output in index.outputs:
        values = chance.normal(0, 2, (16, 64)).astype(np.float32)
        store.put("s0", TensorRef(output), values)
        store.put("s0", TensorRef(output, kept[1]), np.full_like(values, np.nan))


def _diagnosis(index: GraphIndex, culprits: Sequence[str], session: Session) -> Any:
    first = culprits[0]
    output = index.outputs[0]
    evidence = (
        "fed with the reference's inputs: 1000 of 1024 elements become Inf or NaN; put into the reference, its output "
        "alone makes the case fail"
    )
    return replace(
        plain("diverges"),
        signature=Signature("nonfinite", (output,)),
        reason=f"{output}: 1000 of 1024 elements are NaN or Inf on one side only",
        candidate=BackendInfo("tensorrt", "10.13.3", "NVIDIA H200"),
        failed_builds=2,
        first_divergence=Divergence(
            index.node(first).writes[0], first, index.node(first).op, 9.0, 0.1, 1000, 3.1e-4, 4.2e-4
        ),
        culprits=tuple(Culprit((n,), "precision", evidence) for n in culprits),
        fixes=(
            Fix(
                "rewrite",
                "scale the squares of 2 layer norms",
                (),
                False,
                (1, 2),
                0.4,
                reason="1 of 2 builds fails",
            ),
            Fix(
                "pin",
                f"pin {len(culprits)} nodes to FP32",
                (PinPrecision(tuple(culprits)),),
                True,
                (2, 2),
                0.00172,
                1.04,
                latency_ms=Latency(0.935, 0.971, 1.31),
            ),
        ),
        fix_folder=str(session.folder / "fix"),
        repro=ReproResult(str(session.folder / "repro"), 4, True),
        findings=(
            Finding(
                "layernorm-overflow",
                "error",
                f"LayerNorm: values up to 4.695e+06 pass the FP16 range (65504) at {first}.",
                first,
                "Pin these nodes to FP32.",
            ),
            Finding("opset-old", "info", "The model is of opset 17.", None, ""),
        ),
        unknown=("3 nodes could not be observed by themselves",),
        stages=tuple(
            StageTime(*s) for s in (("sanity", 21.4, 3), ("observe", 9.1, 1), ("localise", 130.2, 41))
        ),
        trials=TrialCounts(46, 44, 2, 0, 231.7),
        outputs=tuple(
            OutputVerdict(build, "s0", TensorError(output, "fail", 3.0, 1.0, 1.0, 1000, 1024, "nonfinite"))
            for build in ("as built 1", "as built 2", "forced")
        ),
        trtdebug="0.1.0",
        extensions=(ExtensionInfo("trtdebug-layernorm", "0.1.0"),),
    )
