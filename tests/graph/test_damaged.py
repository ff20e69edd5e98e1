"""What parses but is no ONNX model is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
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


@pytest.mark.parametrize("build", [mnist, with_if, omitted_inputs])
def test_sound_models_are_not(build: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(build().SerializeToString())
    assert load_model(path).graph.node
