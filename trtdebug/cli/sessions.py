"""`trtdebug resume`, `log` and `status`: sessions that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import reopened
from trtdebug.core.errors import UserError

_Folder = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Argument(metavar="[DIR]", help="Session folder. Default: the newest.", show_default=False),
]


@user_errors
def resume(
    folder: _Folder = None,
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="The model, to be sure that the session is its own."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that one trial may take.", min=1)] = 1800.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Goes on with an interrupted session; no finished trial is repeated."""
    chosen = _chosen(folder)
    if model is not None:
        _same_model(chosen, model)
    with reopened(chosen, timeout, quiet) as case:
        code = diagnose(case, "repro", json)
    raise typer.Exit(code)


@user_errors
def log(
    folder: _Folder = None, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """The journal of a session: every trial, its verdict and what it took."""
    from trtdebug.session.session import Session

    session = Session(_chosen(folder))
    session.case()
    events = list(session.journal.read())
    if json:
        say_json(events)
        return
    for event in events:
        rest = {k: v for k, v in event.items() if k not in ("time", "event") and v != ""}
        if "trial" in rest:
            rest["trial"] = rest["trial"][:12]
        say(f"{event['time'][:19]} {event['event']:15} " + ", ".join(f"{k}={v}" for k, v in rest.items()))


@user_errors
def status(
    folder: _Folder = None, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Sessions in .trtdebug, or one of them: finished or not, and what it found."""
    from trtdebug.session.session import list_sessions

    folders = [_chosen(folder)] if folder is not None else list_sessions()
    states = [_state(f) for f in folders]
    if json:
        say_json(states)
        return
    if not states:
        say("no sessions here (.trtdebug)")
    for state in states:
        say(
            f"{state['session']}: {state['state']}, {state['trials']} trials finished, "
            f"{Path(state['model']).name}" + (f", {state['verdict']}" if state["verdict"] else "")
        )


def _state(folder: Path) -> dict[str, str | int | None]:
    from trtdebug.session.session import Session

    session = Session(folder)
    case = session.case()
    events = list(session.journal.read())
    finished = [e for e in events if e["event"] == "finished"]
    opened_last = max((i for i, e in enumerate(events) if e["event"] == "opened"), default=-1)
    done = any(e["event"] == "finished" for e in events[opened_last:])
    return {
        "session": str(folder),
        "state": "finished" if done else "unfinished",
        "model": case.model,
        "trials": sum(e["event"] == "trial_finished" for e in events),
        "verdict": finished[-1]["verdict"] if finished else None,
    }


def _chosen(folder: Path | None) -> Path:
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
    from trtdebug.graph.load import content_sha256, load_model
    from trtdebug.session.session import Session

    load_model(model)
    case = Session(folder).case()
    if content_sha256(model) != case.sha256:
        raise UserError(
            f"the session {folder} is of another model: {case.model}.",
            "Resume it without --model, or start anew.",
        )
