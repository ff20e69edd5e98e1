"""An extension: the emulator, slow, deadly or refusing on demand; and a model that keeps it busy."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.build_error import BuildError
from trtdebug.core.errors import BuildFailure
from trtdebug.graph.load import load_model
from trtdebug.plugins.spec import hookimpl

SECONDS, LETHAL, REFUSED = "SLOW_SECONDS", "SLOW_LETHAL", "SLOW_REFUSED"
"""Environment: what a build takes; a file that, as long as it is there, lets one build kill its process (and goes);
nodes that are not built together."""
_WIDTH = 16


def install(folder: Path) -> dict[str, str]:
    """Environment in which `--candidate slow` is there."""
    info = folder / "trtdebug_slow-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\nslow = slow_backend\n")
    return environment(folder)


def environment(folder: Path) -> dict[str, str]:
    """Environment in which what was installed into this folder is there."""
    return {
        "PYTHONPATH": os.pathsep.join((str(folder), str(Path(__file__).parent))),
        "TRTDEBUG_LOAD_PLUGINS": "trtdebug-slow",
    }


class SlowBackend(EmulatorBackend):
    name = "slow"
    stands_in = False

    def build(self, request: BuildRequest) -> Engine:
        lethal = Path(os.environ.get(LETHAL, "/nowhere"))
        if lethal.is_file():
            lethal.unlink(missing_ok=True)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(os.environ.get(SECONDS, "0")))
        refused = set(os.environ.get(REFUSED, "").split())
        if refused and refused <= {node.name for node in load_model(request.model).graph.node}:
            said = "Could not find any implementation for node {ForeignNode[a...z]}."
            raise BuildFailure(said, errors=(BuildError("build", said),))
        return super().build(request)


@hookimpl
def trtdebug_backends() -> Iterable[SlowBackend]:
    return (SlowBackend(),)


def redundant(blocks: int, faults: int, seed: int = 0) -> tuple[onnx.ModelProto, frozenset[frozenset[str]]]:
    """A chain of blocks, and the pairs of nodes in it that are wrong together, and harmless one by one.

    As in samples/interacting_pair.py: two branches rescale by 1e-8, which FP16 reads as 0, and Max takes the larger. So
    no look at single nodes convicts them: a search has to.
    """
    rng = np.random.default_rng(seed)
    faulty = set(rng.choice(blocks, faults, replace=False).tolist())
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def op(kind: str, name: str, *inputs: str | np.ndarray | float) -> str:
        read = []
        for place, value in enumerate(inputs):
            if not isinstance(value, str):
                weights.append(numpy_helper.from_array(np.asarray(value, np.float32), f"{name}.{place}"))
            read.append(value if isinstance(value, str) else f"{name}.{place}")
        nodes.append(helper.make_node(kind, read, [name], name))
        return name

    x = "x"
    for block in range(blocks):
        x = op("MatMul", f"b{block}_turn", x, np.linalg.qr(rng.standard_normal((_WIDTH, _WIDTH)))[0])
        x = op("Add", f"b{block}_shift", x, rng.standard_normal(_WIDTH) * 0.1)
        if block not in faulty:
            continue
        gate = op("Sigmoid", f"b{block}_gate", x)
        large = op("Add", f"b{block}_large", op("Mul", f"b{block}_spread", gate, 2e4), 2e4)
        sides = [
            op("Mul", f"b{block}_{side}_scale", op("Mul", f"b{block}_{side}", large, 1e-8), 3333.0)
            for side in ("left", "right")
        ]
        x = op("Mul", f"b{block}_gated", x, op("Max", f"b{block}_best", *sides))
    values = [helper.make_tensor_value_info(t, TensorProto.FLOAT, [4, _WIDTH]) for t in ("x", x)]
    graph = helper.make_graph(nodes, "redundant", values[:1], values[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model, frozenset(frozenset((f"b{b}_left", f"b{b}_right")) for b in faulty)
