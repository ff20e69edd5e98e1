"""Which rung of the ladder proposes what, and where none does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from keeping_backend import KeepingBackend, LoadedEngine, diagnose, opened
from rewriting import Array, kinds, model_of

from trtdebug.backends.base import BuildRequest, Engine, Feeds, Tensor
from trtdebug.core.build_error import BuildError
from trtdebug.core.case import OperatorSource, Profile
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ReplaceGraph
from trtdebug.core.outcome import Signature
from trtdebug.fixes.ladder import FIXES
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.graph.names import name_nodes
from trtdebug.graph.walk import all_nodes
from trtdebug.plugins.builtin import load_plugins
from trtdebug.plugins.operators import operator_source
from trtdebug.plugins.types import FixContext, FixProposal
from trtdebug.stages.opening.preflight import CaseRequest, prepare

FAILS = Signature("build-failure")


def culprit(node: str, operator: str, *inside: str, proven: bool = True) -> Culprit:
    error = BuildError("parse", "", node=node, operator=operator)
    return Culprit((node,), "build", "", proven, inside, error)


class Ladder:
    """The ladder's proposals for a model, and the models that they are of, by summary."""

    def __init__(self, folder: Path, model: onnx.ModelProto, *culprits: Culprit, **case: object) -> None:
        name_nodes(model)
        onnx.save(model, folder / "model.onnx")
        self.models: dict[str, onnx.ModelProto] = {}
        prepared = prepare(
            CaseRequest(folder / "model.onnx", candidate="emulator"), load_plugins(third_party=False)
        )
        options = replace(prepared.case.options, **case)  # type: ignore[arg-type]
        self.context = FixContext(
            case=replace(prepared.case, options=options),
            model=model,
            index=GraphIndex(model),
            signature=FAILS,
            culprits=(),
            pins=None,
            realises=frozenset({"ReplaceGraph"}),
            keep_model=self._keep,
            unbuildable=culprits,
        )

    def _keep(self, model: onnx.ModelProto) -> ReplaceGraph:
        onnx.checker.check_model(onnx.shape_inference.infer_shapes(model), full_check=True)
        name = str(len(self.models))
        self.models[name] = model
        return ReplaceGraph(name, name)

    def proposals(self) -> dict[str, onnx.ModelProto]:
        found: list[FixProposal] = [p for fix in FIXES for p in fix.propose(self.context)]
        ordered = sorted(found, key=lambda p: p.cost)
        return {p.summary: self.models[p.interventions[0].model] for p in ordered}  # type: ignore[union-attr]

    def sampled(self, *samples: dict[str, Array]) -> Ladder:
        self.context = replace(self.context, samples=lambda: samples)
        return self


# opset ----------------------------------------------------------------------------------------------------------


def test_an_operator_that_is_written_otherwise_in_an_older_opset(tmp_path: Path) -> None:
    model = model_of("y = ReduceMax(x, axes)", [3, 4], {"axes": np.array([1])}, opset=18)
    found = Ladder(tmp_path, model, culprit("node_of_y", "ReduceMax")).proposals()
    converted = found["converted to opset 17"]
    assert converted.opset_import[0].version == 17
    assert converted.ir_version == model.ir_version
    assert len(converted.graph.node[-1].input) == 1


def test_an_operator_that_only_takes_more_types_there_is_not_converted(tmp_path: Path) -> None:
    model = model_of("y = NonZero(x)", [3, 4], outputs="int64 y")
    assert Ladder(tmp_path, model, culprit("node_of_y", "NonZero")).proposals() == {}


# replace --------------------------------------------------------------------------------------------------------


def test_only_the_node_at_fault_is_replaced(tmp_path: Path) -> None:
    model = model_of("[one] a = Det(x) [two] b = Det(x) y = Add(a, b)", [2, 3, 3])
    [(summary, result)] = Ladder(tmp_path, model, culprit("two", "Det")).proposals().items()
    assert summary == "Det two replaced by equal operators"
    assert [n.name for n in result.graph.node if n.op_type == "Det"] == ["one"]


def test_all_at_once_or_nothing(tmp_path: Path) -> None:
    model = model_of("a = Det(x) n = NonZero(a) f = Cast<to=1>(n) y = Neg(f)", [2, 3, 3])
    both = culprit("node_of_a", "Det"), culprit("node_of_n", "NonZero")
    assert Ladder(tmp_path, model, *both).proposals() == {}
    assert len(Ladder(tmp_path, model, both[0]).proposals()) == 1


