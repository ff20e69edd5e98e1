"""Builds by the backend's own code what it is told on stdin, where `tensorrt` is TensorRT-RTX. Prints JSON.

Runs by itself. Each line of stdin is a `Job`; each line of stdout a `Built`. The engine is serialized and thrown away:
to load it takes a GPU, so Polygraphy's loader is replaced by one that only weighs it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trtdebug.backends.base import BuildRequest
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import (
    BanTactic,
    ForcePrecision,
    Intervention,
    Knob,
    MarkOutputs,
    PinPrecision,
    Precision,
)


@dataclass(frozen=True)
class Job:
    """What to build: a model file with named nodes, and interventions.

    Attributes:
        pins: precision by node.
        shapes: of dynamic inputs.
        bans: tactic by engine layer.
    """

    model: str
    precision: Precision = "fp32"
    force: bool = False
    pins: dict[str, Precision] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    knobs: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    bans: dict[str, str] = field(default_factory=dict)

    def request(self) -> BuildRequest:
        interventions: list[Intervention] = [
            PinPrecision((node,), dtype) for node, dtype in self.pins.items()
        ]
        interventions += [Knob(name, value) for name, value in self.knobs.items()]
        interventions += [BanTactic(layer, tactic) for layer, tactic in self.bans.items()]
        if self.force and self.precision in ("fp16", "bf16"):
            interventions.append(ForcePrecision(self.precision))
        if self.marks:
            interventions.append(MarkOutputs(tuple(self.marks)))
        profiles = {name: Profile(tuple(s), tuple(s), tuple(s)) for name, s in self.shapes.items()}
        model = Path(self.model)
        return BuildRequest(
            model, BuildOptions(self.precision), model.parent, tuple(interventions), profiles=profiles
        )


@dataclass(frozen=True)
class Built:
    """What came of it.

    Attributes:
        size: bytes of the serialized engine; 0 = none was built.
        types: members of trt.DataType of what the network layers of a node give, by node.
        outputs: names of the network's outputs.
        failure, node: the BuildFailure's message, and the node that it blames.
    """

    size: int = 0
    types: dict[str, list[str]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    failure: str = ""
    node: str | None = None


class _Serialized(Exception):
    """The engine is there; carries its size in bytes."""


def build(job: Job) -> Built:
    """Goes the backend's way, up to the serialized engine."""
    from trtdebug.backends.tensorrt import build, layers

    types: dict[str, list[str]] = {}
    outputs: list[str] = []

    def read_layers(network: Any, *arguments: Any, **options: Any) -> tuple[layers.LayerFacts, ...]:
        found = layers.read_layers(network, *arguments, **options)
        owners = layers.owners(found, _nodes(Path(job.model)))
        for layer in found:
            if layer.index in owners:
                types.setdefault(owners[layer.index], []).extend(t.dtype for t in layer.outputs)
        outputs[:] = [network.get_output(i).name for i in range(network.num_outputs)]
        return found

    build.read_layers = read_layers
    try:
        build.build_engine(job.request())
    except _Serialized as done:
        return Built(done.args[0], types, tuple(outputs))
    except BuildFailure as failure:
        return Built(types=types, outputs=tuple(outputs), failure=failure.message, node=failure.node)
    raise AssertionError("an engine was loaded, which this script was to prevent")


def _nodes(model: Path) -> set[str]:
    import onnx

    return {node.name for node in onnx.load(model, load_external_data=False).graph.node}


def _weigh(serialised: Any) -> None:
    raise _Serialized(len(bytes(serialised)))


if __name__ == "__main__":
    import polygraphy.backend.trt

    polygraphy.backend.trt.engine_from_bytes = _weigh
    for line in sys.stdin:
        print(json.dumps(asdict(build(Job(**json.loads(line))))), flush=True)
