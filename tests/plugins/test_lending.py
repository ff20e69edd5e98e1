"""What third parties change of what they look at does no harm, and is told."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest
from mapped_models import TABLE, mapped_model
from onnx import numpy_helper

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_mapped, save_model
from trtdebug.plugins.lending import Changed, Loan, fingerprint, lent
from trtdebug.plugins.testing import check_context, fix_context
from trtdebug.plugins.types import CheckContext, SessionEvent
from trtdebug.stages.opening.run_checks import collect_findings

TEXT = """<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y)
          <float[2] w = {1, 2}> { a = Add(x, w) y = Exp(a) }"""


@pytest.fixture
def model():
    return onnx.parser.parse_model(TEXT)


CHANGES = {
    "a node": lambda m: m.graph.node[0].input.__setitem__(0, "w"),
    "a name": lambda m: setattr(m.graph.node[0], "name", "other"),
    "a weight": lambda m: m.graph.initializer[0].float_data.__setitem__(1, 3.0),
    "an input's shape": lambda m: m.graph.input[0].type.tensor_type.shape.dim.pop(),
    "a node more": lambda m: m.graph.node.add(op_type="Neg"),
    "the opset": lambda m: setattr(m.opset_import[0], "version", 11),
    "everything": lambda m: m.Clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("stored", [True, False])
def test_a_changed_model_is_told_and_put_right(model, change, stored, tmp_path):
    path = tmp_path / "model.onnx"
    if stored:
        save_model(model, path)
    context = check_context(model, path=path)
    before, loan = context.model.SerializeToString(), Loan(context.model, path)
    with pytest.raises(Changed, match="changed the model"), loan.watched():
        change(context.model)
    assert context.model.SerializeToString() == before
    with loan.watched():
        pass


def test_raw_weights_count(model):
    weight = model.graph.initializer[0]
    weight.CopyFrom(onnx.numpy_helper.from_array(np.float32([1, 2]), "w"))
    before = fingerprint(model)
    weight.raw_data = np.float32([1, 3]).tobytes()
    assert fingerprint(model) != before


def test_arrays_cannot_be_written_to(model, tmp_path):
    context = Loan(model, tmp_path).to_check(check_context(model, {"x": np.float32([1, 2])}))
    for array in (context.sample["x"], context.reference(["a"])["a"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    with pytest.raises(TypeError):
        context.sample["x"] = 1
    (sample,) = Loan(model, tmp_path).to_fix(fix_context(model, [], samples=[{"x": np.ones(2)}])).samples()
    with pytest.raises(ValueError, match="read-only"):
        sample["x"][0] = 7


def test_the_index_and_the_case_are_its_own(model, tmp_path):
    mine = fix_context(model, [["node_of_a"]])
    theirs = Loan(mine.model, tmp_path).to_fix(mine)
    theirs.index.producer.clear()
    theirs.case.options.profiles["x"] = None
    assert mine.index.producer
    assert not mine.case.options.profiles


def test_a_report_is_a_copy():
    report = {"verdict": "matches", "culprits": []}
    with pytest.raises(Changed), lent(report) as theirs:
        theirs["culprits"].append("me")
    assert report == {"verdict": "matches", "culprits": []}


def test_a_built_in_is_not_watched_and_an_extension_is(extension, model, tmp_path):
    manager = extension(
        "mutant",
        """
        from trtdebug.plugins.spec import hookimpl
        from trtdebug.plugins.types import Check, Finding
        def change(context):
            context.model.graph.node[0].name = "renamed"
            yield Finding("renamed", "info", "done")
        @hookimpl
        def trtdebug_checks():
            yield Check("change", "", run=change)
            yield Check("look", "", run=lambda c: [Finding("look", "info", c.model.graph.node[0].name)])
        @hookimpl
        def trtdebug_session_finished(event):
            event.report["verdict"] = "matches"
        """,
    )
    context = check_context(model, path=tmp_path / "none.onnx")
    assert [f.message for f in collect_findings(manager, context)] == ["node_of_a"]
    (problem,) = manager.problems
    assert (problem.hook, problem.error) == (
        "check change",
        "Changed: it changed the model that it was given; that was undone",
    )


def test_an_event_that_is_changed_is_told(extension, tmp_path):
    manager = extension(
        "mutant",
        """
        from trtdebug.plugins.spec import hookimpl
        @hookimpl
        def trtdebug_session_finished(event):
            event.report["verdict"] = "matches"
        """,
    )
    report = {"verdict": "diverges"}
    manager.emit("session_finished", SessionEvent(tmp_path, report))
    assert report == {"verdict": "diverges"}
    assert "changed the report" in manager.problems[0].error


def test_a_model_whose_weights_stay_in_a_file_is_lent_with_their_values(tmp_path, monkeypatch):
    path = mapped_model(tmp_path, monkeypatch)
    model = load_mapped(path)
    context = CheckContext(path=path, model=model, index=GraphIndex(model))
    lent_model = Loan(model, path).to_check(context).model
    np.testing.assert_array_equal(numpy_helper.to_array(lent_model.graph.initializer[0]), TABLE)
