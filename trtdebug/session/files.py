"""Files and folders of a session that survive a kill: written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trtdebug.core.errors import UserError

_LOG_END = 1 << 16  # bytes
_OF_A_WRITER = re.compile(r"\.[0-9a-f]{32}\.(tmp|old)$")
"""Names of what is not whole yet, or not needed any more: with a random number, so that no user's file has one."""

WORK_VARIABLE = "TRTDEBUG_WORK"
"""Environment variable with a folder of a worker's own in the session's work/, where several run at once."""


def write_text(path: Path, text: str) -> None:
    """Writes `text` so that a reader, at any instant, sees the old file or the new one.

    Raises:
        IsADirectoryError: there is a folder of that name.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")  # hosts may share the folder
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def is_left_over(path: Path) -> bool:
    """Whether a file or folder is what a writer of trtdebug's, when it was killed, left of something else."""
    return _OF_A_WRITER.search(path.name) is not None


def work_folder(folder: Path) -> Path:
    """Where this process puts files of a build, which no other process may write to; made if need be."""
    own = folder / "work" / os.environ.get(WORK_VARIABLE, "")
    own.mkdir(parents=True, exist_ok=True)
    return own


def end_of(path: Path) -> str:
    """The last 64 KiB of a log, "" where there is none: verbose builders write gigabytes."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LOG_END))
        return file.read().decode("utf-8", errors="replace")


@contextmanager
def whole_folder(folder: Path, mark: str, kind: str) -> Iterator[Path]:
    """Gives an empty folder that takes the place of `folder` in the end, at once or not at all.

    Args:
        mark: a file by which an older one of its `kind`, which may be replaced, is known.

    Raises:
        UserError: `folder` holds something and is none of its kind, or cannot be written.
    """
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty and not (folder / mark).is_file():
        raise UserError(f"{folder} exists and is no {kind}.", "Name another folder, or remove it.")
    temporary = folder.with_name(f".{folder.name[:100]}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}.", "Name another folder.") from error
    try:
        yield temporary
        old = temporary.with_suffix(".old")
        if folder.exists():
            os.rename(folder, old)
        os.rename(temporary, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
