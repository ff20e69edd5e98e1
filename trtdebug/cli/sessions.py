"""`trtdebug resume`, `log` and `status`: sessions that exist. What else can be done with them: session_*.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import reopened
from trtdebug.cli.options import Json, RunningOptions, with_options
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.debugger import Until
    from trtdebug.session.session import Session

SessionFolder = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Argument(metavar="[DIR]", help="Session folder. Default: the newest.", show_default=False),
]


@user_errors
@with_options
def resume(
    folder: SessionFolder = None,
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Where the model is, for a session that was moved without it."),
    ] = None,
    *,
    options: RunningOptions,
) -> None:
    """Goes on with an interrupted session.

    No finished trial is repeated.
    """
    from trtdebug.session.session import Session

    chosen = chosen_session(folder)
    if model is not None:
        _same_model(chosen, model)
    last = until(Session(chosen))
    with reopened(options.place(chosen), options.quiet, model=model) as case:
        code = diagnose(case, last, options.json)
    raise typer.Exit(code)


@user_errors
def log(folder: SessionFolder = None, json: Json = False) -> None:
    """The log of a session, to read and to edit.

    A line a trial with its verdict; what else happened stands in comments. `trtdebug replay` takes it.
    """
    from trtdebug.session.log_text import log_text
    from trtdebug.session.session import Session

    session = Session(chosen_session(folder))
    session.case()
    if json:
        say_json(list(session.journal.read()))
    else:
        say(log_text(session))


@user_errors
def status(
    folder: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(
            metavar="[DIR]", help="A session, or a folder of them. Default: .trtdebug.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Sessions: finished or not, and what they found."""
    states = _states(folder)
    if json:
        say_json(states)
        return
    if not states:
        say("no sessions here (.trtdebug)")
    for state in states:
        say(
            f"{state['session']}: {state['state']}, {state['trials']} trials finished, "
            f"{Path(state['model'] or '?').name}" + (f", {state['verdict']}" if state["verdict"] else "")
        )


def _states(folder: Path | None) -> list[dict[str, Any]]:
    """Of a session, or of all in a folder. Raises `UserError` for a folder that is neither."""
    from trtdebug.session.session import list_sessions

    if folder is None:
        return [_state_or_error(f) for f in list_sessions()]
    inside = [] if (folder / "case.json").exists() else list_sessions(folder)
    return [_state_or_error(f) for f in inside] or [_state(folder)]


def _state(folder: Path) -> dict[str, Any]:
    from trtdebug.session.ended import ended
    from trtdebug.session.session import Session

    session = Session(folder)
    case, end = session.case(), ended(session.journal.read())
    return {
        "session": str(folder),
        "state": end.state,
        "model": case.model,
        "trials": sum(1 for _ in folder.glob("trials/*/outcome.json")),
        "verdict": end.verdict,
    }


def _state_or_error(folder: Path) -> dict[str, Any]:
    """One damaged session does not hide the others."""
    try:
        return _state(folder)
    except UserError as error:
        state = f"unreadable ({' '.join(error.message.split())})"
        return {"session": str(folder), "state": state, "model": None, "trials": 0, "verdict": None}


def until(session: Session) -> Until:
    """How far the interrupted command wanted to go; all the way for one that was no diagnosis."""
    wanted: list[Until] = [e["until"] for e in session.journal.read() if e["event"] == "started"]
    return wanted[-1] if wanted else "repro"


def sessions_in(root: Path | None) -> list[Path]:
    """The sessions in a folder, by default .trtdebug, the newest first. Raises `UserError` where one given is none."""
    from trtdebug.session.session import DEFAULT_ROOT, list_sessions

    if root is not None and not root.is_dir():
        raise UserError(f"there is no folder {root}.", "Name a folder that holds sessions.")
    return list_sessions(root or DEFAULT_ROOT)


def chosen_session(folder: Path | None) -> Path:
    """The folder given, else the newest session. Raises `UserError` where there is none."""
    from trtdebug.session.session import list_sessions

    if folder is not None:
        return folder
    sessions = list_sessions()
    if not sessions:
        raise UserError(
            "there is no session in .trtdebug.", "Name a session folder, or `trtdebug run` first."
        )
    return sessions[0]


def _same_model(folder: Path, model: Path) -> None:
    from trtdebug.graph.load import content_sha256, load_skeleton
    from trtdebug.session.session import Session

    load_skeleton(model)
    case = Session(folder).case()
    if content_sha256(model) != case.sha256:
        raise UserError(
            f"the session {folder} is of another model: {case.model}.",
            "Resume it without --model, or start anew.",
        )
