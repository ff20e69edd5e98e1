"""Optimisation profiles: shapes for every input, values for those that hold shapes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trtdebug.backends.tensorrt.config import fed_name, input_ranges
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure

ROWS = Profile((1, 4), (2, 4), (8, 4))
TARGET = Profile((2, 6), (3, 4), (6, 6))


def network(**inputs: SimpleNamespace) -> Any:
    tensors = [SimpleNamespace(name=name, **vars(tensor)) for name, tensor in inputs.items()]
    return SimpleNamespace(num_inputs=len(tensors), get_input=tensors.__getitem__)


def data(*shape: int) -> SimpleNamespace:
    return SimpleNamespace(shape=shape, is_shape_tensor=False)


def holding_a_shape(*shape: int) -> SimpleNamespace:
    return SimpleNamespace(shape=shape, is_shape_tensor=True)


def plan(profiles: dict[str, Profile] | None = None, values: dict[str, Profile] | None = None) -> Any:
    return SimpleNamespace(profiles=profiles or {}, values=values or {})


def test_fixed_shapes_stay_and_dynamic_ones_get_what_is_given() -> None:
    found = input_ranges(plan({"x": ROWS, "w": ROWS}), network(x=data(-1, 4), w=data(3, 3), s=data()))
    assert found == {"x": ROWS, "w": Profile((3, 3), (3, 3), (3, 3)), "s": Profile((), (), ())}


def test_an_input_that_holds_a_shape_gets_the_samples_values() -> None:
    net = network(target=holding_a_shape(2))
    assert input_ranges(plan({"target": Profile((2,), (2,), (2,))}, {"target": TARGET}), net) == {
        "target": TARGET
    }


def test_a_shape_of_open_length_gets_the_samples_length() -> None:
    net = network(target=holding_a_shape(-1))
    input_ranges(plan(values={"target": TARGET}), net)
    assert net.get_input(0).shape == (2,)


def test_what_is_not_known_is_told_by_name() -> None:
    with pytest.raises(BuildFailure, match=r"'x' has dynamic shape \(-1, 4\), but no profile"):
        input_ranges(plan(), network(x=data(-1, 4)))
    with pytest.raises(BuildFailure, match="'x' has rank 2, the input 3"):
        input_ranges(plan({"x": ROWS}), network(x=data(-1, 4, 1)))
    with pytest.raises(BuildFailure, match=r"'target' holds a shape.* no sample tells them"):
        input_ranges(plan(), network(target=holding_a_shape(2)))
    wide = Profile((2**40,), (2**40,), (2**40,))
    with pytest.raises(BuildFailure, match="'target' holds a shape, and a value of it is beyond INT32"):
        input_ranges(plan(values={"target": wide}), network(target=holding_a_shape(1)))


def test_an_input_that_is_an_output_too_is_found_under_its_name() -> None:
    assert fed_name("__x", ["x"]) == "x"
    assert fed_name("__x", ["__x", "x"]) == "__x"
    assert input_ranges(plan({"x": ROWS}), network(__x=data(-1, 4))) == {"__x": ROWS}
