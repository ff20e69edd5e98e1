"""Many nodes substituted, one by one, in one model of the reference: what each of them alone would say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from contexts import context
from planted_graphs import BrokenKernels, planted_graph

from trtdebug.core.outcome import Outcome
from trtdebug.graph.replaceable import Replaceable, replaceable
from trtdebug.plugins.builtin import BUILTINS, load_plugins
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.session.job import Job
from trtdebug.stages.context import Context
from trtdebug.stages.observing import substitute_each as stage
from trtdebug.stages.observing.observe import LocalError, observe
from trtdebug.stages.observing.substitute import substitute
from trtdebug.stages.observing.substitute_each import substitute_each

ROWS = np.random.default_rng(2).standard_normal((4, 16)).astype(np.float32)
ROOTS = """<ir_version: 8, opset_import: ["" : 13]> g (float[4, 16] x) => (float[4, 16] z, float[4, 1] m2)
    <float up = {500}, float down = {0.002}> {
    l1 = Mul(x, up) s1 = Mul(l1, l1) m1 = ReduceMean <axes = [-1], keepdims = 1> (s1) q1 = Sqrt(m1) y1 = Div(l1, q1)
    l2 = Mul(y1, up) s2 = Mul(l2, l2) m2 = ReduceMean <axes = [-1], keepdims = 1> (s2)
    q2 = Sqrt(m2) y2 = Div(l2, q2) z = Mul(y2, down) }"""


def roots(folder: Path, text: str = ROOTS) -> Context:
    """Two blocks that take the root of a mean of squares, which overflow; a mean is an output too."""
    model = onnx.parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.output[0]
    return context(folder, model, "emulator", load_plugins(third_party=False), x=ROWS)


def jobs_of(ctx: Context) -> list[Job]:
    jobs: list[Job] = []
    ctx.session.listeners.append(lambda job, outcome, cached: job.record or jobs.append(job))
    return jobs


def content(outcome: Outcome) -> Outcome:
    return replace(outcome, trial="", build_seconds=0.0, run_seconds=0.0, engine=None)


def check(ctx: Context, suspects: tuple[LocalError, ...]) -> list[Job]:
    """Compares with `substitute`; gives the jobs that it took."""
    jobs = jobs_of(ctx)
    found = substitute_each(ctx, suspects)
    taken = list(jobs)
    assert list(found) == [s.node for s in suspects]
    for suspect in suspects:
        assert content(found[suspect.node]) == content(substitute(ctx, suspect))
    return taken


def test_all_that_is_no_output_takes_one_job(tmp_path: Path) -> None:
    ctx = roots(tmp_path)
    suspects = observe(ctx).suspects
    assert [s.node for s in suspects] == ["s1", "m1", "q1", "s2", "m2", "q2"]
    [job] = check(ctx, suspects)
    assert (
        job.purpose == "reference with 5 nodes substituted, one by one"
    )  # m2 is an output: it speaks for itself
    assert len(job.turns) == 5


def test_a_single_suspect_takes_the_model_behind_it_only(tmp_path: Path) -> None:
    ctx = roots(tmp_path)
    [job] = check(ctx, observe(ctx, ["s1"]).suspects)
    assert job.purpose == "reference with s1 substituted"


def test_a_job_takes_no_longer_than_a_trial_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = roots(tmp_path)
    suspects = observe(ctx).suspects
    monkeypatch.setattr(Context, "record", lambda self: Outcome("pass", run_seconds=8.0))
    assert [len(job.turns) for job in check(ctx, suspects)] == [2, 2, 0]


def test_before_opset_9_each_takes_a_job_of_its_own(tmp_path: Path) -> None:
    ctx = roots(tmp_path, ROOTS.replace("13", "8"))
    suspects = observe(ctx).suspects
    assert len(check(ctx, suspects)) == len(suspects) - 1 > 1


def test_where_the_reference_does_not_run_that_model_each_takes_a_job_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = roots(tmp_path)
    suspects = observe(ctx).suspects
    monkeypatch.setattr(stage, "replaceable", _with_an_unknown_operator)
    jobs = check(ctx, suspects)
    assert [j.turns != () for j in jobs] == [True] + [False] * 5


def _with_an_unknown_operator(*asked: Any) -> Replaceable:
    made = replaceable(*asked)
    made.model.graph.node[-1].op_type = "Nowhere"
    return made


@pytest.mark.parametrize("seed", range(6))
def test_planted_graphs(seed: int, tmp_path: Path) -> None:
    planted = planted_graph(seed, 40, 4)
    plugins = PluginManager.load(builtins=[*BUILTINS, _Broken(planted.wrong)], third_party=False)
    x = np.random.default_rng(1).standard_normal((4, 16))
    ctx = context(tmp_path, planted.model, BrokenKernels.name, plugins, x=x)
    suspects = observe(ctx).suspects
    assert len(suspects) > 1
    assert sum(bool(job.turns) for job in check(ctx, suspects)) == 1


class _Broken(BrokenKernels):
    @hookimpl
    def trtdebug_backends(self) -> list[BrokenKernels]:
        return [self]
