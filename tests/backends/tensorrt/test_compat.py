"""The capability table against versions that were looked at."""

from __future__ import annotations

import enum

import pytest

from trtdebug.backends.tensorrt import compat


@pytest.mark.parametrize(
    ("capability", "versions"),
    [
        ("LAYER_PRECISION", {"8.6.0": True, "10.16.1.11": True, "11.4.0.106": False}),
        ("FP16_FLAG", {"8.6.0": True, "10.16.1.11": True, "11.0.0.114": False}),
        ("BF16_FLAG", {"8.6.0": False, "10.16.1.11": True, "11.4.0.106": False}),
        ("ALGORITHM_SELECTOR", {"8.6.0": True, "10.16.1.11": True, "11.4.0.106": False}),
        ("EDITABLE_TIMING_CACHE", {"8.6.0": False, "10.7.0": False, "10.8.0": True, "11.4.0.106": True}),
        ("UNFUSED_DEBUG_TENSORS", {"10.11.0": False, "10.12.0.36": True, "11.4.0.106": True}),
        ("DEBUG_TENSORS", {"8.6.0": False, "10.0.1": True, "11.4.0.106": True}),
        ("STRONG_TYPING", {"8.6.0": False, "10.16.1.11": True, "11.4.0.106": True}),
        ("CALIBRATION", {"8.6.0": True, "10.16.1.11": True, "11.0.0.114": False}),
        ("NATIVE_INT64", {"8.6.0": False, "10.16.1.11": True}),
        ("BUILD_ROUTE", {"11.0.0.114": False, "11.1.0.106": True}),
    ],
)
def test_capabilities_by_version(capability: str, versions: dict[str, bool]) -> None:
    assert {v: compat.has(capability, v) for v in versions} == versions


def test_unknown_capability_and_version() -> None:
    with pytest.raises(KeyError):
        compat.has("TELEPATHY", "8.6.0")
    with pytest.raises(ValueError, match="not a TensorRT version"):
        compat.has("LAYER_PRECISION", "dev")


def test_ten_sorts_after_nine() -> None:
    assert compat.parse_version("10.16.1.11") == (10, 16)
    assert compat.parse_version("9.3.0") < compat.parse_version("10.0.1")


def test_members_are_found_by_name() -> None:
    kind = enum.Enum("kind", "CUBLAS JIT")
    assert compat.member(kind, "JIT") is kind.JIT
    assert compat.member(kind, "CUDNN") is None
    assert compat.names(kind) == ("CUBLAS", "JIT")


def test_tensorrt_rtx_counts_as_the_tensorrt_that_it_is_like() -> None:
    assert compat.has("STRONG_TYPING", "1.7.1.116")
    assert not compat.has("WEAK_TYPING", "1.7.1.116")


def test_an_optional_attribute_has_to_be_declared() -> None:
    class ParserError:
        node_name = "named"

    assert compat.optional(ParserError(), "ParserError.node_name") == "named"
    assert compat.optional(ParserError(), "ParserError.node_operator") is None
    with pytest.raises(KeyError, match="desc"):
        compat.optional(ParserError(), "ParserError.desc")
