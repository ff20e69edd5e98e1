"""Engine files: told from models, checked before TensorRT sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdebug.backends.tensorrt.engine_file import (
    EngineHeader,
    engine_sha256,
    is_engine_file,
    read_header,
    refusal,
)
from trtdebug.core.errors import UserError

HEAD = b"ftrt\0\0\0\0" + bytes(16) + bytes([10, 16, 1, 11])


def file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_an_engine_is_told_by_its_name_or_its_first_bytes(tmp_path: Path) -> None:
    assert is_engine_file(tmp_path / "missing.PLAN")
    assert is_engine_file(file(tmp_path, "model", HEAD + b"more"))
    assert is_engine_file(file(tmp_path, "old", b"ptrt" + bytes(40)))
    assert not is_engine_file(file(tmp_path, "model.onnx", b"\x08\x08\x12\x00"))
    assert not is_engine_file(tmp_path)


def test_the_header_names_the_version_that_made_it(tmp_path: Path) -> None:
    assert read_header(file(tmp_path, "a.engine", HEAD + bytes(9))) == EngineHeader("10.16.1.11")
    longer = HEAD[:16] + (1000).to_bytes(8, "little") + HEAD[24:]
    assert read_header(file(tmp_path, "d.engine", longer + bytes(72))) == EngineHeader(
        "10.16.1.11", missing=900
    )
    later = b"ftrt\1\0\0\0" + bytes(24)
    assert read_header(file(tmp_path, "b.engine", later)) == EngineHeader(None)
    assert read_header(file(tmp_path, "c.engine", b"ptrt" + bytes(40))) == EngineHeader(None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "truncated"),
        (HEAD[:20], "truncated"),
        (b"\x08\x08" + bytes(60), "no serialized TensorRT engine"),
        (bytes(range(200)), "no serialized TensorRT engine"),
        (b"vtrt" + HEAD[4:], "TensorRT-RTX, which is another product"),
    ],
)
def test_what_is_no_engine_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        engine_sha256(file(tmp_path, "x.engine", content))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_header(tmp_path / "x.engine")
    (tmp_path / "folder.engine").mkdir()
    with pytest.raises(UserError, match="directory"):
        read_header(tmp_path / "folder.engine")


def test_the_refusal_names_both_versions_and_tensorrts_words() -> None:
    other = refusal(Path("m/x.engine"), EngineHeader("10.16.1.11"), "8.6.0", "Version tag does not match")
    assert other == (
        "TensorRT 8.6.0 does not load the engine x.engine made by TensorRT 10.16.1.11 (another version): "
        "Version tag does not match"
    )
    assert "x.engine, which is 9 bytes short: bad" in refusal(
        Path("x.engine"), EngineHeader(None, 9), "8.6.0", "bad"
    )
    assert "another" not in refusal(Path("x.engine"), EngineHeader("8.6.0.12"), "8.6.0", "device")
    assert refusal(Path("x.engine"), EngineHeader(None), "8.6.0", "bad").endswith("the engine x.engine: bad")
