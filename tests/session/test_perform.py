"""One job: build, run, compare."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_backend import FakeBackend, job, store_samples

from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure, NotHonoured, UserError
from trtdebug.core.intervention import MarkOutputs, PinPrecision, ReplaceGraph
from trtdebug.core.jsonable import dumps, loads
from trtdebug.core.outcome import EngineInfo, Outcome, Signature
from trtdebug.session.job import TensorRef, Turn
from trtdebug.session.measuring import Metrics
from trtdebug.session.perform import perform
from trtdebug.session.tensors import TensorStore

X = np.array([1, 2, 3], np.float32)


@pytest.fixture
def folder(tmp_path):
    """A session with one sample: x, and y = x + 1."""
    store_samples(tmp_path, {"0": {"x": X, "y": X + 1}})
    return tmp_path


def raising(error):
    def raise_it(*_):
        raise error

    return raise_it


def test_what_agrees_passes(folder):
    backend = FakeBackend()
    outcome = perform(job(), backend, folder)
    assert (outcome.status, outcome.signature, outcome.reason) == ("pass", None, "")
    assert [(e.tensor, e.status, e.rms_rel) for e in outcome.tensors] == [("y", "pass", 0.0)]
    assert outcome.engine == EngineInfo("fake", "1")
    assert outcome.build_seconds >= 0
    assert [e.closed for e in backend.engines] == [1]


def test_what_differs_fails_with_its_signature(folder):
    outcome = perform(job(), FakeBackend(lambda feeds: {"y": feeds["x"] * np.nan}), folder)
    assert (outcome.status, outcome.signature) == ("fail", Signature("nonfinite", ("y",)))
    assert outcome.reason.startswith("y: 3 of 3 elements")


def test_an_output_that_the_candidate_lacks_is_a_failure(folder):
    outcome = perform(job(), FakeBackend(lambda feeds: {}), folder)
    assert (outcome.status, outcome.signature) == ("fail", Signature("missing-output", ("y",)))


def test_an_output_that_the_reference_lacks_is_a_failure(folder):
    both = FakeBackend(lambda feeds: {"y": feeds["x"] + 1, "z": feeds["x"]})
    outcome = perform(job(), both, folder)
    assert (outcome.status, outcome.signature) == ("fail", Signature("missing-output", ("z",)))
    assert outcome.reason == "z: the reference has no such output"


def test_outputs_that_were_asked_for_are_no_surplus(folder):
    both = FakeBackend(lambda feeds: {"y": feeds["x"] + 1, "z": feeds["x"]})
    assert perform(job(outputs=("y", "z")), both, folder).status == "pass"
    assert perform(job(interventions=(MarkOutputs(("z",)),)), both, folder).status == "pass"


def test_nothing_expected_and_nothing_there_says_nothing(folder):
    assert perform(job(expected={}), FakeBackend(lambda feeds: {}), folder).status == "untestable"


def test_a_run_that_compares_nothing_passes_when_it_runs(folder):
    """The reference's own."""
    outcome = perform(
        job(expected=None, keep="all", record=True), FakeBackend(lambda f: {"z": f["x"]}), folder
    )
    assert (outcome.status, outcome.tensors) == ("pass", ())
    np.testing.assert_array_equal(TensorStore(folder / "tensors").get("0", TensorRef("z")), X)


def test_a_build_failure_is_untestable_and_names_the_node(folder):
    backend = FakeBackend(on_build=raising(BuildFailure("no kernel", "Try FP32.", node="conv")))
    outcome = perform(job(), backend, folder)
    assert (outcome.status, outcome.signature) == ("untestable", Signature("build-failure"))
    assert (outcome.reason, outcome.node) == ("no kernel. Try FP32.", "conv")


def test_refused_feeds_are_untestable_and_the_engine_is_freed(folder):
    backend = FakeBackend(raising(BuildFailure("shape not in the profile")))
    outcome = perform(job(), backend, folder)
    assert (outcome.status, outcome.signature) == ("untestable", Signature("build-failure"))
    assert outcome.engine == EngineInfo("fake", "1")
    assert [e.closed for e in backend.engines] == [1]


def test_a_model_that_is_gone_is_untestable(folder):
    outcome = perform(job(), FakeBackend(on_build=raising(UserError("There is no file m.onnx."))), folder)
    assert (outcome.status, outcome.reason) == ("untestable", "There is no file m.onnx.")


