"""Dataclasses to JSON and back: nothing is lost, and what is written is strict JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pprint import pformat
from typing import get_args

import cattrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.core.case import BuildOptions, Case, Profile, Tolerance
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import (
    BanTactic,
    BreakFusion,
    ForcePrecision,
    Intervention,
    Knob,
    MarkOutputs,
    PinPrecision,
    ReplaceGraph,
    UseTactic,
)
from trtdebug.core.jsonable import digest, dumps, from_data, loads, to_data
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.oracle.tolerance import Limits
from trtdebug.session.job import Job, TensorRef

EVERY_KIND = (
    PinPrecision(("a", "b/c")),
    ForcePrecision("bf16"),
    BanTactic("conv + relu", "0x1f"),
    UseTactic("conv + relu", "*:0x1f"),
    Knob("tf32", "off"),
    MarkOutputs(("t:0",)),
    BreakFusion("t"),
    ReplaceGraph("/tmp/m.onnx", "00"),
)


def strict(text: str):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def same(a, b) -> bool:
    """Equal to the last type, NaN counting as equal to NaN; the order of keys does not matter."""
    return pformat(a) == pformat(b)


def test_every_kind_of_intervention_is_tried_below():
    assert {type(i) for i in EVERY_KIND} == set(get_args(Intervention))


@pytest.mark.parametrize("intervention", EVERY_KIND)
def test_interventions_carry_their_kind(intervention):
    data = to_data(intervention, Intervention)
    assert data["kind"] == type(intervention).__name__
    assert from_data(json.loads(json.dumps(data)), Intervention) == intervention


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ANY_FLOAT = st.floats()


@settings(max_examples=50, deadline=None)
@given(st.builds(Outcome, tensors=st.lists(st.builds(TensorError, rms_rel=ANY_FLOAT), max_size=2).map(tuple)))
def test_outcomes_come_back(outcome):
    text = dumps(outcome)
    strict(text)
    assert same(loads(text, Outcome), outcome)
    assert "\n" not in text


JOBS = st.builds(
    Job,
    options=st.builds(
        BuildOptions,
        profiles=st.dictionaries(TEXT, st.just(Profile((1,), (2, 3), ())), max_size=2),
        plugins=st.lists(TEXT, max_size=2).map(tuple),
    ),
    limits=st.builds(Limits, rms=ANY_FLOAT),
    feeds=st.dictionaries(TEXT, st.builds(TensorRef, TEXT, TEXT), max_size=2),
    interventions=st.lists(st.sampled_from(EVERY_KIND), max_size=3).map(tuple),
)


@settings(max_examples=50, deadline=None)
@given(JOBS)
def test_jobs_come_back_with_the_same_name(job):
    text = dumps(job)
    strict(text)
    back = loads(text, Job)
    assert same(back, job)
    assert back.sha256 == job.sha256


@settings(max_examples=20, deadline=None)
@given(st.builds(Diagnosis))
def test_diagnoses_come_back(diagnosis):
    assert same(loads(dumps(diagnosis, indent=2), Diagnosis), diagnosis)


@settings(max_examples=20, deadline=None)
@given(st.builds(Case, tolerance=st.builds(Tolerance, atol=st.none() | st.floats(min_value=0))))
def test_cases_come_back(case):
    assert same(loads(dumps(case), Case), case)


@pytest.mark.parametrize(("value", "text"), [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan")])
def test_what_is_not_finite_travels_as_text(value, text):
    error = TensorError("y", "fail", max_abs=value, extra={"cosine": value})
    data = strict(dumps(error))
    assert data["max_abs"] == data["extra"]["cosine"] == text
    back = loads(dumps(error), TensorError)
    assert same(back.max_abs, value)
    assert same(back.extra["cosine"], value)


def test_unknown_keys_are_left_alone():
    """A session of a later version can still be read."""
    data = to_data(Outcome("pass", tensors=(TensorError("y", "pass"),)))
    data["later"] = 1
    data["tensors"][0]["later"] = {"more": []}
    assert from_data(data, Outcome) == Outcome("pass", tensors=(TensorError("y", "pass"),))


def test_missing_keys_take_their_defaults():
    assert from_data({"status": "pass"}, Outcome) == Outcome("pass")


def test_unknown_words_are_refused():
    with pytest.raises(cattrs.BaseValidationError):
        from_data({"status": "perhaps"}, Outcome)


def test_digest_does_not_depend_on_the_order_of_keys():
    a = {"x": 1, "y": [1.5, {"b": 2, "a": 3}]}
    b = {"y": [1.5, {"a": 3, "b": 2}], "x": 1}
    assert dumps(a) == dumps(b)
    assert digest(a) == digest(b)
    assert len(digest(a)) == 64


def test_digest_of_nan_is_one_and_the_same():
    nan = TensorError("y", "fail", rms_rel=math.nan)
    assert digest(nan) == digest(replace(nan, rms_rel=math.inf - math.inf))
    assert digest(nan) != digest(replace(nan, rms_rel=math.inf))


def test_digest_is_the_same_in_every_process():
    """Names of trials outlive the process: this one must never change by accident."""
    assert digest(PinPrecision(("a",))) == "96807c0df1749ba8d24d12a24d639c5313d6f434704c1124d322be35ea1fbc0c"


def test_a_list_is_no_dataclass_whose_fields_all_have_defaults():
    with pytest.raises(ValueError, match="it holds list, not an object"):
        loads("[3]", BuildOptions)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("options", []),
        ("options", "precision"),
        ("tolerance", ""),
        ("nodes", 1.5),
        ("nodes", True),
        ("model", None),
        ("model", "\ud800"),
        ("samples", "s0"),
        ("samples", [1]),
        ("options", {"tf32": "off"}),
        ("tolerance", {"atol": "1e-3"}),
        ("tolerance", {"atol": False}),
        ("tolerance", {"atol": "nan"}),
        ("tolerance", {"outputs": {"y": {"rms_rel": -1}}}),
    ],
)
def test_nothing_is_made_of_a_value_of_another_kind(field: str, value: object) -> None:
    """By itself cattrs makes defaults of a list, True of "off" and three names of "abc"."""
    case = Case("m.onnx", "00", 1, BuildOptions(), Tolerance(), "onnxruntime", "emulator", ("s0",), "00")
    data = to_data(case) | {field: value}
    with pytest.raises((cattrs.BaseValidationError, ValueError)):
        from_data(data, Case)
