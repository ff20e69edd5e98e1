"""The report for people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnoses import CASE, finding, full, plain
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.core.diagnosis import BackendInfo, Culprit, Fix, Latency, OutputVerdict, ReproResult
from trtdebug.core.intervention import PinPrecision
from trtdebug.core.outcome import TensorError
from trtdebug.report.build import build_report
from trtdebug.report.text import render_text


def text_of(diagnosis, case=CASE) -> str:
    return render_text(build_report(case, diagnosis))


def test_a_whole_report_reads_like_this():
    assert (
        text_of(full())
        == """\
DIVERGES: the candidate does not agree with the reference
  y: relative RMS error 1 breaks ||c - r|| / ||r|| <= 0.01

model      /models/norm.onnx (9 nodes, 2 sample(s))
candidate  tensorrt 8.6.0 on NVIDIA H200, FP16
reference  onnxruntime 1.23.2
rule       ||c - r|| / ||r|| <= 0.01
builds     1 of 2 builds, made as you make them, are wrong

first culprit
  pow_out, written by pow (Pow)
  local error 0.5, propagated error 0.5, 3 elements NaN or Inf on one side only

cause: 2 node(s)
  pow + var
      low together they fail, alone they do not

undecided among 2 node(s): mul, add
      could not be built apart

fix (verified): keep 2 nodes in FP32
  5 of 5 fresh builds pass, max |c-r| then 0.5 of max |r|, worst error 0.8 of the tolerance, 0.5 times the latency
  latency: 0.5 ms with the fix, 1 ms without it, 2 ms in FP32

repro (fails in a fresh process): /session/repro (2 node(s))

findings
  warning output-constant: message 0 of output-constant
          mitigation 0

not known
  3 nodes could not be observed

