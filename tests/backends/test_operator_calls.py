"""Calls of custom operators: what goes wrong in one is named as its fault, in one line."""

from __future__ import annotations

import time

import ml_dtypes
import numpy as np
import onnx
import pytest
from custom_models import DOMAIN
from onnx import helper, numpy_helper

from trtdebug.backends.operator_calls import Call, attributes
from trtdebug.core.errors import BuildFailure
from trtdebug.graph.types import TensorType
from trtdebug.plugins.types import Operator, ValueType

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def call(compute, outputs=("y",), types=None, infer=None, **node):
    operator = Operator("Foo", DOMAIN, compute, infer, seconds=0.2)
    made = helper.make_node("Foo", ["x"], list(outputs), "foo", domain=DOMAIN, **node)
    return Call(operator, made, types or {})


def endless(x):
    while True:
        pass


def swallowing(x):
    while True:
        try:
            time.sleep(0.01)
        except Exception:  # noqa: BLE001 - that is what is tried
            continue


def writing(x):
    x *= 2
    return x


FLOAT23 = {"y": TensorType("float32", (2, 3))}


@pytest.mark.parametrize(
    ("compute", "outputs", "types", "said"),
    [
        (lambda x: x / None, ["y"], {}, "raises TypeError: unsupported operand"),
        (lambda x: exec("raise SystemExit('bye')"), ["y"], {}, "raises SystemExit: bye"),
        (
            lambda: 1,
            ["y"],
            {},
            "raises TypeError: <lambda>\\(\\) takes 0 positional arguments but 1 was given",
        ),
        (endless, ["y"], {}, "takes more than 0.2 s"),
        (swallowing, ["y"], {}, "takes more than 0.2 s"),
        (writing, ["y"], {}, "raises ValueError: output array is read-only"),
        (lambda x: None, ["y"], {}, "gives NoneType for 'y', not a numpy array"),
        (lambda x: 1.0, ["y"], {}, "gives float for 'y', not a numpy array"),
        (lambda x: x.astype(object), ["y"], {}, "gives an array of object for 'y', not of numbers"),
        (lambda x: x * 1j, ["y"], {}, "gives an array of complex64 for 'y'"),
        (lambda x: x, ["y", "z"], {}, "gives 1 output; the node has 2 outputs"),
        (
            lambda x: x.astype(np.float64),
            ["y"],
            {},
            "gives float64 for 'y' and reads float32: return .astype",
        ),
        (
            lambda x: x.astype(np.float64),
            ["y"],
            FLOAT23,
            "gives float64 for 'y', where the model declares float32",
        ),
        (lambda x: x[:1], ["y"], FLOAT23, r"gives shape \[1, 3\] for 'y', where the model declares \[2, 3\]"),
        (lambda x: x[0], ["y"], FLOAT23, r"gives shape \[3\] for 'y'"),
    ],
)
def test_faults(compute, outputs, types, said):
    with pytest.raises(BuildFailure, match=f"^the custom operator my.ops::Foo {said}") as caught:
        call(compute, outputs, types)([X])
    assert caught.value.message.endswith("(node 'foo').")
    assert "\n" not in caught.value.message
    assert caught.value.node == "foo"


@pytest.mark.parametrize(
    ("infer", "said"),
    [
        (lambda x: [ValueType("int64", x.shape)], "gives float32 for 'y', where its `infer` says int64"),
        (
            lambda x: [ValueType(x.dtype, (2, 4))],
            r"gives shape \[2, 3\] for 'y', where its `infer` says \[2, 4\]",
        ),
        (lambda x: [], "has an `infer` that does not give 1 of ValueType"),
        (lambda x: ["float32"], "has an `infer` that does not give 1 of ValueType"),
        (lambda x: x.rank, "raises AttributeError in its `infer`"),
    ],
)
def test_what_infer_says_has_to_hold(infer, said):
    with pytest.raises(BuildFailure, match=said):
        call(lambda x: x, infer=infer)([X])
    kept = call(lambda x: x, infer=lambda x: [ValueType(x.dtype, (None, 3))])([X])
    np.testing.assert_array_equal(kept["y"], X)


def test_outputs_are_the_operators_own_and_the_callers():
    """An operator may give back its input, or keep what it gave."""
    given = call(lambda x: x)([X])["y"]
    given[:] = 7
    assert X[0, 0] == 0
    kept = np.zeros(3, np.float32)
    first = call(lambda x: kept)([X])["y"]
    kept += 1
    assert not first.any()


def test_left_out_inputs_are_none_and_left_out_outputs_are_not_asked_for():
    node = helper.make_node("Foo", ["x", "", "z"], ["", "y", ""], "foo", domain=DOMAIN)
    seen = []
    found = Call(Operator("Foo", DOMAIN, lambda *i: (seen.extend(i), (i[0], i[0] + 1))[1]), node, {})(
        [X, None, X]
    )
    assert seen[1] is None
    assert list(found) == ["y"]
    np.testing.assert_array_equal(found["y"], X + 1)


def test_attributes_are_plain_python_without_those_for_the_parser():
    tensor = numpy_helper.from_array(np.eye(2, dtype=np.float32))
    given = {"i": 3, "f": 0.5, "s": "text", "is": [1, 2], "fs": [0.5], "ss": ["a", "b"], "t": tensor}
    node = helper.make_node("Foo", ["x"], ["y"], "foo", plugin_version="1", plugin_namespace="", **given)
    found = attributes(node)
    np.testing.assert_array_equal(found.pop("t"), np.eye(2))
    assert found == {name: value for name, value in given.items() if name != "t"}


def test_narrow_floats_and_wide_ones_that_are_read_pass():
    wide = call(lambda x: x * 2.0)([X.astype(np.float64)])["y"]
    assert wide.dtype == np.float64
    narrow = call(lambda x: x)([X.astype(ml_dtypes.bfloat16)])["y"]
    assert narrow.dtype == ml_dtypes.bfloat16
    counted = call(lambda x: np.array(x.size))([X])["y"]
    assert counted.dtype == np.int64


def test_the_node_is_not_needed_to_have_attributes():
    assert attributes(onnx.NodeProto(op_type="Foo")) == {}
