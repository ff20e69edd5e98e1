"""Inputs with fixed shapes: what is not named stays, and what does not fit is refused."""

from __future__ import annotations

import pytest
from seed_models import mnist, shape_arithmetic

from trtdebug.core.errors import UserError
from trtdebug.graph.freeze import freeze_shapes
from trtdebug.graph.types import tensor_types


def test_a_shape_is_frozen_and_told() -> None:
    """Seed T12."""
    model = shape_arithmetic()
    assert freeze_shapes(model, {"tensor0": (2, 3, 4, 5)}) == ["input 'tensor0' frozen to [2, 3, 4, 5]"]
    assert tensor_types(model)["tensor0"].shape == (2, 3, 4, 5)
    assert freeze_shapes(model, {"tensor0": (2, 3, 4, 5)}) == [], "it has that shape"


def test_an_input_that_is_not_named_stays() -> None:
    model = mnist()
    assert freeze_shapes(model, {}) == []
    assert model == mnist()


def test_a_shape_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="but the model wants"):
        freeze_shapes(shape_arithmetic(), {"tensor0": (4, 3, 64, 64)})
