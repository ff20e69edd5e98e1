"""Stored tensors: any name, any dtype, no pickle, nothing outside the folder."""

from __future__ import annotations

import resource
import tracemalloc
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.core.errors import UserError
from trtdebug.session.job import TensorRef
from trtdebug.session.tensors import TensorStore

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def store(tmp_path):
    return TensorStore(tmp_path / "tensors")


NAMES = [
    "x",
    "",
    "/layer.0/Add_output_0",
    "..",
    "../../outside",
    "/etc/passwd",
    "a\\b",
    "x:0",
    "größe ☃ 张量",
    "\ud800 half a pair",
    "new\nline",
    "nul\0",
    "x" * 4000,
    "é" * 4000,
    ".npy",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda n: ascii(n)[:20])
def test_any_name_is_stored_and_found(store, name):
    ref = TensorRef(name)
    assert not store.has("0", ref)
    store.put("0", ref, X)
    assert store.has("0", ref)
    np.testing.assert_array_equal(store.get("0", ref), X)
    written = [p for p in store.folder.parent.rglob("*") if p.is_file()]
    assert written == [store.path("0", ref)]
    assert written[0].resolve().is_relative_to(store.folder.resolve())


def test_names_that_look_alike_are_kept_apart(store):
    names = [*NAMES, "X", "a/b", "a_b", "a:b", "x" * 3999]
    for i, name in enumerate(names):
        store.put("0", TensorRef(name), np.array(i))
    assert [int(store.get("0", TensorRef(n))) for n in names] == list(range(len(names)))


def test_samples_and_trials_are_kept_apart(store):
    refs = [("0", TensorRef("x")), ("1", TensorRef("x")), ("0", TensorRef("x", "ab" * 32))]
    for i, (sample, ref) in enumerate(refs):
        store.put(sample, ref, np.array(i))
    assert [int(store.get(s, r)) for s, r in refs] == [0, 1, 2]


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_no_name_leaves_the_folder(name):
    store = TensorStore(Path("tensors"))
    path = store.path("0", TensorRef(name))
    assert path.parent == store.folder / "samples" / "0"
    assert len(path.name) < 100
    assert path.name.isascii()


def test_what_is_missing_is_said(store):
    with pytest.raises(UserError, match=r"x-.*npy is missing"):
        store.get("0", TensorRef("x"))


@pytest.mark.parametrize("content", [b"", b"hi\n", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_said(store, content):
    path = store.path("0", TensorRef("x", "ab" * 32))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged") as told:
        store.get("0", TensorRef("x", "ab" * 32))
    assert path.name in str(told.value)
    assert "done anew" in told.value.hint


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "bool", "complex64"]
)
def test_dtypes_come_back_as_they_were(store, dtype):
    store.put("0", TensorRef("x"), X.astype(dtype))
    back = store.get("0", TensorRef("x"))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, X.astype(dtype))


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_narrow_floats_are_stored_exactly_as_float32(store, dtype):
    with np.errstate(invalid="ignore"):
        every = (
            np.arange(2 ** (8 * np.dtype(dtype).itemsize)).astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
        )
        store.put("0", TensorRef("x"), every)
        back = store.get("0", TensorRef("x"))
        assert back.dtype == np.float32
        np.testing.assert_array_equal(back.astype(dtype).astype(np.float64), every.astype(np.float64))


def test_four_bit_integers_are_stored_as_int8(store):
    store.put("0", TensorRef("x"), np.array([-8, 7]).astype(ml_dtypes.int4))
    back = store.get("0", TensorRef("x"))
    assert back.dtype == np.int8
    assert back.tolist() == [-8, 7]


@pytest.mark.parametrize("value", [np.float32(3), np.zeros((0, 3), np.float32), np.zeros((2, 0), np.int64)])
def test_scalars_and_empty_tensors(store, value):
    store.put("0", TensorRef("x"), np.asarray(value))
    back = store.get("0", TensorRef("x"))
    assert (back.shape, back.dtype) == (value.shape, value.dtype)


def test_strings_are_stored_without_a_pickle(store):
    store.put("0", TensorRef("x"), np.array(["a", "größe"], dtype=object))
    assert store.get("0", TensorRef("x")).tolist() == ["a", "größe"]


def test_a_pickle_is_not_read(store):
    path = store.path("0", TensorRef("x"))
    path.parent.mkdir(parents=True)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"no \.npy file of numbers"):
        store.get("0", TensorRef("x"))


def test_stored_tensors_are_read_only(store):
    store.put("0", TensorRef("x"), X)
    with pytest.raises(ValueError, match="read-only"):
        store.get("0", TensorRef("x"))[0, 0] = 1


def test_a_tensor_can_be_replaced_while_it_is_read(store):
    store.put("0", TensorRef("x"), X)
    old = store.get("0", TensorRef("x"))
    store.put("0", TensorRef("x"), X + 1)
    np.testing.assert_array_equal(old, X)
    np.testing.assert_array_equal(store.get("0", TensorRef("x")), X + 1)


def test_what_can_not_be_stored_leaves_nothing_behind(store):
    bad = np.array([object()], dtype=[("a", object)])
    with pytest.raises((ValueError, TypeError)):
        store.put("0", TensorRef("x"), bad)
    assert not store.has("0", TensorRef("x"))


@pytest.mark.parametrize("layout", ["whole", "strided"])
def test_storing_in_a_wider_type_takes_no_copy(store, layout):
    """64 MiB of bfloat16 become 128 MiB of float32, block by block."""
    value = np.ones((2, 16 << 20), ml_dtypes.bfloat16)
    value[1, 5] = 2
    value = value if layout == "whole" else value[:, ::2]
    tracemalloc.start()
    store.put("0", TensorRef("x"), value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    np.testing.assert_array_equal(store.get("0", TensorRef("x")), value.astype(np.float32))


def test_thousands_of_tensors_can_be_open_at_once(store):
    """A map takes a file descriptor; most systems give 1024 to a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        for i in range(300):
            store.put("0", TensorRef(f"t{i}"), np.array([i]))
        opened = [store.get("0", TensorRef(f"t{i}")) for i in range(300)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [int(t[0]) for t in opened] == list(range(300))
