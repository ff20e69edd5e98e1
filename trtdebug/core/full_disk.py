"""How the system, and numpy, say that there is no room for what is written."""

from __future__ import annotations

import errno
import re

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NUMPY_WROTE_LESS = re.compile(r"\d+ requested and \d+ written")
"""numpy's words for the same, without a number."""


def no_room(error: Exception) -> str:
    """Why there is none, where the error says that; else empty."""
    if not isinstance(error, OSError):
        return ""
    if _NUMPY_WROTE_LESS.fullmatch(str(error)):
        return f"no room on the disk ({error})"
    return error.strerror if error.errno in _NUMBERS and error.strerror else ""
