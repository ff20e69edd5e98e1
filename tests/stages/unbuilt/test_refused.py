"""A model that the candidate does not build takes the path of one with wrong numbers: cause, fix, repro, report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import onnx.parser
import pytest
from contexts import plugins_with
from unbuildable_graphs import Refusing, parser_says, write

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger, Until
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer
from trtdebug.report.build import build_report, exit_code
from trtdebug.report.text import render_text
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples

MODEL = "g (float[2] x) => (float[2] y) { a = Relu(x) b = Abs(a) c = Neg(b) y = Tanh(c) }"
REFUSES_B = frozenset({frozenset({"n_b"})})


@dataclass
class Proposes:
    """A plugin that replaces Abs, by an equal subgraph or by another one."""

    equal: bool
    seen: list[FixContext] = field(default_factory=list)

    @hookimpl
    def trtdebug_fixes(self) -> list[FixProposer]:
        return [FixProposer("no-abs", "Abs by other means", self.propose)]

    def propose(self, context: FixContext) -> Iterable[FixProposal]:
        self.seen.append(context)
        model = onnx.ModelProto()
        model.CopyFrom(context.model)
        (abs_node,) = [n for n in model.graph.node if n.op_type == "Abs"]
        place = list(model.graph.node).index(abs_node)
        model.graph.node.remove(abs_node)
        minus = onnx.helper.make_node("Neg", ["a"], ["minus"], "minus")
        joined = onnx.helper.make_node("Max" if self.equal else "Sum", ["a", "minus"], ["b"], "joined")
        model.graph.node.insert(place, minus)
        model.graph.node.insert(place + 1, joined)
        assert context.keep_model is not None
        yield FixProposal("rewrite", "Abs by Max", (context.keep_model(model),))


def diagnosed(
    folder: Path, *plugins: object, until: Until = "fix", text: str = MODEL, check: bool = True
) -> tuple[Diagnosis, str]:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17, "my" : 1]> {text}')
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    backend = Refusing(REFUSES_B, parser_says)
    manager = plugins_with(backend, *plugins)
    request = CaseRequest(write(model, folder, check), candidate=backend.name, builds=2)
    prepared = prepare(request, manager)
    session = Session(folder / "session", InProcess(folder / "session", manager.backends()))
    store_samples(prepared, session.tensors)
    diagnosis = Debugger(Context(session, prepared.case, manager), prepared.findings, until).run()
    return diagnosis, render_text(build_report(prepared.case, diagnosis))


def test_the_report_says_first_of_all_what_is_not_built_and_why(tmp_path: Path) -> None:
    diagnosis, text = diagnosed(tmp_path)
    said = "UNSUPPORTED_NODE: no importer for n_b"
    assert text.startswith(f"UNTESTABLE: the candidate cannot build this model: node 'n_b' (Abs): {said}")
    assert diagnosis.verdict == "untestable"
    assert exit_code(diagnosis.verdict) == 4
    assert diagnosis.signature is not None
    assert diagnosis.signature.kind == "build-failure"
    (culprit,) = diagnosis.culprits
    assert (culprit.nodes, culprit.kind, culprit.proven) == (("n_b",), "build", True)
    assert said in culprit.evidence
    assert diagnosis.unknown == ()
    assert [s.name for s in diagnosis.stages].count("fix") == 1


@pytest.mark.parametrize("equal", [True, False])
def test_a_fix_holds_where_it_is_built_and_its_outputs_are_the_reference_s(
    equal: bool, tmp_path: Path
) -> None:
    proposer = Proposes(equal)
    diagnosis, _ = diagnosed(tmp_path, proposer)
    assert [f.verified for f in diagnosis.fixes] == [equal]
    (context,) = proposer.seen
    assert context.signature.kind == "build-failure"
    assert context.culprits == (("n_b",),)
    assert context.unbuildable[0].error is not None
    assert context.unbuildable[0].error.code == "UNSUPPORTED_NODE"


def test_where_the_reference_cannot_run_either_the_cause_is_named_and_the_rest_is_said_to_be_unknown(
    tmp_path: Path,
) -> None:
    text = "g (float[2] x) => (float[2] y) <float[2] b> { a = Relu(x) b = my.Odd(a) y = Neg(b) }"
    diagnosis, said = diagnosed(tmp_path, text=text, check=False)
    assert [c.nodes for c in diagnosis.culprits] == [("n_b",)]
    assert diagnosis.verdict == "untestable"
    assert "the reference onnxruntime cannot run" in diagnosis.unknown[0]
    assert "no importer for n_b" in said.splitlines()[0]


def test_the_repro_is_verified_by_the_session_where_its_script_has_no_such_backend(tmp_path: Path) -> None:
    diagnosis, _ = diagnosed(tmp_path, until="repro")
    assert diagnosis.repro is not None
    assert diagnosis.repro.verified
    assert not diagnosis.repro.standalone
    assert [n.name for n in onnx.load(Path(diagnosis.repro.path) / "model.onnx").graph.node] == ["n_b"]
    assert (Path(diagnosis.repro.path) / "inputs").is_dir()
