"""A timing cache is read back as it was written, or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trtdebug.backends.tensorrt.timing_cache import TimingCacheFile

CONTENT = bytes(range(256)) * 40 + b"\n{}\n"
HERE = "TensorRT 8.6.0 on NVIDIA H200"


@pytest.fixture
def file(tmp_path: Path) -> TimingCacheFile:
    cache = TimingCacheFile(tmp_path / "timing.cache", HERE)
    cache.write(CONTENT)
    return cache


def test_there_and_back(file: TimingCacheFile) -> None:
    assert file.read() == (CONTENT, "")
    file.write(b"")
    assert file.read() == (b"", "")
    assert os.listdir(file.path.parent) == ["timing.cache"]


def test_no_file_is_no_trouble(tmp_path: Path) -> None:
    assert TimingCacheFile(tmp_path / "timing.cache", HERE).read() == (b"", "")


@pytest.mark.parametrize("kept", [0, 1, 30, 100, 200, 5000, -1])
def test_a_file_that_was_cut_off_is_left_out(file: TimingCacheFile, kept: int) -> None:
    file.path.write_bytes(file.path.read_bytes()[:kept])
    content, note = file.read()
    assert content == b""
    assert note.startswith(f"the timing cache {file.path} is ")
    file.write(CONTENT)
    assert file.read() == (CONTENT, "")


@pytest.mark.parametrize(
    "foreign", [CONTENT, b"null\n" + CONTENT, b"[]\n", b'{"maker": 1}\n', b'{"sha256": ""}\n']
)
def test_a_file_that_something_else_wrote_is_left_out(file: TimingCacheFile, foreign: bytes) -> None:
    file.path.write_bytes(foreign)
    assert file.read() == (b"", f"the timing cache {file.path} is not one of trtdebug's, and was left out")


def test_another_gpu_has_other_timings(file: TimingCacheFile) -> None:
    elsewhere = TimingCacheFile(file.path, "TensorRT 8.6.0 on NVIDIA A100")
    assert elsewhere.read() == (b"", f"the timing cache {file.path} is of {HERE}, and was left out")


def test_a_flipped_bit_is_seen(file: TimingCacheFile) -> None:
    damaged = bytearray(file.path.read_bytes())
    damaged[-7] ^= 1
    file.path.write_bytes(damaged)
    assert file.read() == (b"", f"the timing cache {file.path} is damaged, and was left out")


def test_a_dropped_file_is_no_file(file: TimingCacheFile) -> None:
    for _ in range(2):
        file.drop()
        assert file.read() == (b"", "")


def test_an_update_is_given_what_others_wrote_meanwhile(file: TimingCacheFile) -> None:
    file.update(CONTENT, lambda others: others + b"mine")
    assert file.read() == (b"mine", "")
    file.update(CONTENT, lambda others: others + b", too")
    assert file.read() == (b"mine, too", "")


def test_an_update_of_a_file_that_somebody_dropped_writes_it_anew(file: TimingCacheFile) -> None:
    file.drop()
    file.update(CONTENT, lambda others: others + b"mine")
    assert file.read() == (b"mine", "")


def test_no_update_is_lost(tmp_path: Path) -> None:
    file = TimingCacheFile(tmp_path / "timing.cache", HERE)

    def add(number: int) -> None:
        began_with = file.read()[0]
        file.update(began_with, lambda others: bytes(sorted({*began_with, *others, number})))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(100)))
    assert file.read()[0] == bytes(range(100))