def test_nothing_for_what_was_not_shown_to_fail_or_for_another_failure(tmp_path: Path) -> None:
    model = model_of("y = Det(x)", [2, 3, 3])
    assert Ladder(tmp_path, model, culprit("node_of_y", "Det", proven=False)).proposals() == {}
    ladder = Ladder(tmp_path, model, culprit("node_of_y", "Det"))
    ladder.context = replace(ladder.context, signature=Signature("mismatch"))
    assert ladder.proposals() == {}


FUNCTION = """<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (float[2, 3, 3] x) => (float[2] y)
    { h = my.calm(x) [call] y = my.measure(h) }
    <domain: "my", opset_import: ["" : 17]> calm (a) => (b) { b = Tanh(a) }
    <domain: "my", opset_import: ["" : 17]> measure (a) => (b) { d = Det(a) b = Neg(d) }"""


def test_functions_are_inlined_and_what_is_refused_in_them_is_replaced(tmp_path: Path) -> None:
    found = Ladder(tmp_path, onnx.parser.parse_model(FUNCTION), culprit("d", "Det", "call")).proposals()
    flat, replaced = found.values()
    assert kinds(flat) == ["Tanh", "Det", "Neg"]
    assert "Det" not in kinds(replaced)
    assert not replaced.functions


def test_a_function_that_is_refused_as_such_is_only_inlined(tmp_path: Path) -> None:
    found = Ladder(tmp_path, onnx.parser.parse_model(FUNCTION), culprit("call", "measure")).proposals()
    assert list(found) == ["the model's functions inlined"]


def test_functions_are_inlined_with_the_defaults_of_their_attributes(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 17, "my" : 1]> g (float[2] x) => (float[2] y)
        { [call] y = my.leaky(x) }
        <domain: "my", opset_import: ["" : 17]>
        leaky <alpha: float = 0.25> (a) => (b) { b = LeakyRelu <alpha: float = @alpha> (a) }"""
    )
    [flat] = Ladder(tmp_path, model, culprit("call", "leaky")).proposals().values()
    assert [n.attribute[0].f for n in flat.graph.node] == [0.25]


def test_in_branches(tmp_path: Path) -> None:
    text = "y = If (c) <then_branch = a () => (float t) { t = Det(x) }, else_branch = b () => (float e) { e = Det(x) }>"
    model = model_of(text, [3, 3], inputs="bool c")
    [result] = Ladder(tmp_path, model, culprit("t", "Det", "node_of_y")).proposals().values()
    assert "Det" not in {node.op_type for node in all_nodes(result.graph.node)}


def test_a_custom_operator_by_the_user_s_own_function(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
        g (float[3] x) => (float[3] y) { y = my.Twice<k = 3.0>(x) }"""
    body = onnx.parser.parse_function(
        '<domain: "my", opset_import: ["" : 17]> Twice <k>(a) => (b) '
        "{ c = Constant<value_float: float = @k>() b = Mul(a, c) }"
    )
    holder = onnx.helper.make_model(
        onnx.helper.make_graph([], "g", [], []),
        functions=[body],
        opset_imports=[onnx.helper.make_opsetid("", 17)],
    )
    onnx.save(holder, tmp_path / "operators.onnx")
    source: OperatorSource = operator_source(tmp_path / "operators.onnx")
    model = onnx.parser.parse_model(text)
    given = Ladder(tmp_path, model, culprit("node_of_y", "Twice"), operators=(source,))
    [(summary, result)] = given.proposals().items()
    assert (summary, kinds(result)) == ("my::Twice node_of_y replaced by equal operators", ["Mul"])
    assert Ladder(tmp_path, model, culprit("node_of_y", "Twice")).proposals() == {}


# freeze ---------------------------------------------------------------------------------------------------------

SIZES = "s = Shape(x) o = ConstantOfShape(s) n = NonZero(o) f = Cast<to=1>(n) r = ReduceSum(f) y = Add(x, r)"


def shaped(*shape: int) -> dict[str, Array]:
    return {"x": np.ones(shape, np.float32)}


def test_frozen_to_the_one_shape_of_all_samples(tmp_path: Path) -> None:
    ladder = Ladder(tmp_path, model_of(SIZES, ["n", 3]), culprit("node_of_n", "NonZero"))
    [(summary, result)] = ladder.sampled(shaped(2, 3), shaped(2, 3)).proposals().items()
    assert summary == "frozen to x [2, 3] (good for no other shapes) and folded"
    assert kinds(result) == ["Add"]


