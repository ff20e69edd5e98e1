"""What every stage works with: the open session, the case, the model, and how jobs are made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import onnx

from trtdebug.backends.base import Backend, Tensor
from trtdebug.backends.tensorrt.engine_file import is_engine_file
from trtdebug.core.case import Case, Tolerance
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import (
    ForcePrecision,
    Intervention,
    LowPrecision,
    MarkOutputs,
    PinPrecision,
)
from trtdebug.core.outcome import Outcome
from trtdebug.graph.choices import chosen_indices
from trtdebug.graph.custom import custom_kinds
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_mapped, load_model
from trtdebug.graph.mapped import is_mapped
from trtdebug.graph.types import TensorType, tensor_types
from trtdebug.oracle.ratio import rounding_limit
from trtdebug.oracle.tolerance import Limits, OutputLimits, limits
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.job import ChoiceRef, Job, Keep, TensorRef
from trtdebug.session.session import Session
from trtdebug.stages.recurrence import Recurrence

_LACKING = (
    "Give the reference an implementation of the operator: --operators FILE; see docs/custom-operators.md."
)
_NO_KERNEL = (
    "The reference knows the operator, and has no kernel of it for these types or this opset: export the model "
    "otherwise, or give another --reference."
)
_OTHERWISE = "Check the inputs (--inputs, --input-shapes, --val-range) and `trtdebug check` of the model."


def _advice(outcome: Outcome) -> str:
    """What to do where the reference cannot run; empty where its reason says so itself."""
    said = outcome.build_errors[0].message if outcome.build_errors else outcome.reason
    if said != outcome.reason:
        return ""
    if re.search("no implementation of|not a registered", said, re.IGNORECASE):
        return _LACKING
    return _NO_KERNEL if "NOT_IMPLEMENTED" in said else _OTHERWISE


@dataclass(frozen=True)
class Progress:
    """Where long work stands: nodes still in question, and how many trials that may take."""

    stage: str
    message: str
    left: int = 0
    of: int = 0
    trials_left: int = 0


@dataclass
class Context:
    """An open case.

    Attributes:
        session: runs jobs, from its cache where it can.
        plugins: hooks, built-in and third-party.
        report_progress: told where long work stands.
        recorded_maker: version and device of the candidate whose trials are replayed; None = the one that is here.
        own_rounding: by output: relative RMS error of the reference in FP32 against itself in FP64, where that
            was asked.
        recurrence: how often the build with low precision forced everywhere fails, where that was asked.
    """

    session: Session
    case: Case
    plugins: PluginManager
    report_progress: Callable[[Progress], None] = field(default=lambda progress: None)
    own_rounding: dict[str, float] = field(default_factory=dict)
    recurrence: Recurrence = field(default=Recurrence())
    recorded_maker: str | None = None

    @cached_property
    def model(self) -> onnx.ModelProto:
        """Large weights may be left in their files, see `load_mapped`."""
        return load_mapped(Path(self.case.model))

    def lent_model(self) -> onnx.ModelProto:
        """The model with all its values, which checks and fixes may read; not kept where it is large."""
        whole = not any(is_mapped(tensor) for tensor in self.model.graph.initializer)
        return self.model if whole else load_model(Path(self.case.model))

    @cached_property
    def index(self) -> GraphIndex:
        return GraphIndex(self.model)

    @cached_property
    def types(self) -> Mapping[str, TensorType]:
        """Of every tensor, as far as known: shape inference stops at custom operators; there the reference tells."""
        known = tensor_types(self.model)
        untold = [t for t in self.index.tensors if t not in known]
        if not untold or not custom_kinds(self.model):
            return known
        try:
            self.need_reference(untold)
        except UserError:  # then less is known
            return known
        return known | {name: self._recorded_type(name) for name in untold}

    def _recorded_type(self, name: str) -> TensorType:
        """Type as recorded; a dimension in which samples differ is unknown."""
        values = [self.session.tensors.get(sample, TensorRef(name)) for sample in self.case.samples]
        same_rank = len({v.ndim for v in values}) == 1
        sizes = zip(*(v.shape for v in values), strict=True)
        shape = tuple(s[0] if len(set(s)) == 1 else None for s in sizes) if same_rank else None
        return TensorType(values[0].dtype.name, shape)

    @property
    def limits(self) -> Limits:
        """The tolerance, resolved; with what the reference's own rounding explains, where that was measured."""
        tf32 = self.case.options.tf32 and "Knob" in self.candidate.realises  # only real builders have TF32
        resolved = limits(self.case.tolerance, replace(self.case.options, tf32=tf32))
        rounding = {o: rounding_limit(own, "fp32") for o, own in self.own_rounding.items()}
        outputs = {o: OutputLimits(rounding=r) for o, r in rounding.items() if self.is_default(o)}
        return replace(resolved, outputs=resolved.outputs | outputs) if outputs else resolved

    def is_default(self, output: str) -> bool:
        """Whether the user gave no tolerance that this output has to keep."""
        given = self.case.tolerance
        return given == Tolerance(outputs=given.outputs) and output not in given.outputs

    @property
    def candidate(self) -> Backend:
        return self.plugins.backends()[self.case.candidate]

    @cached_property
    def candidate_is_engine(self) -> bool:
        """Whether the candidate is a serialized engine: it has outputs, and nothing in it can be changed."""
        return self.case.candidate_model is not None and is_engine_file(Path(self.case.candidate_model))

    @property
    def low(self) -> LowPrecision | None:
        """The low float precision in question; None where the user builds in FP32 or INT8."""
        precision = self.case.options.precision
        return precision if precision in ("fp16", "bf16") else None

    @cached_property
    def items(self) -> tuple[str, ...]:
        """Nodes whose precision matters, in topological order: those that write or read a float tensor, in bodies too.

        Constants are not among them: a weight is rounded by the node that reads it.
        """
        return tuple(n for n in self.index.order if self._has_float(n))

    def _has_float(self, name: str) -> bool:
        node = self.index.node(name)
        if node.op == "Constant":
            return False
        tensors = [t for t in (*node.outputs, *node.reads) if t]
        return any(t not in self.types or self.types[t].is_float for t in tensors)

    @cached_property
    def choices(self) -> Mapping[str, ChoiceRef]:
        """By index tensor (ArgMax, TopK): what it was chosen from."""
        found = chosen_indices(self.model.graph)
        return {t: ChoiceRef(TensorRef(c.values), c.axis, c.keepdims) for t, c in found.items()}

    def as_built(self, interventions: Iterable[Intervention] = ()) -> tuple[Intervention, ...]:
        """Interventions of a build as the user makes it, and these; the user may mark tensors as outputs."""
        marks = self.case.options.marks
        return (*((MarkOutputs(marks),) if marks else ()), *interventions)

    def maker(self, backend: str) -> str:
        """Version and device of a backend, as in `Job.version`."""
        if self.recorded_maker is not None and backend == self.case.candidate:
            return self.recorded_maker
        return self.plugins.backends()[backend].probe().maker

    # jobs -----------------------------------------------------------------------------------------------

    def reference_job(self, outputs: Iterable[str] | None = None) -> Job:
        """The reference's own run; its outputs become the samples' tensors."""
        return Job(
            purpose="reference",
            backend=self.case.reference,
            model=self.case.model,
            model_sha256=self.case.sha256,
            inputs_sha256=self.case.inputs_sha256,
            samples=self.case.samples,
            options=self.case.options.for_reference,
            limits=self.limits,
            feeds={n: TensorRef(n) for n in self.index.inputs},
            outputs=tuple(outputs) if outputs is not None else self._with_chosen_from(self.index.outputs),
            keep="all",
            record=True,
            role="reference",
            max_memory=self.case.max_memory,
        )

    def _with_chosen_from(self, tensors: Iterable[str]) -> tuple[str, ...]:
        """These, and what those that hold indices were chosen from: without it, the indices would have to be equal."""
        wanted = tuple(tensors)
        chosen_from = (self.choices[t].values.tensor for t in wanted if t in self.choices)
        return tuple(dict.fromkeys((*wanted, *(t for t in chosen_from if t in self.index.producer))))

    def candidate_job(
        self,
        purpose: str,
        interventions: Iterable[Intervention] = (),
        *,
        outputs: Iterable[str] | None = None,
        keep: Keep = "none",
        repeat: int = 0,
        fast: bool = False,
        keep_engine: bool = False,
    ) -> Job:
        """A trial of the whole model; `outputs` are compared beside the model's own."""
        extra = [o for o in outputs or () if o not in self.index.outputs]
        names = [*self.index.outputs, *extra]
        return Job(
            purpose=purpose,
            backend=self.case.candidate,
            version=self.maker(self.case.candidate),
            model=self.case.candidate_model or self.case.model,
            model_sha256=self.case.candidate_sha256 or self.case.sha256,
            inputs_sha256=self.case.inputs_sha256,
            samples=self.case.samples,
            options=self.case.options,
            limits=self.limits,
            interventions=tuple(interventions),
            feeds={n: TensorRef(n) for n in self.index.inputs},
            expected={n: TensorRef(n) for n in names},
            outputs=tuple(names) if extra else None,
            keep=keep,
            repeat=repeat,
            fast=fast,
            keep_engine=keep_engine,
            max_memory=self.case.max_memory,
            choices={n: self.choices[n] for n in names if n in self.choices},
        )

    @cached_property
    def skipped(self) -> frozenset[str]:
        """Nodes that the user takes for untestable: they stay in FP32 in every trial of a search."""
        return frozenset(self.session.skips.nodes)

    def exposing(self, nodes: Iterable[str]) -> tuple[Intervention, ...]:
        """Interventions under which exactly `nodes` work in low precision and all other nodes in FP32.

        Those that the user skips are among the others.
        """
        if self.low is None:
            raise ValueError("the case has no low precision")
        exposed = set(nodes) - self.skipped
        pinned = tuple(n for n in self.items if n not in exposed)
        force = ForcePrecision(self.low)
        return (force, PinPrecision(pinned)) if pinned else (force,)

    def low_job(self, nodes: Collection[str], fast: bool) -> Job:
        """A trial with exactly `nodes` in low precision, all others pinned."""
        ordered = [n for n in self.items if n in nodes]
        purpose = f"{len(ordered)} of {len(self.items)} nodes in {self.low}"
        return self.candidate_job(purpose, self.exposing(ordered), fast=fast)

    # reference tensors ------------------------------------------------------------------------------------

    def reference(self, names: Iterable[str], sample: str | None = None) -> dict[str, Tensor]:
        """Tensors of the reference for a sample (default: the first).

        Raises:
            UserError: the reference cannot run the model on these inputs.
        """
        wanted = tuple(names)
        where = sample or self.case.samples[0]
        self.need_reference(wanted, where)
        return {n: self.session.tensors.get(where, TensorRef(n)) for n in wanted}

    def need_reference(self, names: Iterable[str], sample: str | None = None) -> None:
        """Has the reference record what it has not yet; with what indices were chosen from. Raises as `reference`."""
        where = sample or self.case.samples[0]
        wanted = self._with_chosen_from(names)
        missing = [n for n in wanted if not self.session.tensors.has(where, TensorRef(n))]
        if missing:
            self.record(missing)

    def record(self, outputs: Iterable[str] | None = None) -> Outcome:
        """Runs the reference and keeps its outputs. Raises `UserError` where it cannot run."""
        outcome = self.session.run(self.reference_job(outputs))
        if outcome.status == "untestable":
            raise UserError(
                f"the reference {self.case.reference} cannot run {Path(self.case.model).name}: {outcome.reason}",
                _advice(outcome),
            )
        return outcome
