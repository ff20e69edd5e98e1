"""A session as one .zip file: to be sent, and opened elsewhere."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from trtdebug.core.case import Case
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps, loads
from trtdebug.graph.load import external_files, parse_model
from trtdebug.session.files import is_left_over, whole_folder
from trtdebug.session.lock import LOCK
from trtdebug.session.places import FILE as PLACES
from trtdebug.session.places import files_of, located, moved
from trtdebug.session.session import Session
from trtdebug.session.stored import naming
from trtdebug.session.timing import ENGINE_FILE
from trtdebug.session.without_paths import Places

FILES = "files"
"""Folder in the session that holds the files of its case."""
_LEFT = frozenset((LOCK, PLACES, ENGINE_FILE, "case.json"))
_DAMAGED = (OSError, zipfile.BadZipFile, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError)
"""What zipfile raises for files that are cut off, damaged, encrypted, or compressed in a way that it does not know."""
_ENVIRONMENT = ".trt-"
"""So begin the folders of the environments that a repro's bisect_tensorrt.py makes: of this machine, and large."""
_TEXTS = frozenset((".txt", ".md", ".xml", ".html", ".sh", ".py", ".log", ".csv", ".sarif"))


def export_session(folder: Path, out: Path, model: bool = True, tensors: bool = True) -> Path:
    """Writes a session to a .zip file, at once or not at all, with the files of its case and no path of this machine.

    Left out are what is only in use here (lock, scratch, kept engines) and what the file cannot hold (links).

    Args:
        model: with the case's files (model, plugin libraries, operators, calibration cache), where they are here.
        tensors: with what trials kept; inputs and the reference's tensors are always there.

    Raises:
        UserError: it is no session, one of its files cannot be read, or `out` cannot be written.
    """
    case = located(Session(folder).case(), folder)
    inside = _names(case) if model else {}
    here = {str(folder.resolve()): ".", str(folder.absolute()): ".", str(Path.cwd()): "."}
    bare = {path: Path(path).name for path, _ in files_of(case)}
    places = Places(here | bare | inside)
    temporary = out.with_name(f".{out.name[:100]}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            name = _safe(folder.resolve().name)
            sent = replace(moved(case, {**bare, **inside}), command=places.text(case.command))
            archive.writestr(f"{name}/case.json", dumps(sent, indent=2))
            for member in _members(folder, tensors):
                _put(archive, member, f"{name}/{member.relative_to(folder).as_posix()}", places)
            for source, target in inside.items():
                for part in _parts(Path(source)):
                    beside = part.relative_to(Path(source).parent).as_posix()
                    archive.write(part, f"{name}/{PurePosixPath(target).parent}/{beside}")
        temporary.replace(out)
    except OSError as error:
        why = error.strerror or error
        if str(error.filename or temporary) != str(temporary):
            raise UserError(f"{error.filename} cannot be read: {why}.", "Check its permissions.") from error
        raise UserError(f"{out} cannot be written: {why}.", "Name another file.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def _names(case: Case) -> dict[str, str]:
    """Where each file of the case that is here lies in the session, by its path."""
    found = [path for path, same in files_of(case) if Path(path).is_file() and same(Path(path))]
    return {path: f"{FILES}/{number}/{Path(path).name}" for number, path in enumerate(found)}


def _parts(path: Path) -> Iterator[Path]:
    """The file, and those that a model, whatever it is called, keeps weights in."""
    yield path
    with suppress(UserError):  # it is no model, but a library, say
        yield from (path.parent / name for name in external_files(parse_model(path)))


def _members(folder: Path, tensors: bool) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        scratch = parts[0] in ("work", FILES) or path.name in _LEFT or path.name.endswith(".tmp")
        scratch = scratch or any(part.startswith(_ENVIRONMENT) for part in parts[:-1])
        scratch = scratch or any(is_left_over(Path(part)) for part in parts)
        of_a_trial = parts[0] == "tensors" and len(parts) > 1 and parts[1] != "samples"
        if path.is_file() and not path.is_symlink() and not scratch and (tensors or not of_a_trial):
            yield path


def _put(archive: zipfile.ZipFile, path: Path, name: str, places: Places) -> None:
    kinds = {".json": places.json, ".jsonl": places.lines} | dict.fromkeys(_TEXTS, places.text)
    change = kinds.get(path.suffix)
    if change is None:
        archive.write(path, name)
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        archive.writestr(name, change(text))
    except ValueError:  # no JSON, whatever it is called
        archive.writestr(name, places.text(text))


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip(".") or "session"


def import_session(path: Path, target: Path | None, root: Path) -> Path:
    """Unpacks an exported session; nothing is written outside of its folder.

    Args:
        target: the folder to make; None = one in `root`, by the name that the session had.

    Raises:
        UserError: it is no exported session, holds what may not be in one, or the folder exists.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name, members = _checked(archive, path)
            folder = target or root / name
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise UserError(f"{folder} exists already.", "Name another folder with --session.")
            _room_for(members, folder)
            with whole_folder(folder, "case.json", "session") as temporary:
                for member, inner in members.items():
                    place = temporary / inner
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, place.open("wb") as sink:
                        shutil.copyfileobj(source, sink)
                with naming(f"case.json in {path}", "`trtdebug export` writes such files."):
                    loads((temporary / "case.json").read_text(encoding="utf-8"), Case)
    except _DAMAGED as error:
        raise UserError(
            f"{path} cannot be unpacked: {error}.", "`trtdebug export` writes such files."
        ) from error
    return folder


def _checked(archive: zipfile.ZipFile, path: Path) -> tuple[str, dict[zipfile.ZipInfo, PurePosixPath]]:
    """The session's name, and its files by where they belong in it."""
    members: dict[zipfile.ZipInfo, PurePosixPath] = {}
    tops = set()
    for info in archive.infolist():
        if info.is_dir():
            continue
        inner = PurePosixPath(info.filename)
        wrong = (
            inner.is_absolute()
            or ".." in inner.parts
            or "\\" in info.filename
            or ":" in "".join(inner.parts[:1])
        )
        if wrong or stat.S_ISLNK(info.external_attr >> 16):
            raise UserError(
                f"{path} holds {info.filename!r}, which may lead out of the session's folder.",
                "Do not open it.",
            )
        if len(inner.parts) < 2:
            raise UserError(
                f"{path} is no exported session: {info.filename!r} lies in no folder.",
                "`trtdebug export` writes such files.",
            )
        tops.add(inner.parts[0])
        members[info] = PurePosixPath(*inner.parts[1:])
    if len(tops) != 1 or PurePosixPath("case.json") not in members.values():
        raise UserError(f"{path} is no exported session.", "`trtdebug export` writes such files.")
    return tops.pop(), members


def _room_for(members: dict[zipfile.ZipInfo, PurePosixPath], folder: Path) -> None:
    """Refuses a file that unpacks to more than there is room for, before it fills the disk."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    needed, free = sum(info.file_size for info in members), shutil.disk_usage(there).free
    if needed > free:
        raise UserError(f"it unpacks to {needed} bytes, and {there} has room for {free}.", "Make room.")
