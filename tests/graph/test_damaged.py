"""What parses but is no ONNX model is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnx import helper
from seed_models import identity_add_identity, mnist, omitted_inputs, with_if

from trtdebug.core.errors import UserError
from trtdebug.graph.load import load_model, load_skeleton

NOBODYS = 77


def weight_of_no_type() -> onnx.ModelProto:
    model = mnist()
    model.graph.initializer[0].data_type = NOBODYS
    return model


def input_of_no_type() -> onnx.ModelProto:
    model = mnist()
    model.graph.input[0].type.tensor_type.elem_type = NOBODYS
    return model


def sequence_of_no_type() -> onnx.ModelProto:
    model = mnist()
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(NOBODYS, [1]))
    model.graph.value_info.append(helper.make_value_info("deep", kind))
    return model


def constant_in_a_body() -> onnx.ModelProto:
    model = with_if()
    body = next(a.g for n in model.graph.node if n.op_type == "If" for a in n.attribute)
    body.initializer.append(onnx.TensorProto(name="inner", data_type=NOBODYS))
    return model


def weight_without_type() -> onnx.ModelProto:
    model = weight_of_no_type()
    model.graph.initializer[0].data_type = onnx.TensorProto.UNDEFINED
    return model


def input_without_type() -> onnx.ModelProto:
    model = mnist()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UNDEFINED
    return model


def parsed(body: str, rest: str = "") -> onnx.ModelProto:
    """A model of x, float32, to y; opset 21."""
    opsets = '"" : 21, "own" : 1'
    return onnx.parser.parse_model(
        f"<ir_version: 10, opset_import: [{opsets}]> g (float[4] x) => (y) {{ {body} }} {rest}"
    )


def no_operator() -> onnx.ModelProto:
    model = identity_add_identity()
    model.graph.node[0].op_type = ""
    return model


def no_operator_and_no_name() -> onnx.ModelProto:
    model = no_operator()
    model.graph.node[0].name = ""
    return model


@pytest.mark.parametrize("load", [load_model, load_skeleton])
@pytest.mark.parametrize(
    ("build", "said"),
    [
        (
            lambda: parsed("[round] y = Cast<to = 77>(x)"),
            "attribute 'to' of node 'round' (Cast) has element type 77; onnx",
        ),
        (
            lambda: parsed("y = RandomNormalLike<dtype = 0>(x)"),
            "attribute 'dtype' of the node that writes 'y' (RandomNormalLike) has element type 0; onnx",
        ),
        (
            lambda: parsed(
                "y = own.F(x)",
                '<domain: "own", opset_import: ["" : 21]> F (a) => (b) { b = Cast<to = -3>(a) }',
            ),
            "attribute 'to' of the node that writes 'b' (Cast) has element type -3; onnx",
        ),
        (weight_without_type, f"{mnist().graph.initializer[0].name!r} has element type 0; onnx"),
        (input_without_type, f"{mnist().graph.input[0].name!r} has element type 0; onnx"),
        (weight_of_no_type, f"{mnist().graph.initializer[0].name!r} has element type 77; onnx"),
        (input_of_no_type, f"{mnist().graph.input[0].name!r} has element type 77; onnx"),
        (sequence_of_no_type, "'deep' has element type 77; onnx"),
        (constant_in_a_body, "'inner' has element type 77; onnx"),
        (no_operator, f"node {identity_add_identity().graph.node[0].name!r} names no operator"),
        (
            no_operator_and_no_name,
            f"the node that writes {identity_add_identity().graph.node[0].output[0]!r}",
        ),
    ],
)
def test_it_is_named(
    load: Callable[[Path], object], build: Callable[[], onnx.ModelProto], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(build().SerializeToString())
    with pytest.raises(UserError, match="Export the model again") as error:
        load(path)
    assert said in error.value.message
    assert path.name in error.value.message


def types_given_by_a_call() -> onnx.ModelProto:
    function = '<domain: "own", opset_import: ["" : 21]> F <to> (a) => (b) { b = Cast<to: int = @to>(a) }'
    return parsed("y = own.F<to = 1>(x)", function)


def types_that_follow_from_inputs() -> onnx.ModelProto:
    model = parsed("q = QuantizeLinear<output_dtype = 0>(x, s, z) y = DequantizeLinear(q, s, z)")
    model.graph.initializer.add(name="s", data_type=onnx.TensorProto.FLOAT, float_data=[1.0])
    model.graph.initializer.add(name="z", data_type=onnx.TensorProto.INT8, int32_data=[0])
    return model


def names_of_other_domains() -> onnx.ModelProto:
    return parsed("y = own.Send<to = 77>(x)")


SOUND = (
    mnist,
    with_if,
    omitted_inputs,
    types_given_by_a_call,
    types_that_follow_from_inputs,
    names_of_other_domains,
)


@pytest.mark.parametrize("build", SOUND)
def test_sound_models_are_not(build: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(build().SerializeToString())
    assert load_model(path).graph.node
