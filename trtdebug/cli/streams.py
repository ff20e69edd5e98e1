"""stdout and stderr that outlive their readers: what nobody reads is dropped, and the work and its exit code stay."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_NOBODY_READS = (errno.EPIPE, errno.EBADF)
"""A pipe's reader has gone; the stream was closed, or is open for reading only."""


def prepare_streams() -> None:
    """Makes stdout and stderr of this process fit for whatever they lead to.

    A pipe whose reader has gone (`| head`) and a stream that was closed (`>&-`) or is open for reading only take what
    comes and drop it; stderr does so whatever keeps it from being written, since no result goes there. What the
    encoding of a pipe or file does not have is written as in Python (`\\u2603`). Terminals stay as they are.
    """
    sys.stdout = _fit(sys.stdout, "standard output")
    sys.stderr = _fit(sys.stderr)


def _fit(stream: TextIO | None, name: str = "") -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if stream.isatty():
        return stream
    raw = _OutlivesItsReader(stream.fileno(), name)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="backslashreplace", line_buffering=True
    )


class _OutlivesItsReader(io.FileIO):
    """A file descriptor that drops everything from the first error on.

    `write` raises that error, as an `OSError` with the stream's name in it, unless nobody reads it or it has no name.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.told = name

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self._drop_the_rest()
            if not self.told or error.errno in _NOBODY_READS:
                return super().write(data)
            raise OSError(error.errno, error.strerror, self.told) from error

    def _drop_the_rest(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
