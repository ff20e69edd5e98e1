"""The root command: extensions' commands, plain and quick help, and one line for every error."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from trtdebug.cli import plugins
from trtdebug.cli.config import load_config
from trtdebug.cli.defaults import defaults, key_of, source_of
from trtdebug.cli.errors import CliException, user_errors
from trtdebug.cli.terminal import want_colours
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.plugins.discovery import Extension
    from trtdebug.plugins.selection import Selection


NO_COLOR = "No colours, as with the variable NO_COLOR."


class Command(TyperCommand):
    """A command whose help groups the options by `rich_help_panel`, without rich: importing it takes 0.1 s.

    Each has --no-color, too: people write it where they write --quiet.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        *own, help_option = super().get_params(ctx)
        return [*own, _no_color(), help_option]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """With defaults from the config file."""
        ctx.default_map = defaults(_options(self, ctx), args, _known_options(ctx))
        try:
            _refuse_repeated(self, ctx, args)
            return super().parse_args(ctx, args)
        except CliException as error:
            option = getattr(error, "param", None)
            name = getattr(option, "name", None)
            source = ctx.get_parameter_source(name) if name in ctx.default_map else None
            if source is None or source.name != "DEFAULT_MAP":
                raise
            said = getattr(error, "message", "") or str(error)
            raise UserError(
                f"{source_of(option)}: {key_of(option)} = {ctx.default_map[name]!r}: {said}",
                f"See `{ctx.command_path} --help`.",
            ) from None

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                title = getattr(parameter, "rich_help_panel", None) or (
                    "Arguments" if argument else "Options"
                )
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class Root(TyperGroup):
    """The group of all commands. What it does not know itself is asked of the extensions."""

    def main(self, *args: Any, **named: Any) -> Any:
        """Runs a command line; in click's standalone mode (the default) ends the process with the exit code."""
        alone = named.pop("standalone_mode", True)
        run = partial(super().main, standalone_mode=False)
        if not alone:
            return run(*args, **named)
        try:
            code = user_errors(run)(*args, **named)
        except CliException as error:
            code = _usage_error(error)
        except typer.Exit as stop:
            code = stop.exit_code
        sys.exit(code)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _of_extension(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        super().format_commands(ctx, formatter)
        points = [p for p in _entry_points(ctx) if p.name not in self.commands]
        if points:
            with formatter.section("Commands of extensions"):
                formatter.write_dl([(p.name, f"from {p.distribution} {p.version}") for p in points])


@functools.cache
def _no_color() -> Any:
    """The option as typer makes it: how its classes are called differs from release to release."""

    def chosen(value: bool) -> None:
        if value:
            want_colours(False)

    def command(
        no_color: Annotated[
            bool, typer.Option("--no-color", help=NO_COLOR, callback=chosen, expose_value=False)
        ] = False,
    ) -> None: ...

    command.__annotations__ = get_type_hints(command, {**globals(), **locals()}, include_extras=True)
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return typer.main.get_command(app).params[0]


def _known_options(ctx: Any) -> frozenset[str]:
    """Names of the options of all our commands."""
    commands = [c for c in ctx.find_root().command.commands.values() if isinstance(c, Command)]
    return frozenset(key_of(option) for command in commands for option in _options(command, ctx))


def _options(command: Any, ctx: Any) -> list[Any]:
    """A command's options, but for --help."""
    found = command.get_params(ctx)
    return [p for p in found if p.param_type_name == "option" and p.name != "help"]


def _refuse_repeated(command: Any, ctx: Any, args: list[str]) -> None:
    """Raises typer.BadParameter for an option of one value that is given twice: the first would be lost."""
    _, _, order = command.make_parser(ctx).parse_args(args=list(args))
    for option in _options(command, ctx):
        single = not (option.is_flag or option.multiple or option.count)
        if single and order.count(option) > 1:
            raise typer.BadParameter("it is given twice, and takes one value.", ctx=ctx, param=option)


def _usage_error(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return int(error.exit_code)
    message = " ".join(error.format_message().split())
    typer.echo(f"error: {message}", err=True)
    context = getattr(error, "ctx", None)
    if context is not None:
        several = "unexpected extra argument" in message
        advice = "Give an option once for each of its values. " if several else ""
        typer.echo(f"hint: {advice}See `{context.command_path} --help`.", err=True)
    return int(error.exit_code)


def _entry_points(ctx: Any) -> list[Extension]:
    """Extensions' commands by entry point. Without the plugin manager: the help is to be quick."""
    from trtdebug.plugins.discovery import commands, installed_extensions

    found: dict[str, Extension] = {}
    for point in commands(_selection(ctx), installed_extensions()):
        if not point.misfit:
            found.setdefault(point.name, point)
    return list(found.values())


def _selection(ctx: Any) -> Selection:
    from trtdebug.plugins.selection import Selection

    disabled = [word.removeprefix("no:") for word in ctx.params.get("plugin") or ()]
    try:
        unwanted = load_config().disabled
    except UserError:  # the command is going to say so; --help works all the same
        unwanted = ()
    return Selection.of((*disabled, *unwanted), not ctx.params.get("no_plugins"))


def _refuse_disabled(ctx: Any, name: str) -> None:
    """Raises `UserError` where an extension that is not to be loaded has an entry point for this command."""
    from trtdebug.plugins.discovery import COMMANDS, installed_extensions

    selection = _selection(ctx)
    for point in installed_extensions((COMMANDS,)):
        if point.name == name and (remedy := selection.left_out(point.name, point.distribution)):
            raise UserError(
                f"the command {name!r} is one of {point.distribution} {point.version}, which is disabled.",
                f"To load it: {remedy}.",
            )


def _of_extension(ctx: Any, name: str) -> Any:
    """An extension's command, by its entry point or by the hook; None where nobody knows it.

    Raises:
        UserError: it does not load, or its extension is disabled.
    """
    for point in _entry_points(ctx):
        if point.name == name:
            return _blamed(_loaded(point), f"the command {name!r} of {point.distribution} {point.version}")
    # click calls the root's callback, which does this, only later
    plugins.choose(ctx.params.get("plugin") or [], not ctx.params.get("no_plugins"))
    manager = plugins.load()
    app = typer.Typer(rich_markup_mode=None)
    manager.add_commands(app, third_party=True)
    for problem in manager.problems:
        typer.echo(f"warning: extension {problem.plugin} ({problem.distribution}): {problem.error}", err=True)
    hooked = typer.main.get_group(app).commands if app.registered_commands or app.registered_groups else {}
    command = hooked.get(name)
    if command is None:
        _refuse_disabled(ctx, name)
        return None
    module = getattr(getattr(command, "callback", None), "__module__", "an extension")
    return _blamed(command, f"the command {name!r} of {module.partition('.')[0]}")


def _blamed(command: Any, whose: str) -> Any:
    """The extension's command; what it raises is told as its own."""
    command.invoke = user_errors(command.invoke, whose)
    return command


def _loaded(point: Extension) -> Any:
    from trtdebug.core.time_limit import TookTooLong
    from trtdebug.plugins.contained import Contained, Exited, seconds

    try:
        with Contained(seconds()).working():
            return command_of(point.name, point.point.load())
    except (Exception, SystemExit, TookTooLong, Exited) as error:
        raise UserError(
            f"the command {point.name!r} of {point.distribution} {point.version} does not load: "
            f"{type(error).__name__}: {error}.",
            f"Mend it, or `trtdebug ext uninstall {point.distribution}`.",
        ) from error


def command_of(name: str, value: typer.Typer | Callable[..., Any]) -> Any:
    """The command that an entry point's value, a function or a typer app, is. Raises what it may."""
    if isinstance(value, typer.Typer):
        return typer.main.get_command(value)
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(name)(value)
    command = typer.main.get_command(app)
    names = [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise TypeError(f"{twice} is the name of two options")
    return command
