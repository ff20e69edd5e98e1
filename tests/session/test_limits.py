"""Sizes, and the memory of a tree of processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trtdebug.session.limits import default_memory, held_memory, parse_size, process_tree, size_words


@pytest.mark.parametrize(
    ("text", "count"),
    [("1000", 1000), ("8G", 8 << 30), ("512 MiB", 512 << 20), ("1.5tb", 3 << 39), ("10kb", 10240), ("7B", 7)],
)
def test_sizes(text, count):
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "0", "0G", "-1G", "8Q", "G", "nan", "inf", "8 G B", "1e9"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="no size such as 8G"):
        parse_size(text)


def test_sizes_in_words():
    assert [size_words(n) for n in (7, 1024, 400 << 20, 3 << 29, 5 << 40)] == [
        "7 bytes", "1 KiB", "400 MiB", "1.5 GiB", "5 TiB",
    ]  # fmt: skip


def test_the_default_leaves_something_for_others():
    assert 0 < default_memory() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


TREE = """
import subprocess, sys
held = b"x" * (64 << 20)
child = subprocess.Popen([sys.executable, "-c", "held = b'x' * (64 << 20); print(1, flush=True); input()"],
                         stdin=subprocess.PIPE)
input()
child.communicate(b"\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_of_a_process_and_its_children():
    with subprocess.Popen(
        [sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"1\n"
        assert len(process_tree(process.pid)) == 2
        assert 128 << 20 <= held_memory(process.pid) < 400 << 20
        process.communicate(b"\n")
    assert held_memory(process.pid) == 0
