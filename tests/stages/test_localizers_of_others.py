"""`--localizer`: an extension's search is asked, and what it claims is tested."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx.parser
import pytest

from trtdebug.api.diagnosing import diagnose
from trtdebug.api.opening import opened_request
from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import UserError
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.opening.preflight import CaseRequest
from trtdebug.testing import Fault, PlantedFaults

MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { a = Neg(x) b = Relu(x) y = Sub(b, a) }'
)
HEAD = """
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Localisation, Localizer
@hookimpl
def trtdebug_localizers():
    yield Localizer("theirs", "", run=run)
"""
Debug = Callable[..., tuple[Diagnosis, Any]]


@pytest.fixture
def debug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Debug:
    """`debug(source)`: the diagnosis of a fault in node_of_b by an installed search `run`; and its problems."""

    def run(source: str, name: str = "theirs") -> tuple[Diagnosis, Any]:
        info = tmp_path / "trtdebug_theirs-1.0.dist-info"
        info.mkdir()
        (tmp_path / "trtdebug_theirs.py").write_text(textwrap.dedent(source) + HEAD)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-theirs\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[trtdebug]\ntheirs = trtdebug_theirs\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", "trtdebug-theirs")
        monkeypatch.delitem(sys.modules, "trtdebug_theirs", raising=False)
        manager = PluginManager.load(builtins=(*BUILTINS, PlantedFaults([Fault("node_of_b")])))
        save_model(MODEL, tmp_path / "m.onnx")
        request = CaseRequest(
            tmp_path / "m.onnx",
            BuildOptions("fp16"),
            candidate="planted",
            samples=[{"x": np.float32([1, 2])}],
            localizer=name,
        )
        session = Session(tmp_path / "s", InProcess(tmp_path / "s", manager.backends()))
        with opened_request(request, session, manager) as case:
            return diagnose(case, "localise").diagnosis, manager.problems

    return run


def test_it_is_asked(debug: Debug) -> None:
    found, problems = debug(
        """
        def run(nodes, test, weights):
            bad = [n for n, verdict in zip(nodes, test.many([{n} for n in nodes])) if verdict == "fail"]
            return Localisation(tuple((n,) for n in bad), tuple(bad), exact=True, note="theirs")
        """
    )
    assert ([c.nodes for c in found.culprits], problems) == ([("node_of_b",)], ())
    assert found.culprits[0].proven


def test_what_it_only_claims_is_no_culprit(debug: Debug) -> None:
    found, _ = debug(
        """
        def run(nodes, test, weights):
            return Localisation((("node_of_a",), ("node_of_b",)), ("node_of_a",), exact=True)
        """
    )
    assert [c.nodes for c in found.culprits if c.proven] == [("node_of_b",)]
    assert [c.nodes for c in found.culprits if not c.proven] == [("node_of_a",)]
    assert "theirs claims what trials do not show" in found.culprits[-1].evidence


def test_no_nodes_at_all_are_a_claim_too(debug: Debug) -> None:
    found, _ = debug("def run(nodes, test, weights):\n    return Localisation(((),), (), exact=True)\n")
    assert "theirs claims what trials do not show" in found.unknown


@pytest.mark.parametrize("exact", [True, False])
def test_that_a_set_is_the_smallest_is_not_taken_from_it(debug: Debug, exact: bool) -> None:
    found, _ = debug(
        f"""
        def run(nodes, test, weights):
            return Localisation((("node_of_a", "node_of_b"),), ("node_of_a", "node_of_b"), exact={exact})
        """
    )
    [culprit] = found.culprits
    assert culprit.proven
    assert "together in low precision; whether fewer of them do is not known" in culprit.evidence


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("return None", "has to give a Localisation"),
        ("return Localisation((('nobody',),), None, exact=True)", "names 'nobody'"),
        ("return Localisation((('node_of_b',),), None, exact=True, note=5)", "a note of text; it gives int"),
        ("import os; os._exit(3)", "os._exit(3)"),
    ],
)
def test_one_that_breaks_is_replaced(debug: Debug, body: str, said: str) -> None:
    found, problems = debug(f"def run(nodes, test, weights):\n    {body}\n")
    assert [c.nodes for c in found.culprits] == [("node_of_b",)]
    assert said in problems[0].error
    assert any("theirs broke, and leftmost took its place" in line for line in found.unknown)


def test_a_name_that_nobody_has(debug: Debug) -> None:
    with pytest.raises(UserError, match="Did you mean theirs"):
        debug("def run(nodes, test, weights): ...", "thiers")
