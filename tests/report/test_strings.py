"""Strings of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.report.strings import plain, repro_command, shortened


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07rest", "rest"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1b(Bx\x1b=y", "xy"),
        ("a\r\nb\x00", r"a\r\nb\x00"),
        ("größe/张量:0", "größe/张量:0"),
        ("\ud800\u202e", r"\ud800\u202e"),
        ("unfinished\x1b[", "unfinished"),
    ],
    ids=ascii,  # workers of pytest-xdist take no lone surrogates
)
def test_plain(text: str, left: str) -> None:
    assert plain(text) == left


@given(st.text(alphabet=st.characters() | st.sampled_from("\x1b\x9b[];m\x07")))
def test_plain_is_printable_whatever_it_is(text: str) -> None:
    assert plain(text).isprintable()


@given(st.text(max_size=50), st.integers(5, 40))
def test_shortened_keeps_both_ends(text: str, longest: int) -> None:
    short = shortened(text, longest)
    assert len(short) == min(len(text), longest)
    assert (short == text) == (len(text) <= longest)
    assert (short[0], short[-1]) == (text[0], text[-1]) if text else not short


def test_what_shows_a_repro() -> None:
    assert repro_command({"path": "a b"}) == "python 'a b/repro.py'"
    assert repro_command({"path": "a b", "standalone": False}) == "trtdebug repro check 'a b'"
