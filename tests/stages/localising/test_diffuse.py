"""Whether rounding alone breaks the tolerance: asked of the reference first, of the candidate only where it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import open_case
from rounding_stacks import WIDTH, stack

from trtdebug.core.case import Tolerance
from trtdebug.core.outcome import Outcome
from trtdebug.stages.context import Context
from trtdebug.stages.localising.diffuse import diffuse
from trtdebug.stages.observing.observe import observe

TIGHT, LOOSE = 6e-4, 1e-2
FAULT = ("up", "down")


class Asked:
    """A candidate that computes as it does, and remembers which nodes it was asked of."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.nodes = ctx, list[tuple[str, ...]]()

    def __call__(self, nodes: tuple[str, ...]) -> Outcome:
        self.nodes.append(nodes)
        return self.ctx.session.run(self.ctx.low_job(nodes, fast=True))


def case(model: onnx.ModelProto, folder: Path, limit: float) -> Context:
    np.savez(folder / "x.npz", x=np.random.default_rng(1).standard_normal((8, WIDTH)).astype(np.float32))
    ctx = open_case(model, folder, "fp16", inputs=folder / "x.npz", tolerance=Tolerance(rms_rel=limit))
    ctx.record()
    return ctx


def test_all_that_only_round_are_given(tmp_path: Path) -> None:
    ctx = case(stack(8, "overflow", at=3), tmp_path, TIGHT)
    candidate = Asked(ctx)
    found = diffuse(ctx, FAULT, observe(ctx), candidate)
    assert found == tuple(n for n in ctx.items if n not in FAULT)
    assert candidate.nodes == [found]


def test_where_the_tolerance_allows_for_rounding_the_candidate_is_not_asked(tmp_path: Path) -> None:
    ctx = case(stack(8), tmp_path, LOOSE)
    candidate = Asked(ctx)
    assert diffuse(ctx, (), observe(ctx), candidate) == ()
    assert candidate.nodes == []


def test_beside_a_node_that_is_not_convicted_and_fails_it_is_not_known(tmp_path: Path) -> None:
    ctx = case(stack(8, "overflow", at=3), tmp_path, TIGHT)
    candidate = Asked(ctx)
    assert diffuse(ctx, (), observe(ctx), candidate) == ()
    assert set(candidate.nodes[-1]) == set(FAULT)


@pytest.mark.parametrize("convicted", [(), ("shift", "difference")])
def test_beside_an_ill_conditioned_node_it_is_not_known(convicted: tuple[str, ...], tmp_path: Path) -> None:
    ctx = case(stack(8, "cancel", at=2, big=500), tmp_path, TIGHT)
    assert diffuse(ctx, convicted, observe(ctx), Asked(ctx)) == ()


def test_where_the_candidate_passes_or_does_worse_it_is_not_known(tmp_path: Path) -> None:
    ctx = case(stack(8), tmp_path, TIGHT)
    seen = observe(ctx)
    assert diffuse(ctx, (), seen, lambda nodes: Outcome("pass")) == ()
    worse = ctx.session.run(ctx.low_job(ctx.items, fast=True))
    [error] = worse.tensors
    much = replace(worse, tensors=(replace(error, rms_rel=0.5, max_abs=5.0),))
    assert diffuse(ctx, (), seen, lambda nodes: much) == ()
