"""trtexec's flags: what is written is read back as trtexec reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.backends.tensorrt.layer_flags import PinnedLayer, is_sayable, layer_flags


def read_back(words: list[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Precision, and types of the outputs, by layer: split at commas, then at the last colon, as trtexec does."""
    flags = dict(word.split("=", 1) for word in words)
    assert flags["--precisionConstraints"] == "obey"
    pairs = [entry.rpartition(":") for entry in flags["--layerPrecisions"].split(",")]
    types = [entry.rpartition(":") for entry in flags["--layerOutputTypes"].split(",")]
    return {n: p for n, _, p in pairs}, {n: t.split("+") for n, _, t in types}


SAYABLE = st.text(st.characters(exclude_categories=("Cs",)), max_size=30).filter(is_sayable)


@given(
    st.dictionaries(
        SAYABLE, st.tuples(st.sampled_from(["fp32", "fp16", "bf16"]), st.integers(1, 3)), min_size=1
    )
)
def test_flags_say_what_is_pinned(pins: dict[str, tuple[str, int]]) -> None:
    words, unsayable = layer_flags(PinnedLayer(name, *rest) for name, rest in pins.items())
    assert unsayable == []
    assert read_back(words) == (
        {name: dtype for name, (dtype, _) in pins.items()},
        {name: [dtype] * outputs for name, (dtype, outputs) in pins.items()},
    )


@pytest.mark.parametrize("name", ["a,b", "it's", "*", "a*b*c", "", ","])
def test_what_cannot_be_said_is_not_half_said(name: str) -> None:
    words, unsayable = layer_flags([PinnedLayer("fine", "fp32"), PinnedLayer(name, "fp32")])
    assert (words, unsayable) == ([], [name])


def test_what_tensorrt_calls_its_own_layers_can_be_said() -> None:
    words, unsayable = layer_flags([PinnedLayer("(Unnamed Layer* 231) [Shuffle]", "fp32")])
    assert unsayable == []
    assert words[1] == "--layerPrecisions=(Unnamed Layer* 231) [Shuffle]:fp32"


def test_nothing_to_say() -> None:
    assert layer_flags([]) == ([], [])