def test_not_where_samples_or_profiles_have_several_shapes(tmp_path: Path) -> None:
    model, guilty = model_of(SIZES, ["n", 3]), culprit("node_of_n", "NonZero")
    assert Ladder(tmp_path, model, guilty).sampled(shaped(2, 3), shaped(4, 3)).proposals() == {}
    wide = {"x": Profile((1, 3), (2, 3), (8, 3))}
    assert Ladder(tmp_path, model, guilty, profiles=wide).sampled(shaped(2, 3)).proposals() == {}


def test_not_where_it_is_of_no_use(tmp_path: Path) -> None:
    model = model_of(
        "s = Shape(x) o = ConstantOfShape(s) z = Add(x, o) n = NonZero(z) f = Cast<to=1>(n) y = Neg(f)",
        ["n", 3],
    )
    guilty = culprit("node_of_n", "NonZero")
    assert Ladder(tmp_path, model, guilty).sampled(shaped(2, 3)).proposals() == {}
    replaceable = Ladder(
        tmp_path, model_of("d = Det(x) y = Neg(d)", ["n", 3, 3]), culprit("node_of_d", "Det")
    )
    assert list(replaceable.sampled(shaped(2, 3, 3)).proposals()) == [
        "Det node_of_d replaced by equal operators"
    ]


def test_what_is_not_folded_away_is_replaced(tmp_path: Path) -> None:
    model = model_of(SIZES.replace("y = Add(x, r)", "d = Det(x) y = Add(d, r)"), ["n", 3, 3])
    guilty = culprit("node_of_n", "NonZero"), culprit("node_of_d", "Det")
    [(summary, result)] = Ladder(tmp_path, model, *guilty).sampled(shaped(2, 3, 3)).proposals().items()
    assert summary.endswith("and folded; Det node_of_d replaced by equal operators")
    assert not {"Det", "NonZero"} & set(kinds(result))


# to the end -----------------------------------------------------------------------------------------------------


class NotRun(LoadedEngine):
    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        raise BuildFailure("it is built, but cannot be run here")


class CannotRun(KeepingBackend):
    """As TensorRT-RTX where there is no GPU."""

    def build(self, request: BuildRequest) -> Engine:
        super().build(request).close()
        return NotRun(1.0)


def refuses_det(request: BuildRequest) -> None:
    for node in load_model(request.model).graph.node:
        if node.op_type == "Det":
            error = BuildError("parse", "false", "UNSUPPORTED_NODE", node.name, "Det")
            raise BuildFailure(f"no Det: {node.name}", node=node.name, errors=(error,))


def test_where_the_candidate_runs_the_fix_is_verified(tmp_path: Path) -> None:
    model = model_of("h = Tanh(x) d = Det(h) y = Neg(d)", [4, 3, 3])
    diagnosis = diagnose(opened(model, tmp_path, KeepingBackend(on_build=refuses_det)))
    fix = diagnosis.fixes[-1]
    assert (fix.summary, fix.verified, fix.builds_passed) == (
        "Det node_of_d replaced by equal operators",
        True,
        (2, 2),
    )
    assert not any(f.id == "no-equivalent" for f in diagnosis.findings)


def refuses_nonzero(request: BuildRequest) -> None:
    for node in load_model(request.model).graph.node:
        if node.op_type == "NonZero":
            error = BuildError("parse", "false", "UNSUPPORTED_NODE", node.name, "NonZero")
            raise BuildFailure(f"no NonZero: {node.name}", node=node.name, errors=(error,))


def test_where_a_frozen_model_builds_nobody_is_told_to_write_a_plugin(tmp_path: Path) -> None:
    """Whether the candidate can run it here or not: the report says of the fix that it could not be tested."""
    case = opened(
        model_of(SIZES, ["n", 3]), tmp_path, CannotRun(on_build=refuses_nonzero), input_shapes=["x:[2,3]"]
    )
    diagnosis = diagnose(case)
    [fix] = diagnosis.fixes
    assert (fix.summary[:9], fix.built, fix.untestable, fix.verified) == ("frozen to", True, True, False)
    assert not any(f.id == "no-equivalent" for f in diagnosis.findings)


def test_where_nothing_that_builds_is_known_that_is_said(tmp_path: Path) -> None:
    model = model_of("n = NonZero(x) f = Cast<to=1>(n) y = Neg(f)", [2, 3])
    diagnosis = diagnose(opened(model, tmp_path, CannotRun(on_build=refuses_nonzero)))
    assert not any(fix.built for fix in diagnosis.fixes)
    [finding] = [f for f in diagnosis.findings if f.id == "no-equivalent"]
    assert finding.node == "node_of_n"
