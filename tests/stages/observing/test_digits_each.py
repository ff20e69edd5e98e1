"""Lost digits of many nodes, one by one, in two jobs: what each of them alone would say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from contexts import context
from planted_graphs import planted_graph
from rounding_stacks import stack

from trtdebug.core.outcome import Outcome
from trtdebug.plugins.builtin import load_plugins
from trtdebug.stages.context import Context
from trtdebug.stages.observing.digits import digits_lost
from trtdebug.stages.observing.digits_each import digits_lost_each


def of(model: onnx.ModelProto, folder: Path) -> Context:
    [value] = model.graph.input
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    x = np.random.default_rng(1).standard_normal(shape)
    return context(folder, model, "emulator", load_plugins(third_party=False), **{value.name: x})


def errors(outcome: Outcome) -> dict[str, tuple[float, float, int]]:
    return {e.tensor: (e.rms_rel, e.max_abs, e.nonfinite) for e in outcome.tensors}


def check(ctx: Context) -> int:
    """Compares with `digits_lost` each by itself; gives how many jobs it took for how many nodes."""
    nodes = [n for n in ctx.items if len(ctx.index.node(n).writes) == 1]
    jobs = []
    ctx.session.listeners.append(lambda job, outcome, cached: jobs.append(job))
    found = digits_lost_each(ctx, nodes, "fp16")
    taken = len([j for j in jobs if "digits" in j.purpose or "substituted" in j.purpose])
    assert list(found) == nodes
    for node in nodes:
        alone = errors(digits_lost(ctx, [node], "fp16"))
        for tensor, own in errors(found[node]).items():
            assert own == pytest.approx(alone.pop(tensor), rel=1e-3, abs=1e-9), (node, tensor)
        assert not any(any(other) for other in alone.values())  # outputs that it does not reach
    assert len(nodes) > 10
    return taken


def test_a_stack(tmp_path: Path) -> None:
    assert check(of(stack(4), tmp_path)) <= 3


@pytest.mark.parametrize("seed", range(4))
def test_planted_graphs(seed: int, tmp_path: Path) -> None:
    assert check(of(planted_graph(seed, 30, 2).model, tmp_path)) <= 4


def test_nodes_of_several_outputs_are_left_out(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]> g (float[4, 16] x) => (float[4, 8] z)
        { a = Exp(x) b, c = Split <axis = 1> (a) d = Mul(b, c) e = Sqrt(d) z = Neg(e) }"""
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.output[0]
    assert digits_lost_each(of(model, tmp_path), ["a", "b", "d"], "fp16").keys() == {"a", "d"}
