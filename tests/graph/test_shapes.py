from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.core.errors import UserError
from trtdebug.graph.shapes import format_polygraphy, format_trtexec, parse_shapes


@pytest.mark.parametrize(
    ("items", "shapes"),
    [
        (["a:1x3x4,b:2"], {"a": (1, 3, 4), "b": (2,)}),
        (["a:[1,3,4]"], {"a": (1, 3, 4)}),
        (["a:[1,3,4] b:[2]"], {"a": (1, 3, 4), "b": (2,)}),
        (["a:[1,3,4],b:2x2", "c:[5]"], {"a": (1, 3, 4), "b": (2, 2), "c": (5,)}),
        (["a:[1, 3, 4]"], {"a": (1, 3, 4)}),
        (["x:0:1x1x28x28"], {"x:0": (1, 1, 28, 28)}),
        (["x:0:[4,1,28,28]"], {"x:0": (4, 1, 28, 28)}),
        (["gpu_0/data_0:[1,3,224,224]"], {"gpu_0/data_0": (1, 3, 224, 224)}),
        (["sr:[]"], {"sr": ()}),
        (["sr:"], {"sr": ()}),
        (["a:[16，320]"], {"a": (16, 320)}),
        (["a:0x2"], {"a": (0, 2)}),
        (["in put,0:1:[1,2]"], {"in put,0:1": (1, 2)}),
        (["a:[1], the  other:4x1,b:2"], {"a": (1,), "the  other": (4, 1), "b": (2,)}),
        ([], {}),
    ],
)
def test_both_styles(items: list[str], shapes: dict[str, tuple[int, ...]]) -> None:
    assert parse_shapes(items) == shapes


@pytest.mark.parametrize(
    "item", ["a", "[1,2]", ":1x2", "a:[1,x]", "a:1x-1", "a:[1,2", "a:1.5", "a:N", "a:[1x2]", "a:²"]
)
def test_anything_else_is_one_clear_error(item: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_shapes([item])
    assert "x:4x1x28x28" in caught.value.hint


def test_two_shapes_for_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="Two shapes for 'a'"):
        parse_shapes(["a:1", "a:2"])


names = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters=":/._-"), min_size=1)
shapes = st.dictionaries(names, st.lists(st.integers(0, 9999), max_size=5).map(tuple), max_size=4)


@settings(deadline=None)
@given(shapes)
def test_what_is_written_is_read_again(wanted: dict[str, tuple[int, ...]]) -> None:
    assert parse_shapes(format_polygraphy(wanted)) == wanted
    assert parse_shapes([" ".join(format_polygraphy(wanted))]) == wanted
    assert parse_shapes([format_trtexec(wanted)]) == wanted
