"""`trtdebug replay` and `skip`: a session done again with verdicts of the user's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtdebug.cli.again import again
from trtdebug.cli.console import say
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import reopened
from trtdebug.cli.options import RunningOptions, with_options
from trtdebug.cli.sessions import chosen_session, until
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.session.skips import Skips

_Folder = Optional[Path]  # noqa: UP045 - typer evaluates this on Python 3.10
_HASH = re.compile("[0-9a-f]{8,64}")
"""As a log has them. What is shorter may as well be a node's name: `add`, `fc`."""


@user_errors
@with_options
def replay(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="What `trtdebug log` printed.", show_default=False)
    ],
    source: Annotated[
        _Folder, typer.Option("--from", metavar="DIR", help="The session of the log, where it lies now.")
    ] = None,
    session: Annotated[
        _Folder, typer.Option(metavar="DIR", help="Session folder to make. Default: .trtdebug/<id>.")
    ] = None,
    model: Annotated[
        _Folder, typer.Option(metavar="FILE", help="Where the model is, if the session does not find it.")
    ] = None,
    *,
    options: RunningOptions,
) -> None:
    """A new session with the verdicts of a log.

    They are taken as given. Trials that the log does not have are done anew; where the candidate that made the
    others is not here, they are untestable. Exit code as that of run.
    """
    from trtdebug.session.log_text import read_log
    from trtdebug.session.replaying import replayed
    from trtdebug.session.session import Session, session_folder

    content = read_log(log)
    old = source or content.session
    name = Path(Session(old).case().model)
    with session_folder(session, name) as folder:
        new = replayed(content, old, folder, model)
        with reopened(options.place(new.folder), options.quiet, recorded=True) as case:
            code = diagnose(case, until(Session(old)), options.json)
    raise typer.Exit(code)


@user_errors
def skip(
    what: Annotated[
        list[str], typer.Argument(metavar="WHAT...", help="Nodes, or trials by the beginning of their hash.")
    ],
    session: Annotated[
        _Folder, typer.Option(metavar="DIR", help="Session folder. Default: the newest.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take them for testable again.")] = False,
) -> None:
    """Takes trials or nodes for untestable.

    It counts when the session is resumed. A node that is skipped stays in FP32 in every trial of the search,
    and whether it is a cause is not known.
    """
    from trtdebug.session.session import Session
    from trtdebug.session.skips import read_skips, store_skips

    folder = chosen_session(session)
    before = read_skips(folder)
    given = _skips(folder, what, before)
    after = before.without(given) if undo else before.more(given)
    store_skips(folder, after)
    Session(folder).journal.write("unskipped" if undo else "skipped", nodes=given.nodes, trials=given.trials)
    skipped = f"{len(after.nodes)} node(s) and {len(after.trials)} trial(s) are skipped"
    say(f"{skipped}; go on: {again('resume', folder)}")


def _skips(folder: Path, what: list[str], before: Skips) -> Skips:
    """What these name. Raises `UserError` for what is neither a node nor a trial."""
    from trtdebug.report.session_facts import trial_of
    from trtdebug.session.session import Session
    from trtdebug.session.skips import Skips
    from trtdebug.session.trials import stored_trials

    trials = stored_trials(Session(folder))
    hashes = [w for w in what if _HASH.fullmatch(w) and any(t.name.startswith(w) for t in trials)]
    rest = [w for w in what if w not in hashes]
    known = {*before.nodes, *(_nodes(folder) if {*rest} - {*before.nodes} else ())}
    nodes = tuple(w for w in rest if w in known)
    others = [w for w in what if w not in nodes]
    strange = next((w for w in others if not any(t.name.startswith(w) for t in trials)), None)
    if strange is not None:
        raise UserError(
            f"{strange!r} is neither a node of the model nor a trial of {folder}.",
            "`trtdebug inspect --nodes` lists nodes, `trtdebug show` trials.",
        )
    return Skips(tuple(trial_of(trials, w).name for w in others), nodes)


def _nodes(folder: Path) -> frozenset[str]:
    """Names of the model's nodes. Raises `UserError` where neither the session nor the model's file tells them."""
    from trtdebug.session.graph_file import read_graph
    from trtdebug.session.places import located
    from trtdebug.session.session import Session

    case = located(Session(folder).case(), folder)
    graph = read_graph(folder, Path(case.model), case.sha256)
    if graph is None:
        raise UserError(
            f"the session's model {case.model} cannot be read, and {folder} does not keep the names of its nodes.",
            "Put it back; a trial is found without it, by 8 digits of its hash or more.",
        )
    return frozenset(graph.place)
