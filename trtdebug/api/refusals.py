"""Folders and files with which no session is begun, or gone on with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.core.case import Case

_MARKS = ("session.lock", "case.json", "preflight.json", "demo.onnx", "given")
"""Files of which a session has one, from its first instant on."""


def refuse_engine(candidate: Path | None) -> None:
    """Raises `UserError` for an engine file where a model is needed."""
    from trtdebug.backends.tensorrt.engine_file import is_engine_file

    if candidate is not None and is_engine_file(candidate):
        raise UserError(
            f"{candidate} is a serialized engine, in which nothing can be searched or changed.",
            "`trtdebug compare MODEL --engine FILE` compares its outputs.",
        )


def refuse_no_engine(engine: Path) -> None:
    """Raises `UserError` for a file that is no serialized engine where `--engine` wants one."""
    from trtdebug.backends.tensorrt.engine_file import is_engine_file, read_header

    if not is_engine_file(engine) and _is_model(engine):
        raise UserError(
            f"{engine} is an ONNX model, and --engine takes a serialized TensorRT engine.",
            "Give the model as --candidate-model.",
        )
    read_header(engine)


def _is_model(path: Path) -> bool:
    from trtdebug.graph.load import parse_model

    try:
        parse_model(path)
    except UserError:
        return False
    return True


def refuse_foreign(folder: Path) -> None:
    """Raises `UserError` for a folder with other things in it: a session is not spread among them."""
    if not folder.is_dir() or any((folder / name).exists() for name in _MARKS):
        return
    if any(folder.iterdir()):
        raise UserError(
            f"the folder {folder} is not empty and no session.", "Choose another --session folder."
        )


def refuse_unwritable(output: Path, what: str, option: str) -> None:
    """Raises `UserError` where a folder for `what` could not be made: better before the search than after it."""
    there = next(p for p in (output, *output.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        reason = "cannot be written" if there.is_dir() else "is no folder"
        raise UserError(f"the {what} cannot go to {output}: {there} {reason}.", f"Choose another {option}.")


def refuse_taken(output: Path, mark: str, kind: str) -> None:
    """Raises `UserError` for a folder that no new `kind` can take the place of: better before the search than after it.

    Args:
        mark: a file by which an older one of this kind, which may be replaced, is known.
    """
    if Path.cwd().is_relative_to(output.resolve()):
        raise UserError(
            f"{output} is the folder that you are in, and would be replaced.", "Name a folder in it."
        )
    if output.exists() and any(output.iterdir()) and not (output / mark).is_file():
        raise UserError(f"{output} exists and is no {kind}.", "Name another folder, or remove it.")


def refuse_half_made(folder: Path) -> None:
    """Raises `UserError` for a session that was interrupted before it had a case."""
    if (folder / "preflight.json").exists() and not (folder / "case.json").exists():
        raise UserError(
            f"the session {folder} was interrupted before its case was stored: there is nothing to resume.",
            f"Give the same `trtdebug run` again, with --session {shlex.quote(str(folder))}.",
        )


def refuse_other_case(folder: Path, case: Case) -> None:
    """Raises `UserError` for a session of another case than this one."""
    from trtdebug.session.session import Session

    if not (folder / "case.json").exists():
        return
    stored = Session(folder).case()
    if stored.sha256 != case.sha256:
        raise UserError(
            f"the session {folder} is of another model: {stored.model}.", "Choose another --session folder."
        )
    if stored.placeless != case.placeless:
        raise UserError(
            f"the session {folder} is of another case: its options or inputs differ.",
            "Choose another --session folder, or `trtdebug resume` it.",
        )
