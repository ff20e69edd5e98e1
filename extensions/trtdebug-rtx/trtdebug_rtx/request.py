"""What a build request asks for: the plan that TensorRT's backend makes for strongly typed networks, and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import graph_input
from trtdebug.backends.tensorrt.graph_input import PreparedModel
from trtdebug.backends.tensorrt.plan import BuildPlan, plan_build
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import EVERY_TENSOR, BanTactic, UseTactic

VERSION = "1.7 (RTX)"
"""The oldest TensorRT-RTX that this works with; all have what TensorRT 11.1 has."""


@dataclass(frozen=True)
class Prepared:
    """A build in TensorRT-RTX's terms.

    Attributes:
        model: has the Casts and the marked tensors in it.
        outputs: tensors to return.
    """

    plan: BuildPlan
    model: PreparedModel
    outputs: tuple[str, ...]


def prepare(request: BuildRequest) -> Prepared:
    """Works out what to build.

    Raises:
        BuildFailure: an intervention or option that TensorRT-RTX does not have, or a name that is not in the model.
    """
    refuse_plugins(request)
    for intervention in request.interventions:
        if isinstance(intervention, BanTactic | UseTactic):
            raise BuildFailure(
                f"TensorRT-RTX cannot realise {intervention}.", "See the backend's `realises`."
            )
    plan = plan_build(request, VERSION)
    model = graph_input.prepare(plan)
    unwritten = [t for t in plan.marks if t not in model.index.producer and t != EVERY_TENSOR]
    if unwritten:
        raise BuildFailure(f"{unwritten[0]!r} is written by no node of the model.")
    wanted = list(model.outputs if request.outputs is None else request.outputs)
    for intervention in request.interventions:
        wanted += getattr(intervention, "tensors", ())
    return Prepared(plan, model, tuple(dict.fromkeys(wanted)))


def refuse_plugins(request: BuildRequest) -> None:
    """Raises `BuildFailure` where plugin libraries are to be loaded: what is said without them is of another model."""
    if request.options.plugins:
        raise BuildFailure("TensorRT-RTX takes no plugin libraries.", "Leave out --plugins.")
