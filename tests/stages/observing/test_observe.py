"""Each node by itself: as few of them are built as compute something different."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from contexts import context

from trtdebug.backends import emulator
from trtdebug.core.outcome import EngineInfo
from trtdebug.graph.alike import Alike
from trtdebug.graph.load import load_model
from trtdebug.plugins.builtin import load_plugins
from trtdebug.stages.context import Context
from trtdebug.stages.observing import observe as stage
from trtdebug.stages.observing.observe import Observation, observe

ROWS = np.random.default_rng(2).standard_normal((4, 16)).astype(np.float32)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    """Three blocks that take the root of a mean of squares; in the second and the third the squares overflow."""
    text = """<ir_version: 8, opset_import: ["" : 13]> g (float[4, 16] x) => (float[4, 16] z)
        <float up = {500}, float down = {0.002}> {
        s1 = Mul(x, x) m1 = ReduceMean <axes = [-1], keepdims = 1> (s1) q1 = Sqrt(m1) y1 = Div(x, q1) l2 = Mul(y1, up)
        s2 = Mul(l2, l2) m2 = ReduceMean <axes = [-1], keepdims = 1> (s2) q2 = Sqrt(m2) y2 = Div(l2, q2)
        l3 = Mul(y2, up) s3 = Mul(l3, l3) m3 = ReduceMean <axes = [-1], keepdims = 1> (s3)
        q3 = Sqrt(m3) y3 = Div(l3, q3) z = Mul(y3, down) }"""
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.output[0]
    return context(tmp_path, model, "emulator", load_plugins(third_party=False), x=ROWS)


def errors(seen: Observation) -> dict[str, tuple[str, float]]:
    return {node: (local.error.tensor, local.error.rms_rel) for node, local in seen.local.items()}


def test_what_computes_the_same_is_built_once_and_observed_for_each(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = observe(ctx)
    built = load_model(ctx.session.folder / "work" / "isolated-0.onnx")
    assert [n.name for n in built.graph.node] == ["s1", "m1", "q1", "y1", "l2", "z"]
    assert {s.node for s in shared.suspects} == {"s2", "s3", "m2", "m3", "q2", "q3"}
    assert {s.node: s.built for s in shared.suspects} == {
        f"{kind}{block}": f"{kind}1" for kind in "smq" for block in (2, 3)
    }
    monkeypatch.setattr(stage, "alike", lambda isolated: Alike(isolated, ()))
    each = observe(ctx)
    assert len(load_model(ctx.session.folder / "work" / "isolated-0.onnx").graph.node) == 15
    assert errors(shared) == errors(each)
    assert not any(local.built for local in each.local.values())
    for suspect in shared.suspects:
        assert suspect.kept is not None
        assert np.isinf(ctx.session.tensors.get(ctx.case.samples[0], suspect.kept)).any()


def test_nodes_that_a_refused_one_stands_for_are_not_observed(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        emulator._EmulatedEngine, "info", lambda self: EngineInfo("emulator", "1", refused=("m1",))
    )
    seen = observe(ctx)
    assert set(seen.unobserved) == {"m1", "m2", "m3"}
    assert {s.node for s in seen.suspects} == {"s2", "s3", "q2", "q3"}