def test_a_pin_that_the_engine_did_not_honour_is_untestable_even_if_all_agrees(folder):
    info = EngineInfo("fake", "1", refused=("softmax",))
    backend = FakeBackend(engine_info=info)
    outcome = perform(job(interventions=(PinPrecision(("softmax",)),)), backend, folder)
    assert (outcome.status, outcome.signature, outcome.engine) == ("untestable", None, info)
    assert "'softmax'" in outcome.reason
    assert [(e.runs, e.closed) for e in backend.engines] == [(0, 1)]


def test_a_backend_may_also_say_so_itself(folder):
    outcome = perform(job(), FakeBackend(on_build=raising(NotHonoured("softmax stays FP16"))), folder)
    assert (outcome.status, outcome.signature, outcome.reason) == ("untestable", None, "softmax stays FP16")


def test_any_other_error_is_not_hidden(folder):
    backend = FakeBackend(raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        perform(job(), backend, folder)
    assert [e.closed for e in backend.engines] == [1]


# samples --------------------------------------------------------------------------------------------------


@pytest.fixture
def two_samples(folder):
    store_samples(folder, {"1": {"x": 10 * X, "y": 10 * X + 1}})
    return folder


def off_in(sample_scale):
    """Wrong by 10 % where x is that of one sample."""
    return FakeBackend(lambda f: {"y": (f["x"] + 1) * (1.1 if f["x"][0] == sample_scale else 1)})


@pytest.mark.parametrize("scale", [1, 10])
def test_the_worst_sample_counts(two_samples, scale):
    outcome = perform(job(samples=("0", "1")), off_in(scale), two_samples)
    assert outcome.status == "fail"
    assert [e.rms_rel for e in outcome.tensors] == [pytest.approx(0.1)]
    assert outcome.reason.endswith(f"(sample {1 if scale == 1 else 2} of 2)")


def test_one_build_runs_all_samples(two_samples):
    backend = FakeBackend()
    assert perform(job(samples=("0", "1")), backend, two_samples).status == "pass"
    assert [e.runs for e in backend.engines] == [2]


def test_failing_tensors_are_kept_under_the_trial(two_samples):
    asked = job(samples=("0", "1"), keep="failing")
    perform(asked, off_in(10), two_samples)
    store, ref = TensorStore(two_samples / "tensors"), TensorRef("y", asked.sha256)
    assert store.has("0", ref)  # it fails in one sample, so it is wanted of all
    np.testing.assert_allclose(store.get("1", ref), (10 * X + 1) * 1.1, rtol=1e-6)
    np.testing.assert_array_equal(store.get("1", TensorRef("y")), 10 * X + 1)  # the reference's stays


# metrics --------------------------------------------------------------------------------------------------


def test_metrics_stand_beside_the_verdict(folder):
    outcome = perform(job(), FakeBackend(), folder, Metrics({"mean": lambda r, c: float(np.mean(c - r))}))
    assert outcome.tensors[0].extra["mean"] == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32(2)])
def test_a_metric_may_be_any_number(folder, value):
    outcome = perform(job(), FakeBackend(), folder, Metrics({"odd": lambda r, c: value}))
    again = loads(dumps(outcome), Outcome)
    assert dumps(again) == dumps(outcome)
    assert repr(again.tensors[0].extra["odd"]) == repr(float(value))


def test_a_metric_that_raises_costs_no_trial(folder, capfd):
    outcome = perform(
        job(),
        FakeBackend(),
        folder,
        Metrics({"broken": raising(ZeroDivisionError("oh")), "one": lambda *_: 1}),
    )
    assert outcome.status == "pass"
    assert outcome.tensors[0].extra["one"] == 1.0
    assert math.isnan(outcome.tensors[0].extra["broken"])
    assert "ZeroDivisionError: oh" in capfd.readouterr().err


def test_metrics_see_float_tensors_of_equal_shape_only(folder):
    store_samples(folder, {"0": {"x": X, "y": np.array([1, 2, 3])}})
    metrics = Metrics({"never": raising(AssertionError)})
    integers = perform(job(), FakeBackend(lambda f: {"y": np.array([1, 2, 3])}), folder, metrics)
    assert (integers.status, integers.tensors[0].extra) == ("pass", {})
    shorter = perform(job(), FakeBackend(lambda f: {"y": X[:2]}), folder, metrics)
    assert (shorter.signature, shorter.tensors[0].extra) == (Signature("shape", ("y",)), {})


# what the backend is asked ----------------------------------------------------------------------------------


