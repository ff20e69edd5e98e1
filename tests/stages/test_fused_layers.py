"""A search over an engine whose layers compute several nodes, to which the builder gives one precision or more."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from contexts import context
from fusing_backend import FusingBackend, fused

from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.stages.context import Context
from trtdebug.stages.fixing.minimise import minimal_pins
from trtdebug.stages.localising.atoms import fused_layers
from trtdebug.stages.localising.localise import Located, localise
from trtdebug.stages.observing.observe import Observation
from trtdebug.stages.verdicts.sanity import sanity, with_forced

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "gpu"))
import multi_gpu

UPS = {"f1_up", "f3_up"}
DOWNS = {"f1_down", "f3_down"}
LAYERS = {("f1_down", "f1_relu"), ("f3_down", "f3_relu")}


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    """Residual blocks, behind two of which one convolution overflows FP16 and the next one, with a ReLU, reads it."""
    made, planted = multi_gpu.network(blocks=4, culprits=4, width=8, size=8, fault="conv")
    assert planted == UPS | DOWNS
    assert set(fused(made)) >= LAYERS
    return made


def fusing(folder: Path, model: onnx.ModelProto, backend: FusingBackend) -> Context:
    plugins = PluginManager.load(builtins=[*BUILTINS, backend], third_party=False)
    image = np.random.default_rng(1).standard_normal((1, 3, 8, 8))
    return context(folder, model, "fusing", plugins, builds=0, image=image)


def search(ctx: Context) -> tuple[Located, set[str], tuple[int, int]]:
    """What was found, the smallest set of pins, and trials for either; without a look at nodes by themselves."""
    sane = with_forced(ctx, sanity(ctx))
    assert sane.forced is not None
    assert sane.forced.signature is not None
    started = ctx.session.counts.total
    found = localise(
        ctx, sane.forced.signature, Observation({}, {}), sane.fast, layers=fused_layers(sane.forced.engine)
    )
    located = ctx.session.counts.total
    smallest = minimal_pins(ctx, sane.forced.signature, found)
    assert smallest is not None
    assert not smallest.untested
    return found, set(smallest.pins), (located - started, ctx.session.counts.total - located)


def test_a_layer_with_one_precision_is_named_and_pinned_as_a_whole(
    tmp_path: Path, model: onnx.ModelProto
) -> None:
    ctx = fusing(tmp_path, model, FusingBackend())
    found, pins, (localising, minimising) = search(ctx)
    assert {c.nodes for c in found.culprits} == {(up,) for up in UPS} | LAYERS
    assert all(c.proven for c in found.culprits)
    assert set(found.inseparable) == LAYERS
    assert (
        "one layer of the engine computes them"
        in next(c for c in found.culprits if c.nodes in LAYERS).evidence
    )
    assert pins == {*UPS, *(node for layer in LAYERS for node in layer)}
    assert not found.unknown
    assert ctx.session.counts.untestable == 2  # the nodes of one layer at fault, and no mixture else
    assert localising <= 20
    assert minimising == 0


def test_nodes_of_a_layer_that_can_have_different_precisions_are_told_apart(
    tmp_path: Path, model: onnx.ModelProto
) -> None:
    ctx = fusing(tmp_path, model, FusingBackend(mixes=True))
    found, pins, (localising, minimising) = search(ctx)
    assert {c.nodes for c in found.culprits} == {(node,) for node in UPS | DOWNS}
    assert found.inseparable == ()
    assert pins == UPS | DOWNS
    assert localising <= 24
    assert 0 < minimising <= 4  # the two ReLUs need no pin


def test_a_convicted_node_stands_for_its_layer(tmp_path: Path, model: onnx.ModelProto) -> None:
    from trtdebug.stages.observing.observe import observe

    ctx = fusing(tmp_path, model, FusingBackend())
    sane = with_forced(ctx, sanity(ctx))
    assert sane.forced is not None
    assert sane.forced.signature is not None
    layers = fused_layers(sane.forced.engine)
    found = localise(ctx, sane.forced.signature, observe(ctx), sane.fast, layers=layers)
    assert {c.nodes for c in found.culprits} == {(node,) for node in UPS | DOWNS}
    assert found.pins is not None
    assert {*found.pins} == {*UPS, *(node for layer in LAYERS for node in layer)}