12 trials: 9 built in 20.5 s, 3 from the cache, 1 untestable
"""
    )


@pytest.mark.parametrize("verdict", ["matches", "fragile", "diverges", "untestable"])
def test_the_verdict_comes_first(verdict):
    first, *rest = text_of(plain(verdict)).splitlines()
    assert first.startswith(f"{verdict.upper()}: ")
    assert rest[-1] == "0 trials: 0 built in 0.0 s, 0 from the cache, 0 untestable"


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_numbers_that_are_not_finite(number):
    text = text_of(full(number))
    assert f"local error {number}, propagated error {number}" in text
    assert (
        f"max |c-r| then {number} of max |r|, worst error 0.8 of the tolerance, {number} times the latency"
        in text
    )


def test_what_was_not_measured_is_not_shown():
    fix = Fix(
        "pin", "pin one", (), False, (0, 1), reason="the engine ignores the pin", note="PREFER, not OBEY"
    )
    divergence = replace(full().first_divergence, local_error=None, propagated_error=None)
    text = text_of(replace(full(), first_divergence=divergence, fixes=(fix,)))
    assert "local error" not in text
    assert "\n  3 elements NaN or Inf on one side only\n" in text
    assert (
        "fix (does not hold): pin one\n  0 of 1 fresh builds pass\n  the engine ignores the pin\n  PREFER"
        in text
    )


def test_the_fix_to_take_comes_first_and_whether_one_holds_is_said_in_three_words():
    fixes = (
        Fix("pin", "pin a", (), False, (0, 1), reason="does not build", untestable=True),
        Fix("pin", "pin b", (), False, (1, 2), reason="y is wrong"),
        Fix("pin", "pin c", (), False, (1, 1), reason="no faster"),
        Fix("pin", "pin d", (), True, (2, 2)),
        Fix("pin", "pin e", (), True, (2, 2)),
    )
    text = text_of(replace(full(), fixes=fixes))
    assert [line for line in text.splitlines() if line.startswith("fix (")] == [
        "fix (verified): pin e",
        "fix (verified, slower): pin d",
        "fix (could not be tested): pin a",
        "fix (does not hold): pin b",
        "fix (not verified): pin c",
    ]


def test_a_latency_that_is_not_known_is_said_so():
    fix = replace(full().fixes[0], latency_ms=Latency(None, 0.25, None), latency_ratio=None)
    text = text_of(replace(full(), fixes=(fix,)))
    assert "\n  latency: 0.25 ms with the fix, not known without it, not known in FP32\n" in text
    assert "times the latency" not in text


def test_pins_that_could_not_be_tested_are_told():
    names = tuple(f"n{i}" for i in range(6))
    text = text_of(replace(full(), fixes=(replace(full().fixes[0], untested_pins=names),)))
    told = "whether 6 of the pins are needed could not be tested: n0, n1, n2, n3 and 2 more"
    assert f"\n  {told}\n" in text
    text = text_of(replace(full(), fixes=(replace(full().fixes[0], untested_pins=names[:1]),)))
    assert "\n  whether 1 of the pins is needed could not be tested: n0\n" in text


def test_a_repro_that_does_not_fail_is_not_sold_as_one():
    repro = ReproResult("/r", 2, False, "it passes in a fresh process")
    assert "repro (not verified): /r (2 node(s))\n  it passes in a fresh process" in text_of(
        replace(full(), repro=repro)
    )


def test_at_most_three_findings_of_a_rule_are_shown_in_full():
    many = [finding("a", i) for i in range(6)] + [finding("b", i) for i in range(3)]
    many.insert(2, finding("c"))
    text = text_of(replace(plain(), findings=tuple(many)))
    shown = text[text.index("\nfindings") :].splitlines()
    assert [line.split()[1] for line in shown if "warning" in line] == ["a:"] * 3 + ["c:"] + ["b:"] * 3
    assert shown.count("  ... and 3 more a, see report.json") == 1
    assert text.count(" more ") == 1
    assert len(build_report(CASE, replace(plain(), findings=tuple(many)))["findings"]) == 10


def test_long_lists_of_nodes_are_cut():
    nodes = tuple(f"n{i}" for i in range(100))
    causes = tuple(Culprit((n,), "precision", "fails alone") for n in nodes)
    text = text_of(replace(plain("diverges"), culprits=(*causes, Culprit(nodes, "unknown", "", False))))
    assert "cause: 100 node(s)" in text
    assert "  ... and 60 more, see report.json" in text
    assert "undecided among 100 node(s): n0, n1" in text
    assert "n39 and 60 more\n" in text


EVIL = "conv\x1b[2J\x1b]0;title\x07\r\n\x00\x9b31m\u202egnp\u2028\ud800"


def test_names_can_not_act_on_the_terminal():
    case = replace(CASE, model=EVIL)
    d = full()
    evil = replace(
        d,
        reason=EVIL,
        first_divergence=replace(d.first_divergence, tensor=EVIL, node=EVIL),
        culprits=(Culprit((EVIL,), "precision", EVIL), Culprit((EVIL,), "unknown", EVIL, False)),
        fixes=(replace(d.fixes[0], summary=EVIL, reason=EVIL),),
        repro=ReproResult(EVIL, 1, False, EVIL),
        findings=(replace(finding("a"), message=EVIL, mitigation=EVIL),),
        unknown=(EVIL,),
    )
    text = text_of(evil, case)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert r"conv\x1b[2J\x1b]0;title\x07\r\n\x00\x9b31m\u202egnp\u2028\ud800" in text
    assert len(text.splitlines()) == len(text_of(d).splitlines()) + 2  # the fix's reason, the repro's note


@given(st.text())
def test_any_name_gives_lines_that_can_be_written(name):
    text = text_of(replace(plain("diverges"), culprits=(Culprit((name,), "precision", ""),)))
    text.encode()
    assert len(text.splitlines()) == 13


def test_numbers_of_finite_elements_are_left_out_where_none_differs():
    divergence = replace(full().first_divergence, local_error=0.0, propagated_error=0.5)
    text = text_of(replace(full(), first_divergence=divergence))
    assert "\n  propagated error 0.5, 3 elements NaN or Inf on one side only\n" in text
    text = text_of(replace(full(), first_divergence=replace(divergence, nonfinite=0)))
    assert "local error 0, propagated error 0.5, 0 elements" in text


def test_without_a_culprit_it_is_a_divergence():
    assert "\nfirst divergence\n  pow_out" in text_of(replace(full(), culprits=()))


def test_an_empty_version_leaves_no_stray_space():
    d = replace(full(), candidate=BackendInfo("emulator", ""), reference=BackendInfo("own", ""))
    text = text_of(d)
    assert "\ncandidate  emulator, FP16\nreference  own\n" in text


def test_long_names_are_cut_in_the_middle():
    name = "begin" + "n" * 4000 + "end"
    d = full()
    fix = replace(d.fixes[0], summary=f"pin 1 nodes to FP32: {name}")
    culprit = Culprit((name,), "precision", f"{name} fails alone")
    divergence = replace(d.first_divergence, tensor=name, node=name)
    text = text_of(replace(d, reason=name, first_divergence=divergence, culprits=(culprit,), fixes=(fix,)))
    assert max(map(len, text.splitlines())) < 300
    assert text.count("begin") == text.count("nend") == 6
    assert name in str(build_report(CASE, replace(d, culprits=(culprit,))))


def pinned(*nodes: str, version: str = "8.6.0", verified: bool = True) -> str:
    fix = Fix("pin", "pin them", (PinPrecision(nodes),), verified, (5, 5))
    return text_of(replace(full(), fixes=(fix,), candidate=BackendInfo("tensorrt", version)))


def test_how_to_apply_pins_to_ones_own_build():
    assert (
        "\n  apply: trtexec --fp16 --precisionConstraints=obey --layerPrecisions=pow:fp32,var:fp32 "
        "--layerOutputTypes=pow:fp32,var:fp32\n" in pinned("pow", "var")
    )
    assert "'--layerPrecisions=my node:fp32'" in pinned("my node")
    assert "\n  apply: Cast nodes around them in the ONNX model" in pinned("pow", version="11.0.1")
    assert "apply:" in pinned(*(f"n{i}" for i in range(20)))
    assert "apply:" not in pinned(*(f"n{i}" for i in range(21)))
    assert "apply:" not in pinned("a:0")
    assert "printf -- '--layerPrecisions=a\\012b:fp32'" in pinned("a\nb")  # and no \\n, which is another name
    assert "apply:" not in pinned("pow", verified=False)


def test_the_flags_of_the_fix_folder_are_those_to_apply() -> None:
    """TensorRT's layers may have other names than the nodes; a name that trtexec does not find it passes over."""
    fix = Fix(
        "pin",
        "pin it",
        (PinPrecision(("norm",)),),
        True,
        (5, 5),
        layer_flags=("--layerPrecisions=a + b:fp32",),
    )
    assert "\n  apply: trtexec --fp16 '--layerPrecisions=a + b:fp32'\n" in text_of(
        replace(full(), fixes=(fix,))
    )
    assert "apply:" not in text_of(replace(full(), fixes=(replace(fix, layer_flags=()),)))


