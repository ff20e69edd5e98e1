"""Of marks that are not built every format names the marks, and not the nodes that write them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnoses import CASE, plain

from trtdebug.core.diagnosis import Culprit
from trtdebug.report.blamed import blamed, counted
from trtdebug.report.build import build_report
from trtdebug.report.formats import trtdebug_reports

MARKS = Culprit(("writes_a", "writes_b"), "build", "", tensors=("mark_a", "mark_b"))
OWN = Culprit((), "build", "", tensors=("(Unnamed Layer* 3)_output",))
"""A tensor of the builder's own network, which no node of the model writes."""
FORMATS = {f.name: f.render for f in trtdebug_reports()}


def report_of(*culprits: Culprit) -> dict[str, object]:
    return build_report(CASE, replace(plain("untestable"), culprits=culprits))


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"json"}))
def test_no_format_blames_the_nodes(name: str) -> None:
    text = FORMATS[name](report_of(MARKS))
    assert "mark_a" in text
    if name not in ("html", "sarif"):  # which hold the nodes as data, too
        assert "writes_a" not in text
    assert OWN.tensors[0] in FORMATS[name](report_of(OWN))


@pytest.mark.parametrize(
    ("culprit", "said"),
    [
        (MARKS, "cause: 2 mark(s)\n  mark_a + mark_b\n"),
        (replace(MARKS, proven=False), "undecided among 2 mark(s): mark_a, mark_b\n"),
        (OWN, "cause: 1 mark(s)\n  (Unnamed Layer* 3)_output\n"),
        (Culprit(("n",), "build", ""), "cause: 1 node(s)\n  n\n"),
    ],
)
def test_the_text_counts_what_it_names(culprit: Culprit, said: str) -> None:
    assert said in FORMATS["text"](report_of(culprit))


def test_reports_from_before_there_were_marks_can_be_read() -> None:
    old = {"nodes": ["n", "m"], "kind": "build", "evidence": "", "proven": True}
    assert blamed(old) == ["n", "m"]
    assert counted([old, {**old, "tensors": ["t"]}]) == "2 node(s), 1 mark(s)"
