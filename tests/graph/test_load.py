from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from seed_models import identity_add_identity, mnist, model_of, node, value

from trtdebug.core.errors import UserError
from trtdebug.graph import load
from trtdebug.graph.load import content_sha256, load_model, load_skeleton, save_model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    save_model(mnist(), path)
    return path


def external(path: Path) -> Path:
    """Saves a model with its weights outside; gives the file of the weights."""
    onnx.save(mnist(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path.parent / "weights.bin"


def test_a_saved_model_loads_as_it_was(saved: Path) -> None:
    model = load_model(saved)
    assert model == mnist()
    assert (model.ir_version, model.opset_import[0].version) == (8, 13)


def test_loading_names_the_nodes(tmp_path: Path) -> None:
    save_model(
        model_of([node("Relu", ["x"], ["y"])], [value("x", [1])], [value("y", [1])]), tmp_path / "m.onnx"
    )
    assert load_model(tmp_path / "m.onnx").graph.node[0].name == "node_of_y"


def test_external_weights_are_loaded(tmp_path: Path) -> None:
    external(tmp_path / "model.onnx")
    weights = {tensor.name: tensor for tensor in load_model(tmp_path / "model.onnx").graph.initializer}
    expected = {tensor.name: tensor for tensor in mnist().graph.initializer}
    np.testing.assert_array_equal(
        onnx.numpy_helper.to_array(weights["w9"]), onnx.numpy_helper.to_array(expected["w9"])
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"hello, this is text\n", "not an ONNX model"),
        (bytes(range(256)) * 8, "not an ONNX model"),
        (b"\x08\x08", "truncated or empty"),
        (b"PK\x03\x04" + b"\0" * 100, "not an ONNX model"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_model(path)
    assert str(path) in caught.value.message


def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = identity_add_identity().SerializeToString()
    path = tmp_path / "model.onnx"
    for end in range(1, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(UserError):
            load_model(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        load_model(tmp_path / "none.onnx")
    with pytest.raises(UserError, match="is a folder"):
        load_model(tmp_path)


def test_missing_external_weights_are_named(tmp_path: Path) -> None:
    weights = external(tmp_path / "model.onnx")
    weights.unlink()
    with pytest.raises(UserError, match=r"weights\.bin, which does not exist"):
        load_model(tmp_path / "model.onnx")


def test_short_external_weights_are_named(tmp_path: Path) -> None:
    weights = external(tmp_path / "model.onnx")
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"weights\.bin has \d+ bytes, but tensor .* needs \d+"):
        load_model(tmp_path / "model.onnx")


def test_weights_outside_the_models_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 16)
    model = identity_add_identity()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="outside the model's folder"):
        load_model(path)


def test_large_models_are_saved_with_external_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "EXTERNAL_ABOVE", 100_000)
    model = mnist()
    save_model(model, tmp_path / "model.onnx")
    assert model == mnist(), "the model in memory must stay whole"
    assert (tmp_path / "model.onnx").stat().st_size < 10_000
    assert load_model(tmp_path / "model.onnx") == model


def test_an_interrupted_save_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="no space"):
        save_model(identity_add_identity(), saved)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == ["model.onnx"]


def test_the_hash_covers_external_weights(tmp_path: Path) -> None:
    weights = external(tmp_path / "model.onnx")
    before = content_sha256(tmp_path / "model.onnx")
    data = bytearray(weights.read_bytes())
    data[5] ^= 1
    weights.write_bytes(bytes(data))
    assert content_sha256(tmp_path / "model.onnx") != before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes by name are Unix's")
@pytest.mark.parametrize("read", [load_model, load_skeleton, content_sha256])
def test_a_pipe_is_no_model_and_is_not_waited_for(read: Callable[[Path], object], tmp_path: Path) -> None:
    """As from `<(curl ...)` or /dev/stdin: read once, it is empty the next time; nobody writes into this one."""
    pipe = tmp_path / "model.onnx"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"model\.onnx is a pipe or a device, not an ONNX model\.") as caught:
        read(pipe)
    assert caught.value.hint == "A model is read more than once: write it to a file, and give that."
