from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from polygraphy.comparator import IterationResult, RunResults
from polygraphy.json import save_json

from trtdebug.core.errors import UserError
from trtdebug.graph.input_files import load_inputs

SAMPLE = {"x:0": np.arange(6, dtype=np.float32).reshape(2, 3), "a/b": np.array(16000)}


def same(loaded: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert loaded.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape


def write_folder(folder: Path) -> Path:
    folder.mkdir()
    for name, array in SAMPLE.items():
        np.save(folder / f"{quote(name, safe='')}.npy", array)
    return folder


def test_an_npz_is_one_sample(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", **SAMPLE)
    [sample] = load_inputs(tmp_path / "in.npz")
    same(sample, SAMPLE)


def test_a_folder_of_npy_is_one_sample(tmp_path: Path) -> None:
    [sample] = load_inputs(write_folder(tmp_path / "in"))
    same(sample, SAMPLE)


def test_a_folder_of_samples_holds_several_in_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", x=np.zeros(2))
    write_folder(tmp_path / "a")
    np.savez(tmp_path / "c.npz", x=np.ones(2))
    first, second, third = load_inputs(tmp_path)
    same(first, SAMPLE)
    assert (second["x"].sum(), third["x"].sum()) == (0, 2)


def test_polygraphys_saved_inputs(tmp_path: Path) -> None:
    save_json([SAMPLE, SAMPLE], str(tmp_path / "in.json"))
    loaded = load_inputs(tmp_path / "in.json")
    assert len(loaded) == 2
    same(loaded[1], SAMPLE)


def test_polygraphys_results_of_one_runner(tmp_path: Path) -> None:
    results = RunResults()
    results.append(("onnxrt", [IterationResult(outputs=OrderedDict(SAMPLE))]))
    results.save(str(tmp_path / "out.json"))
    [sample] = load_inputs(tmp_path / "out.json")
    same(sample, SAMPLE)
    results.append(("trt", [IterationResult(outputs=OrderedDict(SAMPLE))]))
    results.save(str(tmp_path / "out.json"))
    with pytest.raises(UserError, match="2 runners"):
        load_inputs(tmp_path / "out.json")


def test_foreign_byte_and_memory_order_are_made_native(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)))
    [sample] = load_inputs(tmp_path / "in.npz")
    assert sample["x"].dtype.isnative
    assert sample["x"].flags.c_contiguous
    same(sample, {"x": np.arange(6, dtype=np.float32).reshape(2, 3)})


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was loaded",))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    array = np.array([Evil()], dtype=object)
    np.savez(tmp_path / "in.npz", x=array)
    with pytest.raises(UserError, match="can't be read"):
        load_inputs(tmp_path / "in.npz")
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "x.npy", array)
    with pytest.raises(UserError, match="can't be read"):
        load_inputs(tmp_path / "folder")


@pytest.mark.parametrize("name", ["in.npz", "in.json"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"{}", b"[1, 2]"])
def test_damaged_files_are_one_clear_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        load_inputs(tmp_path / name)


def test_junk_is_said_in_our_own_words(tmp_path: Path) -> None:
    """numpy takes it for a pickle, and advises to load it unsafely."""
    (tmp_path / "in.npz").write_bytes(b"junk, junk, junk")
    with pytest.raises(UserError, match=r"is not an \.npz file"):
        load_inputs(tmp_path / "in.npz")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.npy").write_bytes(b"junk, junk, junk")
    with pytest.raises(UserError, match=r"is not an \.npy file"):
        load_inputs(tmp_path / "folder")


def test_what_is_no_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file or folder"):
        load_inputs(tmp_path / "none")
    with pytest.raises(UserError, match="no inputs that can be read"):
        load_inputs(tmp_path)
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(UserError, match="no inputs that can be read"):
        load_inputs(tmp_path / "x.csv")
