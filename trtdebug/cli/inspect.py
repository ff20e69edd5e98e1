"""`trtdebug inspect`: what is in a model, in an engine, or what differs between two engines."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import user_errors
from trtdebug.cli.options import CaseOptions, with_options
from trtdebug.cli.profiling import RUNS, Profile, ProfileRuns
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.core.outcome import EngineInfo

_NOT_OF_A_BUILD = ("model", "json", "quiet")


@user_errors
@with_options
def inspect(
    options: CaseOptions,
    other: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Argument(help="A second engine (or model): shows what differs.", show_default=False),
    ] = None,
    nodes: Annotated[bool, typer.Option("--nodes", help="List every node of the model.")] = False,
    build: Annotated[
        bool, typer.Option("--build", help="Build the model and show the engine; as does any build option.")
    ] = False,
    profile: Profile = False,
    profile_runs: ProfileRuns = RUNS,
) -> None:
    """What is in a model or an engine, or what differs between two.

    MODEL may also be an engine file, a session, a trial's folder, or layers written by trtexec --exportLayerInfo; or
    a verbose build log (.log, .txt), of which the autotuning tables are shown: every tactic and its cost.
    """
    runs = profile_runs if profile else 0
    wants_engine = build or profile or other is not None or _asks_for_a_build(options)
    if _holds_tables(options.model):
        if wants_engine or nodes:
            raise UserError(
                f"{options.model} is a build log: it shows tactics, and nothing else.", "Give it alone."
            )
        from trtdebug.cli.inspect_log import show_tables

        show_tables(options.model, options.json)
        return
    if not wants_engine and not _is_engine(options.model):
        from trtdebug.cli.inspect_model import show_model

        show_model(options.model, nodes, options.json)
        return
    if nodes:
        raise UserError(
            f"--nodes lists the nodes of a model, and {options.model} is shown as an engine.", "Leave it out."
        )
    first, *rest = _engines(options, other, runs)
    if rest:
        _show_difference(first, rest[0], options.json)
    else:
        _show_engine(first, options.json)


def _asks_for_a_build(options: CaseOptions) -> bool:
    return any(
        getattr(options, option.name) != option.default
        for option in fields(options)
        if option.name not in _NOT_OF_A_BUILD
    )


def _holds_tables(path: Path) -> bool:
    from trtdebug.stages.tactics.tables import holds_tables

    return holds_tables(path)


def _is_engine(path: Path) -> bool:
    from trtdebug.backends.tensorrt.engine_file import is_engine_file
    from trtdebug.stages.engines.recorded import is_recorded

    return is_recorded(path) or is_engine_file(path)


def _engines(options: CaseOptions, other: Path | None, runs: int) -> list[EngineInfo]:
    """One engine, or two. Two of the same model are two builds of it. None is built before both can be read."""
    from dataclasses import replace

    from trtdebug.cli.inspect_engine import built, existing, refuse_build_options
    from trtdebug.graph.load import load_model

    paths = [options.model] if other is None else [options.model, other]
    if all(path == options.model and not _is_engine(path) for path in paths):
        return built(options, len(paths), runs)
    if all(_is_engine(path) for path in paths):
        refuse_build_options(options.model, options)
    for path in paths:
        if not _is_engine(path):
            load_model(path)
    found = {path: existing(path, options, runs) for path in paths if _is_engine(path)}
    return [found.get(path) or built(replace(options, model=path), 1, runs)[0] for path in paths]


def _show_engine(info: EngineInfo, as_json: bool) -> None:
    from trtdebug.core.jsonable import to_data

    if as_json:
        say_json(to_data(info))
        return
    from trtdebug.report.engine_text import render_engine

    say(render_engine(info))


def _show_difference(first: EngineInfo, second: EngineInfo, as_json: bool) -> None:
    from trtdebug.core.jsonable import to_data
    from trtdebug.stages.engines.diff import diff_engines

    diff = diff_engines(first.layers, second.layers)
    if as_json:
        engines: dict[str, Any] = {"first": to_data(first), "second": to_data(second)}
        say_json(engines | to_data(diff))
        return
    from trtdebug.report.engine_text import render_diff

    say(render_diff(diff))
