from __future__ import annotations

from negative_sizes import sliced_batch

from trtdebug.graph.converted import converted
from trtdebug.graph.opsets import opset_of


def test_a_size_below_zero_crashes_nothing() -> None:
    model = sliced_batch(11)
    assert opset_of(converted(model, 13)) == 13
    assert (
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == -1
    )  # the user's model stays as it is
