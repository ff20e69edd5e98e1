"""What authors test with: planted faults, whole sessions, assertions."""

from __future__ import annotations

import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnx.parser
import pytest

from trtdebug.core.errors import UserError
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import (
    Check,
    ExecutorFactory,
    Finding,
    FixProposal,
    FixProposer,
    Metric,
    PinPrecision,
)
from trtdebug.session.pool import Pooled
from trtdebug.testing import (
    Fault,
    PlantedFaults,
    assert_finds,
    assert_pins,
    assert_unchanged,
    check_context,
    debugged,
    fix_context,
)

MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { a = Neg(x) b = Relu(x) y = Sub(b, a) }'
)
X = {"x": np.float32([1, 2])}


@pytest.mark.parametrize("kind", ["wrong", "nan", "inf"])
def test_a_planted_fault_is_what_is_found_and_pins_cure_it(kind):
    result = debugged(MODEL, X, PlantedFaults([Fault("node_of_b", kind)]))
    assert [c.nodes for c in result.culprits] == [("node_of_b",)]
    assert result.fix.verified
    assert result.diagnosis.candidate.backend == "planted"


def test_without_faults_all_is_well_and_samples_may_be_several(tmp_path):
    result = debugged(MODEL, [X, {"x": np.float32([3, 4])}], PlantedFaults([]), folder=tmp_path)
    assert (result.verdict, len(result.report["culprits"])) == ("matches", 0)
    assert (tmp_path / "session" / "report.json").is_file()


def test_a_fault_in_a_node_that_is_not_there():
    result = debugged(MODEL, X, PlantedFaults([Fault("nobody")]))
    assert "planted in 'nobody'" in result.reason


def plugin(**hooks):
    module = types.ModuleType("mine")
    for name, function in hooks.items():
        function.__name__ = f"trtdebug_{name}"
        setattr(module, f"trtdebug_{name}", hookimpl(function))
    return module


def pins(context):
    yield FixProposal("pin", "mine", (PinPrecision(("node_of_b",), "fp32"),), cost=0.1)


def test_a_session_uses_the_plugins():
    mine = plugin(
        checks=lambda: [Check("look", "", run=lambda c: [Finding("look", "info", "seen")])],
        fixes=lambda: [FixProposer("mine", "", propose=pins)],
        metrics=lambda: [Metric("one", "", compute=lambda r, c: 1.0)],
    )
    result = debugged(MODEL, X, PlantedFaults([Fault("node_of_b")]), plugins=[mine])
    assert result.fix.summary == "mine"
    assert "look" in [f.id for f in result.findings]


def test_a_plugin_that_raises_fails_the_test_with_its_traceback():
    def broken(context):
        raise ZeroDivisionError("here")

    mine = plugin(checks=lambda: [Check("broken", "", run=broken)])
    with pytest.raises(AssertionError, match="ZeroDivisionError: here"):
        debugged(MODEL, X, plugins=[mine], until="localise")


def test_a_sample_that_does_not_fit_is_told():
    with pytest.raises(UserError, match="'x'"):
        debugged(MODEL, {"z": np.ones(2)})


def test_assertions_show_what_was_found_instead():
    look = Check("look", "", run=lambda c: [Finding("look", "info", "seen", c.index.nodes[0].name)])
    assert_finds(look, check_context(MODEL), "node_of_a", id="look")
    with pytest.raises(AssertionError, match="look node_of_a: seen"):
        assert_finds(look, check_context(MODEL))
    fix = FixProposer("mine", "", propose=pins)
    assert_pins(fix, fix_context(MODEL, []), ["node_of_b"])
    with pytest.raises(AssertionError, match="pin: mine"):
        assert_pins(fix, fix_context(MODEL, []), ["node_of_a"])
    bad = Check("bad", "", run=lambda c: c.model.graph.node[0].ClearField("name") or ())
    with pytest.raises(AssertionError, match="bad changes the model"):
        assert_unchanged(bad, check_context(MODEL))


def test_a_session_by_an_executor_of_the_plugins():
    done = []

    def create(folder, timeout, environment):
        pool = ThreadPoolExecutor(1)
        return Pooled(pool, 1, folder, timeout, environment, close=lambda: done.append(pool.shutdown()))

    @hookimpl
    def trtdebug_executors():
        yield ExecutorFactory("threads", "each trial in a thread that waits for its worker", create=create)

    plugin = types.ModuleType("trtdebug_threads")
    plugin.trtdebug_executors = trtdebug_executors
    result = debugged(MODEL, X, plugins=[plugin], executor="threads", until="localise")
    assert (result.verdict, len(done)) == ("matches", 1)
    with pytest.raises(UserError, match="there is no executor 'threads'"):
        debugged(MODEL, X, executor="threads")
