"""What a command does with errors: one line and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import errno
import functools
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import typer

from trtdebug.cli.console import hush
from trtdebug.core.errors import TrtdebugError, UserError
from trtdebug.core.full_disk import no_room
from trtdebug.scripts.words import one_line

P = ParamSpec("P")
R = TypeVar("R")
# typer carried click inside from 0.2x on, and the class moved: so it is taken from where both have it.
CliException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
_PLACE_HINT = "Check its permissions and the room on the disk, or choose another place."
_ROOM_HINT = (
    "Make room (`trtdebug gc` may help), and `trtdebug resume` goes on; or choose another --session folder."
)
_OF_THE_PLACE = dict.fromkeys(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT), _PLACE_HINT
) | {
    errno.EISDIR: "A file belongs there: move the folder away, or choose another place.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}
"""What the system says where a file may not be read or written, or the disk is full, no error of ours; and a hint."""
USAGE, INTERNAL, UNTESTABLE, INTERRUPTED = 2, 3, 4, 130


@contextlib.contextmanager
def writing(path: Path, option: str) -> Iterator[None]:
    """Within, a file is written that the user named by an option. Raises `UserError` where the system refuses."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"{path} cannot be written: {reason}.", f"Name another file with {option}."
        ) from error


def user_errors(command: Callable[P, R], whose: str = "") -> Callable[P, R]:
    """Decorator of a command: `TrtdebugError` exits 2, Ctrl-C 130, the unforeseen 3 (traceback in a file).

    `whose`: the extension's command that is to blame for what is unforeseen; empty: we are.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, CliException):
            raise
        except TrtdebugError as error:
            show(error)
            raise typer.Exit(USAGE) from None
        except (KeyboardInterrupt, typer.Abort):  # Abort: Ctrl-C at a question
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:  # noqa: BLE001 - the last line of defence; the traceback is kept
            if (
                isinstance(error, OSError)
                and error.errno in _OF_THE_PLACE
                and isinstance(error.filename, str)
            ):
                show(UserError(f"{error.filename}: {error.strerror}.", _OF_THE_PLACE[error.errno]))
                raise typer.Exit(USAGE) from None
            if reason := no_room(error):  # the file could be opened, so that nobody says which one it is
                show(UserError(f"a file cannot be written: {reason}.", _ROOM_HINT))
                raise typer.Exit(USAGE) from None
            if isinstance(error, UnicodeEncodeError) and (name := _undecoded(error)):
                show(UserError(f"{name!r} holds bytes that are no UTF-8.", "Rename the file or folder."))
                raise typer.Exit(USAGE) from None
            line = one_line(f"{type(error).__name__}: {error}")
            where = f" in {whose}" if whose else ""
            typer.echo(f"internal error{where}: {line} (details: {_keep_traceback()})", err=True)
            raise typer.Exit(INTERNAL) from None

    return wrapped


def show(error: TrtdebugError) -> None:
    """The error on stderr: a line, and one for the hint."""
    hush()
    typer.echo(f"error: {one_line(error.message)}", err=True)
    if error.hint:
        typer.echo(f"hint: {one_line(error.hint)}", err=True)


def _undecoded(error: UnicodeEncodeError) -> str:
    """The name of a file, with bytes of it that Python could not decode, in what cannot be encoded; empty: none."""
    text, start = error.object, error.start
    if not "\udc80" <= text[start] <= "\udcff":  # so it holds such bytes
        return ""
    return re.split(r'["\n]', text[:start])[-1] + re.split(r'["\n]', text[start:])[0]


def _keep_traceback() -> str:
    """Path of a file in the temp folder with the current traceback."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="trtdebug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exc(file=file)
    return file.name
