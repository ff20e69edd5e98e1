"""Indices are compared as for the verdict, whoever compares them: another choice among near equals passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from contexts import context
from rewriting import model_of

from trtdebug.core.outcome import Outcome, Status
from trtdebug.plugins.builtin import load_plugins
from trtdebug.stages.context import Context
from trtdebug.stages.observing.digits import digits_lost
from trtdebug.stages.observing.digits_each import digits_lost_each
from trtdebug.stages.other_causes.cut_off import cut_off


def near(folder: Path, outputs: str) -> Context:
    """`i` is the index of the largest of two numbers that are one in FP16. The reference has recorded the outputs."""
    model = model_of(
        "a = Abs(x) i = ArgMax <axis = 1> (a) f = Cast <to = 1> (i) y = Neg(f)", [1, 2], outputs=outputs
    )
    ctx = context(folder, model, "emulator", load_plugins(third_party=False), x=np.array([[1.0, 1.0001]]))
    ctx.record()
    return ctx


def status(outcome: Outcome) -> Status:
    return next(e.status for e in outcome.tensors if e.tensor == "i")


def test_where_tensors_are_marked(tmp_path: Path) -> None:
    ctx = near(tmp_path, "float y")
    ctx.need_reference(["i"])
    assert status(ctx.session.run(ctx.candidate_job("marked", outputs=["i"]))) == "pass"


def test_of_a_model_that_is_cut_off_behind_them(tmp_path: Path) -> None:
    ctx = near(tmp_path, "float y")
    assert status(ctx.session.run(cut_off(ctx, "i"))) == "pass"


def test_where_digits_are_lost_node_by_node(tmp_path: Path) -> None:
    ctx = near(tmp_path, "int64 i, float y")
    nodes = [ctx.index.producer[t] for t in ("a", "i")]
    each = digits_lost_each(ctx, nodes, "fp16")
    assert [status(digits_lost(ctx, [node], "fp16")) for node in nodes] == ["pass", "pass"]
    assert [status(each[node]) for node in nodes] == ["pass", "pass"]
