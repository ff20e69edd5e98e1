"""In the place of the cause: nothing is at fault, and nodes only round, or amplify rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnoses import CASE, full, plain

from trtdebug.core.diagnosis import Culprit, Diagnosis, Fix
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Knob, PinPrecision
from trtdebug.report.build import build_report
from trtdebug.report.html.render import render_html
from trtdebug.report.markdown import render_markdown
from trtdebug.report.no_cause import no_cause, no_repro
from trtdebug.report.text import render_text


def ill(*nodes: str, fixes: tuple[Fix, ...] = ()) -> Diagnosis:
    found = tuple(Finding("ill-conditioned", "warning", f"{n} is so", n, "") for n in nodes)
    return replace(plain("diverges"), findings=found, fixes=fixes)


PINS = Fix("pin-precision", "pin 2", (PinPrecision(("add", "sub")),), True, (1, 1))


def line(diagnosis: Diagnosis) -> str:
    return no_cause(build_report(CASE, diagnosis), str)


def test_pins_that_help_show_that_nothing_else_is_at_fault() -> None:
    expected = "none of the kernels: sub is ill-conditioned (see findings); pinning 2 nodes helps"
    assert line(ill("sub", fixes=(PINS,))) == expected


@pytest.mark.parametrize(
    "fix",
    [replace(PINS, verified=False), replace(PINS, interventions=(Knob("tf32", "off"),))],
    ids=["not verified", "no pins"],
)
def test_without_such_pins_less_is_known(fix: Fix) -> None:
    expected = "no kernel is known to be at fault: sub is ill-conditioned (see findings)"
    assert line(ill("sub", fixes=(fix,))) == line(ill("sub")) == expected


def test_of_many_the_first_are_named() -> None:
    assert "a, b, c and 2 more are ill-conditioned" in line(ill(*"abcde"))


def rounds(*ids: str) -> Diagnosis:
    found = tuple(
        Finding(id, "warning", "so much", "y" if id.startswith("tolerance") else None) for id in ids
    )
    return replace(plain("diverges"), findings=found)


def test_nodes_that_only_round_are_no_cause() -> None:
    expected = "no kernel is known to be at fault: nodes that only round break the tolerance (see findings)"
    assert line(rounds("only-rounding")) == expected
    assert no_repro(build_report(CASE, rounds("only-rounding"))).endswith("no fault to show, only rounding")


def test_a_tolerance_below_one_rounding_is_reason_enough() -> None:
    expected = "no kernel is known to be at fault: the tolerance lies below one rounding (see findings)"
    assert line(rounds("tolerance-below-rounding")) == expected
    assert line(rounds("only-rounding", "tolerance-below-rounding")) == expected


def test_beside_ill_conditioned_nodes_both_are_said() -> None:
    both = replace(ill("sub"), findings=ill("sub").findings + rounds("only-rounding").findings)
    assert "sub is ill-conditioned, and nodes that only round break the tolerance (see findings)" in line(
        both
    )


def test_where_something_else_is_said_it_stays_silent() -> None:
    undecided = Culprit(("x",), "precision", "not told apart", proven=False)
    for diagnosis in (plain(), plain("diverges"), full(), replace(ill("sub"), culprits=(undecided,))):
        assert line(diagnosis) == ""


def test_all_formats_for_people_say_it_and_why_there_is_no_repro() -> None:
    report = build_report(CASE, ill("sub", fixes=(PINS,)))
    assert report["culprits"] == []
    for render in (render_text, render_markdown, render_html):
        text = render(report)
        assert "one of the kernels: " in text
        assert "ill-conditioned (see findings); pinning 2 nodes helps" in text
        assert "here is no fault to show, only rounding that is amplified" in text
    assert "cause: none of the kernels: sub is" in render_text(report)
