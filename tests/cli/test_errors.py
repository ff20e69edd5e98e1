"""What the system refuses is told as that, and nothing else is."""

from __future__ import annotations

import errno
import os

import pytest
import typer

from trtdebug.cli.errors import user_errors


def told(error: Exception, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    @user_errors
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as left:
        command()
    return left.value.exit_code, capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_place_that_cannot_be_used_is_bad_input(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    why = os.strerror(number)
    code, text = told(OSError(number, why, "s/session.lock"), capsys)
    assert code == 2
    assert text.splitlines()[0] == f"error: s/session.lock: {why}."
    assert text.splitlines()[1].startswith("hint: Check its permissions")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EFBIG, "File too large"), "File too large"),
        (
            OSError("65536 requested and 42976 written"),
            "no room on the disk (65536 requested and 42976 written)",
        ),
    ],
)
def test_a_disk_that_is_full_by_now_is_no_error_of_ours(
    error: OSError, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file could be opened, so the system names none; and numpy has words of its own."""
    code, text = told(error, capsys)
    assert (code, text.splitlines()[0]) == (2, f"error: a file cannot be written: {reason}.")
    assert "trtdebug resume" in text.splitlines()[1]


def test_a_folder_in_the_place_of_a_file_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(IsADirectoryError(errno.EISDIR, "Is a directory", "s/values.json"), capsys)
    assert (code, text.splitlines()[0]) == (2, "error: s/values.json: Is a directory.")
    assert text.splitlines()[1].startswith("hint: A file belongs there")


def test_a_name_that_is_too_long_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(OSError(errno.ENAMETOOLONG, "File name too long", "nnn"), capsys)
    assert (code, text.splitlines()) == (
        2,
        ["error: nnn: File name too long.", "hint: Choose a shorter name."],
    )


def test_a_name_that_is_no_utf_8_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        '{"model": "/a/nu\udcff.onnx", "nodes": 1}'.encode()
    code, text = told(caught.value, capsys)
    assert code == 2
    assert text.splitlines()[0] == r"error: '/a/nu\udcff.onnx' holds bytes that are no UTF-8."


@pytest.mark.parametrize("error", [OSError(errno.EBADF, "bad", "f"), PermissionError(), ValueError("x")])
def test_all_else_is_an_internal_error(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(error, capsys)
    assert code == 3
    assert text.startswith(f"internal error: {type(error).__name__}")
