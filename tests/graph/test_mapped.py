"""Large weights stay in their files: read by map, rounded and widened in the run, and never written once more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from mapped_models import STEPS, TABLE, mapped_model
from onnx import TensorProto, numpy_helper
from seed_models import value

from trtdebug.graph import load
from trtdebug.graph.load import content_sha256, load_mapped, load_model, read_mapped, save_model
from trtdebug.graph.mapped import is_mapped, values_of
from trtdebug.graph.widen import widened


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return mapped_model(tmp_path, monkeypatch)


def test_large_weights_are_left_and_read_by_map(path: Path) -> None:
    model = load_mapped(path)
    table, steps = model.graph.initializer
    assert is_mapped(table)
    assert not table.raw_data
    np.testing.assert_array_equal(values_of(table), TABLE)
    assert not is_mapped(steps)
    np.testing.assert_array_equal(numpy_helper.to_array(steps), STEPS)


def test_few_weights_are_loaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAPPED_ABOVE", TABLE.nbytes)
    assert load_mapped(path) == load_model(path)


def test_a_default_of_an_input_is_loaded(path: Path) -> None:
    model = onnx.load(path, load_external_data=False)
    model.graph.input.append(value("table", [64, 64]))
    path.write_bytes(model.SerializeToString())
    assert not any(is_mapped(tensor) for tensor in load_mapped(path).graph.initializer)


def test_what_was_left_can_be_loaded_later(path: Path) -> None:
    model = load_mapped(path)
    read_mapped(model)
    assert model == load_model(path)


def test_saved_elsewhere_the_file_of_weights_has_a_second_name_and_no_copy(
    path: Path, tmp_path: Path
) -> None:
    model = load_mapped(path)
    save_model(model, tmp_path / "work" / "a.onnx")
    save_model(model, tmp_path / "work" / "b.onnx")
    (linked,) = (tmp_path / "work" / "weights").iterdir()
    assert linked.samefile(path.parent / "tables" / "t.bin")
    assert load_model(tmp_path / "work" / "b.onnx") == load_model(path)
    assert model == load_mapped(path), "in memory it stays as it was"
    assert content_sha256(tmp_path / "work" / "a.onnx") == content_sha256(tmp_path / "work" / "b.onnx")


def test_on_another_file_system_it_is_copied_once(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    save_model(load_mapped(path), tmp_path / "work" / "a.onnx")
    (copied,) = (tmp_path / "work" / "weights").iterdir()
    assert not copied.samefile(path.parent / "tables" / "t.bin")
    assert load_model(tmp_path / "work" / "a.onnx") == load_model(path)


def test_widened_they_stay_in_their_files_too(path: Path) -> None:
    wide = widened(load_mapped(path))
    (cast, *_) = wide.graph.node
    assert (cast.op_type, list(cast.output), cast.attribute[0].i) == ("Cast", ["table"], TensorProto.DOUBLE)
    assert is_mapped(next(t for t in wide.graph.initializer if t.name == cast.input[0]))
