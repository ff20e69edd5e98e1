"""`trtdebug list`, `show` and `diff`: what sessions hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.cli.console import say, say_json, say_table
from trtdebug.cli.errors import user_errors
from trtdebug.cli.options import Json
from trtdebug.cli.sessions import SessionFolder, chosen_session, sessions_in

if TYPE_CHECKING:
    from trtdebug.report.session_facts import SessionFacts


@user_errors
def list_(
    root: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Argument(metavar="[DIR]", help="Folder of sessions. Default: .trtdebug.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """All sessions, the newest first."""
    from trtdebug.report.session_facts import facts_or_error
    from trtdebug.report.session_text import size_text
    from trtdebug.session.session import DEFAULT_ROOT

    folders = sessions_in(root)
    found = [(folder, facts_or_error(folder)) for folder in folders]
    if json:
        say_json([_damaged(p, f) if isinstance(f, str) else _summary(f) for p, f in found])
        return
    if not found:
        say(f"no sessions here ({root or DEFAULT_ROOT})")
        return
    rows = [
        (str(p), "unreadable", "", "", "", f)
        if isinstance(f, str)
        else (
            str(p),
            f.verdict or f.state,
            f.version,
            str(len(f.trials)),
            size_text(f.bytes),
            Path(f.case.model).name,
        )
        for p, f in found
    ]
    head = ("session", "verdict", "candidate", "trials", "size", "model")
    say_table(head, rows, (f"{r[0]}: {', '.join(cell for cell in r[1:] if cell)}" for r in rows))


@user_errors
def show(
    folder: SessionFolder = None,
    trial: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="HASH", help="This trial, by the beginning of its hash."),
    ] = None,
    json: Json = False,
) -> None:
    """One session: its case, what came of it, its trials."""
    from trtdebug.core.jsonable import to_data
    from trtdebug.core.told import told_data
    from trtdebug.report.session_facts import session_facts, trial_of
    from trtdebug.report.session_text import render_session, render_trial

    facts = session_facts(chosen_session(folder))
    if trial is not None:
        found = trial_of(facts.trials, trial)
        say_json(told_data(found)) if json else say(render_trial(found))
        return
    if not json:
        say(render_session(facts))
        return
    trials = [
        {"trial": t.name, "purpose": t.job.purpose, "version": t.job.version, "status": t.outcome.status}
        | {"reason": t.outcome.reason, "seconds": t.outcome.build_seconds + t.outcome.run_seconds}
        for t in facts.trials
    ]
    say_json(
        _summary(facts) | {"trials": trials, "skipped": to_data(facts.skips), "command": facts.case.command}
    )


@user_errors
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="Session folder.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    json: Json = False,
) -> None:
    """What differs between two sessions.

    Of two versions of TensorRT, say, or two exports of a model: in verdict, culprits, errors and engine layers.
    Exit code 1 where the verdicts do, else 0.
    """
    from trtdebug.core.told import told_data
    from trtdebug.report.session_diff import diff_sessions
    from trtdebug.report.session_facts import session_facts
    from trtdebug.report.session_text import render_session_diff

    found = diff_sessions(session_facts(first), session_facts(second))
    if json:
        say_json(told_data(found) | {"first": str(first), "second": str(second)})
    else:
        say(render_session_diff(found))
    raise typer.Exit(1 if found.verdict_changed else 0)


def _summary(facts: SessionFacts) -> dict[str, Any]:
    return {
        "session": str(facts.folder),
        "state": facts.state,
        "started": facts.started,
        "verdict": facts.verdict,
        "model": facts.case.model,
        "sha256": facts.case.sha256,
        "candidate": {"backend": facts.case.candidate, "version": facts.version},
        "trials": len(facts.trials),
        "bytes": facts.bytes,
    }


def _damaged(folder: Path, why: str) -> dict[str, Any]:
    return {
        "session": str(folder),
        "state": f"unreadable ({why})",
        "verdict": None,
        "model": None,
        "trials": 0,
    }
