"""The block for an issue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnoses import CASE, EVIL_NAMES, finding, full, plain

from trtdebug.core.diagnosis import Culprit, Diagnosis
from trtdebug.report.build import build_report
from trtdebug.report.markdown import render_markdown


def markdown(diagnosis: Diagnosis, command: str = "trtdebug run norm.onnx --fp16") -> str:
    return render_markdown(build_report(replace(CASE, command=command), diagnosis))


def test_a_whole_block_reads_like_this() -> None:
    assert (
        markdown(full())
        == """\
### DIVERGES: the candidate does not agree with the reference

Model `norm.onnx` (9 nodes), FP16.
`y: relative RMS error 1 breaks ||c - r|| / ||r|| <= 0.01`
1 of 2 builds are wrong. Rule: `||c - r|| / ||r|| <= 0.01`

#### Cause

- `pow`, `var` (precision, fails by itself)
  - `low together they fail, alone they do not`
- `mul`, `add` (unknown, undecided among these)
  - `could not be built apart`

First wrong tensor: `pow_out`, written by `pow` (`Pow`); local error 0.5, propagated error 0.5, \
3 elements NaN or Inf on one side only.

#### Steps to reproduce

```sh
trtdebug run norm.onnx --fp16
```

Or with the minimal repro (2 node(s), fails in a fresh process), without trtdebug:

```sh
python /session/repro/repro.py
```

#### Fix

`keep 2 nodes in FP32`: 5 of 5 fresh builds pass, worst error 0.8 of the tolerance, 0.5 times the latency.

#### Versions

- candidate: `tensorrt 8.6.0` on `NVIDIA H200`
- reference: `onnxruntime 1.23.2`
- trtdebug: `0.1.0`
- extensions: `trtdebug-layernorm 1.2`
- model: SHA-256 `abababababababababababababababababababababababababababababababab`

#### Findings

- warning `output-constant`: `message 0 of output-constant`

#### Not known

- `3 nodes could not be observed`
"""
    )


def test_of_marks_that_do_not_build_the_marks_are_named() -> None:
    marks = Culprit(("a_node", "b_node"), "build", "", tensors=("a", "b"))
    said = markdown(replace(plain("untestable"), culprits=(marks,)))
    assert "- `a`, `b` (build, these marks together do not build)\n" in said


def test_an_error_of_0_beside_nan_and_inf_is_left_out_as_in_the_text() -> None:
    first = replace(full().first_divergence, local_error=0.0, propagated_error=0.5)
    text = markdown(replace(full(), first_divergence=first))
    assert "`Pow`); propagated error 0.5, 3 elements NaN or Inf on one side only." in text


def test_nothing_to_tell() -> None:
    text = markdown(plain())
    assert text.startswith("### MATCHES: ")
    assert "Nothing is wrong." in text
    assert "#### Fix" not in text


def test_however_much_there_is_it_stays_under_60_lines() -> None:
    names = tuple(f"n{i}" for i in range(1000))
    many = replace(
        full(),
        culprits=tuple(Culprit((*names, str(i)), "precision", "x " * 1000) for i in range(100)),
        findings=tuple(finding(f"rule{i}") for i in range(100)),
        unknown=names,
        extensions=full().extensions * 100,
        reason="r " * 10_000,
    )
    text = markdown(many)
    assert 50 < len(text.splitlines()) < 60
    assert "- and 95 more" in text
    assert "- and 96 more in report.json" in text
    assert "- and 998 more" in text
    assert len(text) < 20_000


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_stay_in_their_line(name: str) -> None:
    evil = replace(full(), reason=name, culprits=(Culprit((name,), "precision", name),), unknown=(name,))
    ordinary = replace(full(), culprits=(Culprit(("a",), "precision", "b"),))
    assert len(markdown(evil, name).splitlines()) == len(markdown(ordinary).splitlines())
    assert "\x1b" not in markdown(evil, name)


def test_backticks_get_a_longer_fence() -> None:
    text = markdown(replace(full(), reason="a `b` ``c``"), "echo '```'")
    assert "\n``` a `b` ``c`` ```\n" in text
    assert "\n````sh\necho '```'\n````\n" in text


def test_a_command_is_whole_or_not_there() -> None:
    assert "The command line is too long to show; it is `command` in report.json." in markdown(
        full(), "x" * 5000
    )
    assert "The command line was not recorded." in markdown(full(), "")


def test_a_fix_says_how_close_it_is_where_that_is_known() -> None:
    assert "5 of 5 fresh builds pass, worst error 0.8 of the tolerance, 0.5 times" in markdown(full())
    fix = replace(full().fixes[0], of_limit=None)
    assert "of the tolerance" not in markdown(replace(full(), fixes=(fix,)))


def test_a_fix_that_does_not_hold_is_none() -> None:
    fix = replace(full().fixes[0], verified=False)
    assert "None holds of 1 tried." in markdown(replace(full(), fixes=(fix,)))


def test_the_gravest_findings_first() -> None:
    found = (
        finding("a"),
        replace(finding("b"), severity="info"),
        replace(finding("c"), severity="error"),
        replace(finding("c"), severity="info"),
    )
    lines = markdown(replace(plain(), findings=found)).partition("#### Findings\n\n")[2].splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "- error `c`",
        "- warning `a`",
        "- info `b`",
        "- and 1 more in report.json",
    ]
