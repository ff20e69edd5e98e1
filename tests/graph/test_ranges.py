from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from seed_models import model_of, node, value, weight

from trtdebug.core.errors import UserError
from trtdebug.graph.load import load_model
from trtdebug.graph.ranges import index_ranges, parse_ranges


@pytest.mark.parametrize(
    ("items", "ranges"),
    [
        (["[0,1]"], {"": (0, 1)}),
        (["0,256"], {"": (0, 256)}),
        (["x:[-1,1]"], {"x": (-1, 1)}),
        (["sr:[16000,16000]"], {"sr": (16000, 16000)}),
        (["x:0:[0, 1e3]"], {"x:0": (0, 1000)}),
        (["[0,1] x:[2,3]", "y:-1,1"], {"": (0, 1), "x": (2, 3), "y": (-1, 1)}),
    ],
)
def test_ranges_of_all_and_of_one(items: list[str], ranges: dict[str, tuple[float, float]]) -> None:
    assert parse_ranges(items) == ranges


@pytest.mark.parametrize("item", ["1", "[1,0]", "[0,nan]", "[0,inf]", "x:[a,b]", ":[0,1]", "[1,2,3]", "x:"])
def test_anything_else_is_one_clear_error(item: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_ranges([item])
    assert "NAME:[LOW,HIGH]" in caught.value.hint


def ids(nodes: Sequence[onnx.NodeProto], *weights: onnx.TensorProto) -> dict[str, tuple[int, int]]:
    inputs = [value("ids", ["B", 4], TensorProto.INT32)]
    return index_ranges(model_of(nodes, inputs, [value("y", None)], weights))


TABLE = weight("table", np.zeros((50, 8), np.float32))


def test_an_embedding_gives_its_rows() -> None:
    assert ids([node("Gather", ["table", "ids"], ["y"])], TABLE) == {"ids": (0, 49)}
    assert ids([node("Gather", ["table", "ids"], ["y"], axis=-1)], TABLE) == {"ids": (0, 7)}


def test_casts_and_reshapes_keep_the_values() -> None:
    nodes = [
        node("Cast", ["ids"], ["wide"], to=TensorProto.INT64),
        node("Reshape", ["wide", "shape"], ["flat"]),
        node("Transpose", ["flat"], ["turned"]),
        node("Gather", ["table", "turned"], ["y"]),
    ]
    assert ids(nodes, TABLE, weight("shape", [-1])) == {"ids": (0, 49)}


def test_the_smallest_table_counts() -> None:
    nodes = [node("Gather", ["table", "ids"], ["y"]), node("Gather", ["small", "ids"], ["z"])]
    assert ids(nodes, TABLE, weight("small", np.zeros((3, 8), np.float32))) == {"ids": (0, 2)}


def test_one_hot_gives_its_depth() -> None:
    nodes = [node("OneHot", ["ids", "depth", "values"], ["y"])]
    assert ids(nodes, weight("depth", [10]), weight("values", [0, 1])) == {"ids": (0, 9)}


def test_a_comparison_with_all_classes_gives_them() -> None:
    nodes = [node("Unsqueeze", ["ids", "axes"], ["wide"]), node("Equal", ["wide", "classes"], ["y"])]
    classes = weight("classes", np.arange(257, dtype=np.int32))
    assert ids(nodes, weight("axes", [2]), classes) == {"ids": (0, 256)}


def test_arithmetic_and_padding_tell_nothing() -> None:
    assert ids([node("Add", ["ids", "one"], ["more"]), node("Gather", ["table", "more"], ["y"])], TABLE) == {}
    assert ids([node("Equal", ["ids", "zero"], ["y"])], weight("zero", np.array([0], np.int32))) == {}


@pytest.mark.parametrize(
    ("name", "ranges"),
    [
        ("magika_standard_v3_3.onnx", {"bytes": (0, 256)}),
        ("magika_fast_v2_1.onnx", {"bytes": (0, 256)}),
        ("minilm_l6_v4096.onnx", {"input_ids": (0, 4095)}),
        ("silero_vad_16k_op15.onnx", {}),
    ],
)
def test_real_models(
    model_path: Callable[[str], Path], name: str, ranges: dict[str, tuple[int, int]]
) -> None:
    assert index_ranges(load_model(model_path(name))) == ranges