def test_profiles_span_the_samples_where_the_user_gives_none(folder):
    store_samples(folder, {"1": {"x": np.zeros(7, np.float32), "y": np.ones(7, np.float32)}})
    backend = FakeBackend()
    perform(job(samples=("0", "1")), backend, folder)
    assert backend.requests[0].profiles == {"x": Profile((3,), (3,), (7,))}


def test_the_users_profile_wins(folder):
    own = {"x": Profile((1,), (4,), (9,))}
    backend = FakeBackend()
    perform(job(options=BuildOptions(profiles=own)), backend, folder)
    assert backend.requests[0].profiles == own


def test_values_of_short_integer_inputs_span_the_samples(folder):
    """They may hold shapes, whose values TensorRT has to know when it builds."""
    for sample, target, ids in (("0", [4, 3], [1, 2, 3]), ("1", [2, 6], [1, 2])):
        store_samples(folder, {sample: {"x": X, "y": X + 1, "t": np.int64(target), "ids": np.int64(ids)}})
    backend, names = FakeBackend(), ("x", "t", "ids")
    perform(job(samples=("0", "1"), feeds={n: TensorRef(n) for n in names}), backend, folder)
    assert backend.requests[0].values == {"t": Profile((2, 3), (4, 3), (4, 6))}
    perform(job(samples=("0",), feeds={"t": TensorRef("t"), "x": TensorRef("x")}), backend, folder)
    assert backend.requests[1].values == {"t": Profile((4, 3), (4, 3), (4, 3))}


def test_search_builds_are_cheap_and_others_are_the_users(folder):
    backend = FakeBackend()
    perform(job(), backend, folder)
    perform(job(fast=True), backend, folder)
    own, cheap = backend.requests
    assert (own.options.optimization_level, own.timing_cache) == (None, None)
    assert cheap.options == replace(own.options, optimization_level=0)
    assert cheap.timing_cache is not None
    assert own.workdir.is_dir()


def test_what_cannot_be_an_output_of_the_engine_is_not_compared(folder):
    backend = FakeBackend(engine_info=EngineInfo("fake", "1", unmarked=("shape",)))
    asked = job(expected={"y": TensorRef("y"), "shape": TensorRef("y")}, outputs=("y", "shape"))
    outcome = perform(asked, backend, folder)
    assert [(e.tensor, e.status) for e in outcome.tensors] == [("y", "pass")]
    lost = perform(asked, FakeBackend(), folder)
    assert lost.signature == Signature("missing-output", ("shape",))


def test_a_replaced_graph_is_built_instead(folder):
    backend, pin = FakeBackend(), PinPrecision(("a",))
    perform(job(interventions=(ReplaceGraph("/other.onnx", "22"), pin)), backend, folder)
    assert str(backend.requests[0].model) == "/other.onnx"
    assert backend.requests[0].interventions == (pin,)


def test_an_engine_run_in_turns_gives_each_turn_its_own_names(folder):
    store_samples(folder, {"0": {"a": X * 2, "b": X * 2 + 1, "c": X * 3, "d": X * 3}})
    turns = (
        Turn({"x": TensorRef("a")}, {"y": "second"}),
        Turn({"x": TensorRef("c")}, {"y": "third"}),
        Turn({"x": TensorRef("c")}, {"another": "nothing"}),  # y is not looked at
    )
    expected = {"y": TensorRef("y"), "second": TensorRef("b"), "third": TensorRef("d")}
    asked = job(turns=turns, expected=expected, keep="failing")
    backend = FakeBackend()
    outcome = perform(asked, backend, folder)
    assert {e.tensor: e.status for e in outcome.tensors} == {"y": "pass", "second": "pass", "third": "fail"}
    assert len(backend.engines) == 1
    store = TensorStore(folder / "tensors")
    np.testing.assert_array_equal(store.get("0", TensorRef("third", asked.sha256)), X * 3 + 1)
    assert not store.has("0", TensorRef("second", asked.sha256))


def test_an_output_that_a_turn_does_not_give_is_missing(folder):
    turns = (Turn({}, {"z": "second"}),)
    expected = {"y": TensorRef("y"), "second": TensorRef("y")}
    outcome = perform(job(turns=turns, expected=expected), FakeBackend(), folder)
    assert outcome.signature == Signature("missing-output", ("second",))


def test_profiles_hold_what_is_fed_in_all_turns(folder):
    store_samples(folder, {"0": {"longer": np.ones(7, np.float32)}})
    backend = FakeBackend()
    asked = job(turns=(Turn({"x": TensorRef("longer")}, {"y": "second"}),))
    perform(asked, backend, folder)
    assert backend.requests[0].profiles == {"x": Profile((3,), (3,), (7,))}
