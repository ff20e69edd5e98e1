"""A backend whose rows depend on their place is found out without a reference for its numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import open_case
from seed_models import model_of, node, value, weight

from trtdebug.backends.base import BuildRequest, Engine, Feeds, Tensor
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import EngineInfo
from trtdebug.session.executor import InProcess
from trtdebug.stages.context import Context
from trtdebug.stages.verdicts.sanity import sanity


class LastRowsWrong(OnnxruntimeBackend):
    """Adds 1 to the last row of every output."""

    name = "last-rows-wrong"

    def build(self, request: BuildRequest) -> Engine:
        return _Engine(super().build(request))


class _Engine:
    def __init__(self, inner: Engine) -> None:
        self.inner = inner

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        outputs = self.inner.run(feeds)
        for tensor in outputs.values():
            tensor[-1] += 1  # type: ignore[operator]
        return outputs

    def info(self) -> EngineInfo:
        return self.inner.info()

    def close(self) -> None:
        self.inner.close()


def shifted(by_row: bool) -> onnx.ModelProto:
    """x + c; with `by_row` the third row is shifted further, and rightly so."""
    shift = np.array([[0], [0], [5]], np.float32) if by_row else np.float32(1)
    return model_of(
        [node("Add", ["x", "c"], ["y"], "add")],
        [value("x", [3, 4])],
        [value("y", [3, 4])],
        [weight("c", shift)],
    )


def findings(model: onnx.ModelProto, folder: Path, wrong: bool) -> list[Finding]:
    ctx = open_case(model, folder, candidate="onnxruntime")
    if wrong:
        ctx = _broken(ctx)
    return [f for f in sanity(ctx).findings if f.id == "rows-differ"]


def _broken(ctx: Context) -> Context:
    backends = {**ctx.plugins.backends(), "last-rows-wrong": LastRowsWrong()}
    ctx.session.executor = InProcess(ctx.session.folder, backends)
    ctx.plugins.backends = lambda: backends  # type: ignore[method-assign]
    return replace(ctx, case=replace(ctx.case, candidate="last-rows-wrong"))


def test_a_candidate_that_contradicts_itself(tmp_path: Path) -> None:
    [found] = findings(shifted(False), tmp_path, wrong=True)
    assert (found.severity, found.node) == ("error", "add")


@pytest.mark.parametrize(("by_row", "wrong"), [(False, False), (True, False), (True, True)])
def test_rows_that_are_right_or_mean_something(by_row: bool, wrong: bool, tmp_path: Path) -> None:
    """Where the reference's own rows differ, nothing can be said."""
    assert findings(shifted(by_row), tmp_path, wrong) == []
