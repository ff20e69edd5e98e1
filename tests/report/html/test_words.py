"""The first screen: verdict, cause and fix in words; whatever is in them is text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from diagnoses import CASE, EVIL_NAMES, full, plain

from trtdebug.core.diagnosis import Culprit, Diagnosis
from trtdebug.core.outcome import Signature
from trtdebug.report.build import build_report
from trtdebug.report.html.markup import join, tag
from trtdebug.report.html.render import render_html
from trtdebug.report.html.search import strip


class Words(HTMLParser):
    """The text of the elements that are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def words(diagnosis: Diagnosis) -> str:
    text = render_html(build_report(CASE, diagnosis))
    parser = Words()
    parser.feed(text[text.index("<main>") : text.index("</main>")])
    return " ".join(" ".join(parser.text).split())


def test_a_diagnosis_with_all_parts() -> None:
    said = words(full())
    assert "The candidate does not agree with the reference" in said
    assert "2 nodes go wrong in FP16" in said
    assert "Keep 2 nodes in FP32" in said
    assert "5 of 5 fresh builds pass" in said
    assert "worst error 0.8 of the tolerance" in said
    assert "python /session/repro/repro.py" in said
    assert "3 nodes could not be observed" in said
    assert "0.5 ms" in said


@pytest.mark.parametrize(
    ("culprits", "said"),
    [
        ((Culprit(("a",), "precision", ""),), "1 node goes wrong in FP16"),
        ((Culprit(("a", "b"), "fusion", ""),), "2 nodes go wrong where they are fused"),
        ((Culprit(("a",), "tactic", ""),), "A tactic goes wrong at 1 node"),
        ((Culprit(("a",), "build", ""),), "1 node cannot be built"),
        ((Culprit(("a", "b", "c"), "unknown", "", proven=False),), "Somewhere among 3 nodes"),
        ((), "None was found"),
    ],
)
def test_the_cause_in_one_line(culprits: tuple[Culprit, ...], said: str) -> None:
    assert said in words(replace(plain("diverges"), culprits=culprits))


def test_what_is_not_built_is_told_as_such() -> None:
    said = words(replace(plain("untestable"), signature=Signature("build-failure"), reason="no importer"))
    assert "The candidate cannot build this model no importer" in said
    assert "2 builds tried" in said
    assert "wrong" not in said.partition("Cause")[0]


@pytest.mark.parametrize("proven", [True, False])
def test_marks_that_do_not_build_are_no_fault_of_the_nodes_that_write_them(proven: bool) -> None:
    """Unproven: whether fewer of them build is not known."""
    both = Culprit(("a_node", "b_node"), "build", "not with both", proven, tensors=("a", "b"))
    unbuilt = replace(plain("untestable"), signature=Signature("build-failure"))
    said = words(replace(unbuilt, culprits=(both,)))
    assert "These 2 marks together do not build a + b" in said
    assert "node" not in said.partition("Cause")[2].partition("not with both")[0]
    inner = Culprit((), "build", "", tensors=("(Unnamed Layer* 3)_output",))  # TensorRT's own, of no node
    assert "This mark does not build (Unnamed Layer* 3)_output" in words(replace(unbuilt, culprits=(inner,)))


def test_a_match_needs_nothing() -> None:
    said = words(plain())
    assert "The candidate agrees with the reference" in said
    assert "All agree" in said
    assert "Fix" not in said


@pytest.mark.parametrize("name", EVIL_NAMES, ids=ascii)
def test_names_make_no_elements(name: str) -> None:
    def elements(of: str) -> list[str]:
        parser = Words()
        culprit = Culprit((of,), "precision", of)
        parser.feed(
            render_html(build_report(CASE, replace(full(), culprits=(culprit,), reason=of, unknown=(of,))))
        )
        return parser.elements

    assert elements(name) == elements("n" * len(name))


def test_markup_escapes_what_is_not_its_own() -> None:
    assert tag("p", "a < b", tag("b", "&"), title='"x"', hidden=True, id=None) == (
        '<p title="&quot;x&quot;" hidden>a &lt; b<b>&amp;</b></p>'
    )
    assert join("<", tag("i"), None) == "&lt;<i></i>"
    assert tag("p", "\x1b[31mred\x1b[0m\n") == "<p>red\\n</p>"


def test_a_strip_tells_tenths() -> None:
    assert strip({0, 1}, 4) == "xx00"
    assert strip(range(1000), 1000) == "x" * 160
    assert set(strip(range(0, 1000, 2), 1000)) <= set("45678")
    assert strip({999}, 1000)[-1] == "1"
