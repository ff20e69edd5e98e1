"""Names as words of a shell, and on a terminal."""

from __future__ import annotations

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.scripts.words import printable, shell_word

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
ODD = ["--x\x1b[31m", "%s%n\x07", "a'b\n", "\n\n", "$(touch x)\x1b`y`", '"\\\r"', "-", "größe\u2028"]


@settings(max_examples=10, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=12))
def test_a_shell_reads_each_word_as_it_was(texts: list[str]) -> None:
    texts = [*texts, *ODD]
    words = [shell_word(text) for text in texts]
    assert all(word.replace("\n", "").isprintable() for word in words)
    line = "printf '%s\\0' " + " ".join(words)
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == texts


@given(st.text())
def test_nothing_acts_on_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