def test_a_match_tells_which_indices_differ_all_the_same() -> None:
    """An ArgMax that chooses another class each time is a match only by a rule that the reader has to know of."""
    rule = (
        "equal, or the reference's values of both choices: ||c - r|| / ||r|| <= 0.01 (4 of 4 choices differ)"
    )
    verdicts = [OutputVerdict(b, "s0", TensorError("y", "pass", rule=rule)) for b in ("as built 1", "forced")]
    text = text_of(replace(plain("matches"), outputs=tuple(verdicts)))
    assert text.count(f"\n           y: {rule}\n") == 1
    alike = [replace(v, error=replace(v.error, rule="||c - r|| / ||r|| <= 0.01")) for v in verdicts]
    assert " y: " not in text_of(replace(plain("matches"), outputs=tuple(alike)))
    many = [OutputVerdict("forced", "s0", TensorError(f"y{i}", "pass", rule=rule)) for i in range(5)]
    assert "y2: equal" in (text := text_of(replace(plain("matches"), outputs=tuple(many))))
    assert "           ... and 2 more outputs, see report.json\n" in text


def test_other_scripts_stay_readable():
    text = text_of(replace(plain("diverges"), culprits=(Culprit(("größe/张量:0",), "precision", ""),)))
    assert "  größe/张量:0\n" in text


def test_the_first_divergence_is_a_culprit_only_where_that_is_proven() -> None:
    """Rounding adds up at another node before it: where the output is first off says nothing of who is at fault."""
    drifting = replace(full(), culprits=(Culprit(("mul",), "precision", "only rounds", proven=False),))
    assert "\nfirst divergence\n  pow_out, written by pow (Pow)\n" in text_of(drifting)
    undecided = replace(
        full(), culprits=(Culprit(("pow", "add"), "unknown", "first to differ", proven=False),)
    )
    assert "\nfirst divergence\n" in text_of(undecided)
