"""Exported sessions: what may be opened, and what is left out."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from seed_models import model_of, node, value, weight

from trtdebug.core.case import BuildOptions, Case, OperatorSource, Tolerance
from trtdebug.core.errors import UserError
from trtdebug.graph.load import content_sha256
from trtdebug.session.archive import export_session, import_session
from trtdebug.session.job import TensorRef
from trtdebug.session.places import located
from trtdebug.session.session import Session
from trtdebug.session.without_paths import Places


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Of a model with its weights in another file, with an operator's file; with scratch and logs."""
    home = tmp_path / "größe & co"
    home.mkdir()
    model = model_of(
        [node("Mul", ["x", "w"], ["y"], "/mul")],
        [value("x", [64])],
        [value("y", [64])],
        [weight("w", np.ones(64, np.float32))],
    )
    onnx.save(model, home / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (home / "ops.py").write_text("# an operator")
    content = hashlib.sha256(b"# an operator").hexdigest()
    case = Case(
        model=str(home / "m.onnx"),
        sha256=content_sha256(home / "m.onnx"),
        nodes=1,
        options=BuildOptions(operators=(OperatorSource("python", str(home / "ops.py"), content),)),
        tolerance=Tolerance(),
        reference="onnxruntime",
        candidate="emulator",
        samples=("s0",),
        inputs_sha256="11",
        command=f"trtdebug run {home / 'm.onnx'} --fp16",
    )
    made = Session(tmp_path / "session")
    made.store_case(case)
    made.tensors.put("s0", TensorRef("x"), np.ones(4, np.float32))
    made.tensors.put("s0", TensorRef("y", "ab" * 32), np.ones(4, np.float32))
    (made.folder / "work").mkdir()
    (made.folder / "work" / "piece.onnx").write_text("scratch")
    (made.folder / "trials" / "aa").mkdir(parents=True)
    (made.folder / "trials" / "aa" / "log.txt").write_text(f"{home}/m.onnx: node /mul of {os.__file__}\n")
    (made.folder / "trials" / "aa" / "engine.plan").write_text("an engine")
    (made.folder / "journal.jsonl").write_text('{"time": "t", "event": "opened"}\ncut o')
    return made


def test_all_that_is_needed_is_in_it_and_is_found_when_it_is_opened(session: Session, tmp_path: Path) -> None:
    export_session(session.folder, tmp_path / "s.zip")
    opened = Session(import_session(tmp_path / "s.zip", tmp_path / "new", tmp_path))
    (tmp_path / "größe & co").rename(tmp_path / "gone")
    case = located(opened.case(), opened.folder)
    assert Path(case.model).parent == (tmp_path / "new" / "files" / "0").resolve()
    assert content_sha256(Path(case.model)) == session.case().sha256
    assert Path(case.options.operators[0].name).read_text() == "# an operator"
    assert case.placeless == session.case().placeless
    assert opened.tensors.has("s0", TensorRef("y", "ab" * 32))
    assert (opened.folder / "trials" / "aa" / "log.txt").read_text() == "files/0/m.onnx: node /mul of os.py\n"
    names = {p.name for p in opened.folder.rglob("*")}
    assert not names & {"work", "piece.onnx", "engine.plan", "places.json"}
    assert [e["event"] for e in opened.journal.read()] == ["opened"]


def test_the_weights_of_a_model_go_along_whatever_it_is_called(session: Session, tmp_path: Path) -> None:
    named, case = tmp_path / "größe & co" / "m.model", session.case()
    Path(case.model).rename(named)
    session.store_case(replace(case, model=str(named)))
    sent = export_session(session.folder, tmp_path / "s.zip")
    opened = Session(import_session(sent, tmp_path / "in", tmp_path))
    assert content_sha256(opened.folder / "files" / "0" / "m.model") == case.sha256


def test_it_can_be_without_model_and_tensors(session: Session, tmp_path: Path) -> None:
    export_session(session.folder, tmp_path / "s.zip", model=False, tensors=False)
    opened = Session(import_session(tmp_path / "s.zip", None, tmp_path / "root"))
    assert opened.folder == tmp_path / "root" / "session"
    assert opened.case().model == "m.onnx"
    assert opened.tensors.has("s0", TensorRef("x"))
    assert not opened.tensors.has("s0", TensorRef("y", "ab" * 32))


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "member",
    [
        "../evil",
        "s/../../evil",
        "/evil",
        "s\\..\\..\\evil",
        "C:/evil",
        "evil",
        ".",
        link("s/evil"),
        "other/evil",
    ],
)
def test_nothing_leaves_the_folder(member: str | zipfile.ZipInfo, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("s/case.json", "{}")
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(UserError):
        import_session(tmp_path / "e.zip", tmp_path / "in" / "s", tmp_path)
    assert {p.name for p in tmp_path.rglob("*")} <= {"e.zip", "in"}


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 damaged"])
def test_what_is_no_session_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.zip").write_bytes(content)
    with pytest.raises(UserError, match="cannot be unpacked"):
        import_session(tmp_path / "f.zip", None, tmp_path)
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("s/case.json", "{}")
    with pytest.raises(UserError, match=r"^case\.json in .*/g\.zip is damaged"):
        import_session(tmp_path / "g.zip", None, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"f.zip", "g.zip"}


def encrypted(content: bytearray, _: zipfile.ZipInfo) -> None:
    content[content.find(b"PK\x01\x02") + 8] |= 1


def deflated_wrongly(content: bytearray, info: zipfile.ZipInfo) -> None:
    start = info.header_offset + 30 + len(info.filename)
    content[start : start + 8] = b"\xff" * 8


def named_in_no_utf8(content: bytearray, _: zipfile.ZipInfo) -> None:
    entry = content.find(b"PK\x01\x02")
    content[entry + 9] |= 8
    content[entry + 46] = 0xFF


def of_no_place(content: bytearray, _: zipfile.ZipInfo) -> None:
    entry = content.find(b"PK\x01\x02")
    content[entry + 42 : entry + 46] = b"\xff" * 4


@pytest.mark.parametrize("damage", [encrypted, deflated_wrongly, named_in_no_utf8, of_no_place])
def test_a_damaged_zip_is_one_error(
    damage: Callable[[bytearray, zipfile.ZipInfo], None], session: Session, tmp_path: Path
) -> None:
    sent = export_session(session.folder, tmp_path / "s.zip")
    content = bytearray(sent.read_bytes())
    with zipfile.ZipFile(sent) as archive:
        damage(content, archive.infolist()[0])
    sent.write_bytes(content)
    with pytest.raises(UserError, match=r"s\.zip cannot be unpacked"):
        import_session(sent, tmp_path / "in", tmp_path)
    assert not (tmp_path / "in").exists()


def test_files_older_than_zip_are_taken(session: Session, tmp_path: Path) -> None:
    os.utime(Path(session.case().model), (0, 0))
    sent = export_session(session.folder, tmp_path / "s.zip")
    assert import_session(sent, tmp_path / "in", tmp_path) == tmp_path / "in"


def test_a_file_that_cannot_be_read_is_named(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = session.folder / "trials" / "aa" / "log.txt"
    real = Path.read_text

    def read_text(path: Path, *given: str, **named: str) -> str:
        if path == lost:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *given, **named)

    monkeypatch.setattr(Path, "read_text", read_text)
    with pytest.raises(UserError) as error:
        export_session(session.folder, tmp_path / "s.zip")
    assert error.value.message == f"{lost} cannot be read: Permission denied."
    assert not list(tmp_path.glob("*.zip*"))


def test_paths_that_are_here_go_and_names_of_nodes_stay(tmp_path: Path) -> None:
    places = Places({str(tmp_path): "~"})
    here = Path(os.__file__)
    text = f"{tmp_path}/a, at {here}:12, /encoder/layer.0/MatMul_1, /usr, {here.parent}/nothing.py"
    assert places.text(text) == f"~/a, at {here.name}:12, /encoder/layer.0/MatMul_1, /usr, nothing.py"
    assert json.loads(places.json(f'{{"{tmp_path}": ["{tmp_path}/x", 1.5, null]}}')) == {
        "~": ["~/x", 1.5, None]
    }


def test_a_file_beside_the_folder_is_no_exported_session(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("a.txt", "")
    with pytest.raises(UserError, match=r"no exported session: 'a\.txt' lies in no folder"):
        import_session(tmp_path / "f.zip", None, tmp_path)


def test_what_a_killed_writer_left_stays_here(session: Session, tmp_path: Path) -> None:
    number = "0f" * 16
    for name in (f".fix.{number}.tmp", f".fix.{number}.old", "fix"):
        (session.folder / name).mkdir()
        (session.folder / name / "mixed.onnx").write_text("a model")
    sent = export_session(session.folder, tmp_path / "s.zip")
    with zipfile.ZipFile(sent) as archive:
        assert [n for n in archive.namelist() if n.endswith("mixed.onnx")] == ["session/fix/mixed.onnx"]


def test_the_environments_of_bisect_tensorrt_stay_here(session: Session, tmp_path: Path) -> None:
    python = session.folder / "repro" / ".trt-8.6.1" / "lib" / "pip.py"
    python.parent.mkdir(parents=True)
    python.touch()
    (session.folder / "repro" / "repro.py").touch()
    export_session(session.folder, tmp_path / "s.zip")
    names = zipfile.ZipFile(tmp_path / "s.zip").namelist()
    assert [n.partition("/")[2] for n in names if "/repro/" in n] == ["repro/repro.py"]
