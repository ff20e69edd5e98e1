"""Trials of sets of nodes: in more builds where one says little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from contexts import context, plugins_with
from planted_graphs import planted_graph
from seldom_wrong import Moods, SeldomWrong, every

from trtdebug.stages.context import Context
from trtdebug.stages.low_trials import low_outcome, low_outcomes
from trtdebug.stages.recurrence import Recurrence

GRAPH = planted_graph(0, 24, 1)
[CULPRIT] = GRAPH.culprits


def opened(folder: Path, moods: Moods) -> Context:
    x = np.random.default_rng(1).standard_normal((4, 16))
    backend = SeldomWrong(GRAPH, moods)
    ctx = context(folder, GRAPH.model, backend.name, plugins_with(backend), x=x)
    ctx.record()
    return ctx


def test_one_build_is_taken_at_its_word_where_the_failure_always_shows(tmp_path: Path) -> None:
    ctx = opened(tmp_path, every(2, 1))
    assert low_outcome(ctx, [CULPRIT], fast=True).status == "pass"
    assert ctx.session.counts.builds == 1


def test_else_all_have_to_pass_and_the_first_that_does_not_decides(tmp_path: Path) -> None:
    ctx = opened(tmp_path, every(4, 2))
    ctx.recurrence = Recurrence(4, 8)
    healthy = [n for n in ctx.items if n != CULPRIT]
    guilty, others = low_outcomes(ctx, [[CULPRIT], healthy], fast=True)
    assert (guilty.status, others.status) == ("fail", "pass")
    assert ctx.session.counts.builds == 2 + 5


def test_what_is_tried_again_is_built_anew(tmp_path: Path) -> None:
    ctx = opened(tmp_path, every(6, 1))
    ctx.recurrence = Recurrence(4, 8)
    assert low_outcome(ctx, [CULPRIT], fast=True).status == "pass"
    assert low_outcome(ctx, [CULPRIT], fast=True).status == "pass"
    assert ctx.session.counts.builds == 5
    assert low_outcomes(ctx, [[CULPRIT]], True, again=[1])[0].status == "fail"
    assert ctx.session.counts.builds == 6
