"""One process at a time works in a session's folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from trtdebug.core.errors import UserError

LOCK = "session.lock"
"""Name of the file that is locked; it holds the process id of whoever has it, or had it last."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the session's lock. The system frees it when this process ends, however it ends.

    Raises:
        UserError: another process holds it, its file cannot be written, or the file system has no locks.
    """
    with _opened(folder / LOCK) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"the session {folder} is in use by process {file.read().strip() or 'unknown'}.",
                "Wait for it, or end it and resume the session; or choose another --session folder.",
            ) from None
        except OSError as error:
            raise UserError(
                f"the session folder {folder} cannot be locked: {error.strerror}.",
                "Choose a --session folder on another file system.",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _opened(path: Path) -> TextIO:
    try:
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the lock {path} cannot be written: {error.strerror}.",
            "Remove it; or, where that is not allowed, work on a copy of the session.",
        ) from error
