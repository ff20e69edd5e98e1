"""What is said where there is no room, and what is not."""

from __future__ import annotations

import errno
import os

import pytest

from trtdebug.core.full_disk import no_room


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_system_says_it_by_a_number(number: int) -> None:
    assert no_room(OSError(number, os.strerror(number), "x.npy")) == os.strerror(number)


def test_numpy_says_how_much_it_wrote() -> None:
    said = "131072 requested and 23552 written"
    assert no_room(OSError(said)) == f"no room on the disk ({said})"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, os.strerror(errno.EACCES)),
        OSError("else"),
        ValueError("1 requested and 0 written"),
    ],
)
def test_other_errors_say_nothing_of_it(error: Exception) -> None:
    assert no_room(error) == ""
