"""What an engine gives has to be arrays; anything else makes the trial untestable, and names the backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trtdebug.session.engine_outputs import outputs_of

X = np.ones(2, np.float32)


class Gives:
    def __init__(self, what: Any) -> None:
        self.what = what

    def run(self, feeds: object) -> Any:
        return self.what


class Hands(Gives):
    def stream(self, feeds: object) -> Any:
        return iter(self.what.items())


def outputs(engine: Any) -> dict[str, Any]:
    return dict(outputs_of(engine, {}, "theirs"))


@pytest.mark.parametrize("kind", [Gives, Hands])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1.0], "output 'y' is list"),
        (1.0, "output 'y' is float"),
        (None, "output 'y' is NoneType"),
        (np.array([None, 1]), "output 'y' is an array of object"),
    ],
)
def test_what_is_no_array_of_values_is_refused(kind: type[Gives], value: object, said: str) -> None:
    with pytest.raises(TypeError, match=f"an engine of theirs .* {said}"):
        outputs(kind({"y": value}))


@pytest.mark.parametrize("value", [None, [X], X])
def test_what_has_no_names_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="an engine of theirs has to give arrays by output name"):
        outputs(Gives(value))


@pytest.mark.parametrize("value", [X, np.float32(1), np.array(["a"], object), np.array([True]), X[:0]])
def test_arrays_are_handed_on(value: Any) -> None:
    assert outputs(Gives({"y": value}))["y"] is value
