"""`trtdebug repro`: a piece of a model as a folder that fails by itself."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.api.refusals import refuse_taken, refuse_unwritable
from trtdebug.cli.commands import Command
from trtdebug.cli.console import say, say_json
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import UNTESTABLE, user_errors
from trtdebug.cli.limits import size_of
from trtdebug.cli.opening import need_reference, opened
from trtdebug.cli.options import CaseOptions, with_options
from trtdebug.cli.repro_check import CHECK, check
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.api.opening import Opened
    from trtdebug.core.diagnosis import ReproResult


class ReproCommand(Command):
    """`repro MODEL`, and `repro check DIR`: a model of that name is given as ./check."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        if args[:1] == [CHECK]:
            app = typer.Typer(rich_markup_mode=None, add_completion=False)
            app.command(CHECK, cls=Command)(check)
            command = typer.main.get_command(app)
            return command.make_context(f"{info_name} {CHECK}", args[1:], parent=parent, **extra)
        return super().make_context(info_name, args, parent=parent, **extra)


@user_errors
@with_options
def repro(
    options: CaseOptions,
    nodes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="A,B|A..B",
            help="These nodes, or all on the ways from A to B; repeatable. Default: what the search finds.",
        ),
    ] = None,
    around: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="TENSOR", help="The node that writes it and those that read it; repeatable."),
    ] = None,
    anonymise: Annotated[
        bool,
        typer.Option("--anonymise", help="Other names, random weights and inputs; where the failure stays."),
    ] = False,
    max_size: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(parser=size_of, metavar="SIZE", help="The folder takes no more than this, such as 10M."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Folder to write. Default: repro/ in the session."),
    ] = None,
) -> None:
    """Exports a minimal repro, verified in a fresh process.

    `trtdebug repro check DIR` verifies one again. Chosen nodes are written where they pass, too: then the folder is
    a unit test. Exit code 1 when it fails as it should; 0 where it passes; 4 where that could not be tested.
    """
    names = _nodes(options.model, nodes or [], around or [])
    if output is not None:
        from trtdebug.repro.manifest import MANIFEST

        refuse_unwritable(output, "repro", "--output")
        refuse_taken(output, MANIFEST, "repro")
    with opened(options) as case:
        if anonymise:
            _refuse_anonymising(case)
        target = output or case.folder / ("repro-anonymised" if anonymise else "repro")
        if not names:
            code = diagnose(case, "repro", options.json)
            if output is not None or anonymise or max_size is not None:
                _hand_over(case.folder / "repro", target, anonymise, max_size, options.json)
            raise typer.Exit(code)
        with tempfile.TemporaryDirectory(prefix="trtdebug-repro-") as scratch:
            plain = Path(scratch) / "repro" if anonymise else target
            result = _exported(case, names, plain, max_size)
            if anonymise and result.verified:
                result = _anonymised(result, plain, target, max_size)
    _tell(result, options.json)
    if result.untestable:
        raise typer.Exit(UNTESTABLE)
    raise typer.Exit(1 if result.verified and not result.passes else 0)


def _refuse_anonymising(case: Opened) -> None:
    """Before anything is computed for it.

    Raises:
        UserError: nothing that is found with this candidate and these options can be anonymised.
    """
    from trtdebug.repro.anonymise import obstacle

    asked = case.ctx.case
    reasons = [obstacle(asked.candidate, asked.options, unbuilt) for unbuilt in (False, True)]
    if all(reasons):
        raise UserError(
            f"--anonymise: no such repro can be anonymised: {reasons[0]}.", "Leave --anonymise out."
        )


def _exported(case: Opened, names: tuple[str, ...], folder: Path, max_size: int | None) -> ReproResult:
    from trtdebug import __version__
    from trtdebug.repro.of_case import export_nodes

    need_reference(case)
    ctx = case.ctx
    candidate = ctx.case.candidate
    versions = {"trtdebug": __version__, candidate: ctx.maker(candidate)}
    return export_nodes(ctx, names, folder, ctx.case.command, versions, max_size=max_size)


def _anonymised(result: ReproResult, plain: Path, target: Path, max_size: int | None) -> ReproResult:
    from dataclasses import replace

    from trtdebug.repro.anonymise import anonymise

    found = anonymise(plain, target, max_size)
    if found.reason:
        return replace(result, path=str(target), verified=False, note=f"not written: {found.reason}")
    return replace(
        result, path=str(target), note=f"anonymised; draw {found.tries} of random numbers keeps it"
    )


def _hand_over(repro: Path, target: Path, anonymise: bool, max_size: int | None, quiet: bool) -> None:
    """Copies, or anonymises, the repro that the pipeline wrote, if it did."""
    from trtdebug.repro.manifest import MANIFEST
    from trtdebug.session.files import whole_folder

    if not (repro / MANIFEST).is_file():
        return
    said = f"repro copied to {target}"
    if anonymise:
        from trtdebug.repro.anonymise import anonymise as write

        found = write(repro, target, max_size)
        said = f"not anonymised: {found.reason}" if found.reason else f"repro, anonymised: {target}"
    else:
        from trtdebug.repro.budget import shrunk

        with whole_folder(target, MANIFEST, "repro") as folder:
            shutil.copytree(repro, folder, dirs_exist_ok=True)
            shrunk(folder, max_size)
    if not quiet:
        say(said)


def _tell(result: ReproResult, as_json: bool) -> None:
    from trtdebug.core.jsonable import to_data

    if as_json:
        say_json(to_data(result))
        return
    does = "passes" if result.passes else "fails"
    seen = f"{does} in a fresh process" if result.verified else f"not seen that it {does}"
    state = "could not be tested" if result.untestable else seen
    say(f"{result.path}: {result.nodes} node(s), {state}")
    if result.note:
        say(result.note)
    if not result.standalone and Path(result.path).is_dir():
        say(
            f"repro.py cannot run this backend by itself; what can: trtdebug repro check {shlex.quote(result.path)}"
        )


def _nodes(model: Path, texts: list[str], tensors: list[str]) -> tuple[str, ...]:
    """The nodes that these name, in the order given; empty where nothing is given.

    Each text is a node as a whole or, where there is no such node, A..B or A,B,...

    Raises:
        UserError: the model has no such node or tensor, or there is no way from A to B.
    """
    if not texts and not tensors:
        return ()
    from trtdebug.graph.between import around, named
    from trtdebug.graph.index import GraphIndex
    from trtdebug.graph.load import load_skeleton

    index = GraphIndex(load_skeleton(model))
    names = [name for text in texts for name in named(index, text)]
    names += [name for tensor in tensors for name in around(index, tensor)]
    if not names:
        raise UserError("--nodes names no node.", "`trtdebug inspect --nodes` lists them.")
    return tuple(dict.fromkeys(names))
