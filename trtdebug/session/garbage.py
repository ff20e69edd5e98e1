"""What sessions hold that may go: tensors of trials, scratch, or the whole of old ones."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtdebug.core.errors import UserError
from trtdebug.session.ended import ended
from trtdebug.session.files import is_left_over
from trtdebug.session.lock import locked
from trtdebug.session.session import Session
from trtdebug.session.timing import ENGINE_FILE

_DAY = 86400.0


@dataclass(frozen=True)
class Garbage:
    """What may be deleted of a session.

    Attributes:
        paths: files and folders.
        bytes: that they take.
        whole: it is all of the session.
    """

    session: Path
    paths: tuple[Path, ...]
    bytes: int
    whole: bool = False


def garbage(
    sessions: Sequence[Path], keep: int, days: float = 0.0, whole: bool = False
) -> tuple[tuple[Garbage, ...], tuple[UserError, ...]]:
    """What may go of these sessions (newest first), and what is wrong with those of which that cannot be told.

    Of a session go the tensors that its trials kept, scratch files and kept engines: its report, journal and trials
    stay, `resume` repeats trials whose tensors it needs, and `reverdict` has the numbers only. Sessions that hold
    nothing of it are left out.

    Args:
        keep: so many of the newest are left as they are.
        days: younger ones are left as they are, by the last entry of their journals.
        whole: the sessions themselves go; only finished ones do, and none whose journal is damaged.
    """
    found, damaged = [], []
    for folder in sessions[keep:]:
        try:
            if _age(folder) < days * _DAY or (whole and not _is_finished(folder)):
                continue
        except UserError as error:
            damaged.append(error)
            continue
        paths = (folder,) if whole else tuple(_droppable(folder))
        size = sum(map(size_of, paths))
        if paths:
            found.append(Garbage(folder, paths, size, whole))
    return tuple(found), tuple(damaged)


def drop(found: Iterable[Garbage]) -> tuple[tuple[Garbage, ...], tuple[str, ...]]:
    """Deletes it. Returns what is gone, and of the rest why it is not: in use, or not to be deleted."""
    gone, left = [], []
    for item in found:
        try:
            with locked(item.session):
                for path in item.paths:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            gone.append(item)
        except UserError as error:
            left.append(error.message)
        except OSError as error:
            left.append(f"{error.filename} cannot be deleted: {error.strerror}")
    return tuple(gone), tuple(left)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count for nothing."""
    if path.is_symlink():
        return 0
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())


def _droppable(folder: Path) -> Iterator[Path]:
    found = {*_needless(folder), *filter(is_left_over, folder.rglob("*"))}
    return (path for path in sorted(found) if found.isdisjoint(path.parents))


def _needless(folder: Path) -> Iterator[Path]:
    tensors = folder / "tensors"
    if tensors.is_dir():
        yield from (p for p in tensors.iterdir() if p.name != "samples")
    if (folder / "work").is_dir():
        yield folder / "work"
    yield from folder.glob(f"trials/*/{ENGINE_FILE}")


def _age(folder: Path) -> float:
    """Seconds since something was written to its journal."""
    path = folder / "journal.jsonl"
    return time.time() - (path if path.exists() else folder).stat().st_mtime


def _is_finished(folder: Path) -> bool:
    return ended(Session(folder).journal.read()).state == "finished"
