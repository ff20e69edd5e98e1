"""The hooks. A plugin is a module (or object) with functions of these names, marked `@hookimpl`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer

    from trtdebug.backends.base import Backend
    from trtdebug.plugins import types as t

hookspec = pluggy.HookspecMarker("trtdebug")
hookimpl = pluggy.HookimplMarker("trtdebug")


@hookspec
def trtdebug_backends() -> Iterable[Backend]:
    """Ways to build and run models, by name in --reference and --candidate.

    Example::

        @hookimpl
        def trtdebug_backends():
            yield OpenVino()  # meets trtdebug.backends.base.Backend
    """
    return ()


@hookspec
def trtdebug_checks() -> Iterable[t.Check]:
    """Read the model, its inputs and reference values, yield findings.

    Example::

        @hookimpl
        def trtdebug_checks():
            yield Check("no-if", "finds If nodes", run=find_ifs)
    """
    return ()


@hookspec
def trtdebug_fixes() -> Iterable[t.FixProposer]:
    """Fix proposers: from a diagnosis to interventions, which are then verified.

    Example::

        @hookimpl
        def trtdebug_fixes():
            yield FixProposer("pin-culprits", "pins what fails", propose=pin_culprits)
    """
    return ()


@hookspec
def trtdebug_metrics() -> Iterable[t.Metric]:
    """Numbers per tensor beside the built-in ones.

    Example::

        @hookimpl
        def trtdebug_metrics():
            yield Metric("mean-abs", "mean |c - r|", compute=lambda r, c: float(abs(c - r).mean()))
    """
    return ()


@hookspec
def trtdebug_localizers() -> Iterable[t.Localizer]:
    """Searches for the smallest failing sets of nodes.

    Example::

        @hookimpl
        def trtdebug_localizers():
            yield Localizer("one-by-one", "tries each node alone", run=one_by_one)
    """
    return ()


@hookspec
def trtdebug_inputs() -> Iterable[t.InputSource]:
    """Readers for --inputs.

    Example::

        @hookimpl
        def trtdebug_inputs():
            yield InputSource("csv", "one .csv a sample", matches=is_csv, load=load_csv)
    """
    return ()


@hookspec
def trtdebug_reports() -> Iterable[t.ReportFormat]:
    """Reports, written into the session folder.

    Example::

        @hookimpl
        def trtdebug_reports():
            yield ReportFormat("csv", "a table", "report.csv", render=to_csv)
    """
    return ()


@hookspec
def trtdebug_executors() -> Iterable[t.ExecutorFactory]:
    """Places where trials run.

    Example::

        @hookimpl
        def trtdebug_executors():
            yield ExecutorFactory("ssh", "another host", create=connect)
    """
    return ()


@hookspec
def trtdebug_operators() -> Iterable[t.Operator]:
    """What custom operators compute, for the reference.

    Example::

        @hookimpl
        def trtdebug_operators():
            yield Operator("Swish", "my.ops", compute=swish)
    """
    return ()


@hookspec
def trtdebug_commands(app: typer.Typer) -> None:
    """Adds commands. An extension's command is in --help only by an entry point in trtdebug.commands.

    Example::

        @hookimpl
        def trtdebug_commands(app):
            app.command("hello")(hello)
    """


@hookspec
def trtdebug_trial_finished(event: t.TrialEvent) -> None:
    """Told after each trial, a cached one too.

    Example::

        @hookimpl
        def trtdebug_trial_finished(event):
            log.append(event.outcome.status)
    """


@hookspec
def trtdebug_session_finished(event: t.SessionEvent) -> None:
    """Told at a session's end, with report.json's content.

    Example::

        @hookimpl
        def trtdebug_session_finished(event):
            upload(event.session, event.report["verdict"])
    """
