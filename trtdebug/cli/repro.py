"""`trtdebug repro`: a piece of a model as a folder that fails by itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import UNTESTABLE, user_errors
from trtdebug.cli.opening import check_writable, need_reference, opened
from trtdebug.cli.options import CaseOptions, with_case_options
from trtdebug.core.errors import UserError


@user_errors
@with_case_options
def repro(
    options: CaseOptions,
    nodes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="A,B,...", help="These nodes; repeatable. Default: what the search finds."),
    ] = None,
    unit_test: Annotated[
        bool,
        typer.Option("--unit-test", help="With --nodes: write them where they pass, too; of a plugin, say."),
    ] = False,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Folder to write. Default: repro/ in the session."),
    ] = None,
) -> None:
    """Exports a minimal repro, verified in a fresh process.

    Exit code 1 when it fails as it should; 0 where it passes; 4 where that could not be tested.
    """
    names = _nodes(options.model, nodes) if nodes else ()
    if unit_test and not names:
        raise UserError("--unit-test says nothing of which nodes.", "Give --nodes with it.")
    if output is not None:
        check_writable(output, "repro")
        _refuse_others(output)
    with opened(options) as case:
        if not names:
            code = diagnose(case, "repro", options.json)
            if output is not None:
                _copy(case.folder / "repro", output, quiet=options.json)
            raise typer.Exit(code)
        from trtdebug import __version__
        from trtdebug.core.jsonable import to_data
        from trtdebug.repro.of_case import export_nodes

        ctx = case.ctx
        need_reference(case)
        result = export_nodes(
            ctx,
            names,
            output or case.folder / "repro",
            ctx.case.command,
            {"trtdebug": __version__},
            unit_test,
        )
    if options.json:
        say_json(to_data(result))
    else:
        does = "passes" if result.passes else "fails"
        seen = f"{does} in a fresh process" if result.verified else f"not seen that it {does}"
        state = "could not be tested" if result.untestable else seen
        say(f"{result.path}: {result.nodes} node(s), {state}")
        if result.note:
            say(result.note)
    if result.untestable:
        raise typer.Exit(UNTESTABLE)
    raise typer.Exit(1 if result.verified and not result.passes else 0)


def _refuse_others(output: Path) -> None:
    """Raises `UserError` for a folder of something else: better before the search than after it."""
    from trtdebug.repro.manifest import MANIFEST

    if output.exists() and any(output.iterdir()) and not (output / MANIFEST).is_file():
        raise UserError(f"{output} exists and is no repro.", "Name another folder, or remove it.")


def _copy(repro: Path, output: Path, quiet: bool) -> None:
    """Copies the repro that the pipeline wrote, if it did."""
    from trtdebug.repro.manifest import MANIFEST
    from trtdebug.session.files import whole_folder

    if not (repro / MANIFEST).is_file():
        return
    with whole_folder(output, MANIFEST, "repro") as folder:
        shutil.copytree(repro, folder, dirs_exist_ok=True)
    if not quiet:
        say(f"repro copied to {output}")


def _nodes(model: Path, texts: list[str]) -> tuple[str, ...]:
    """The nodes that these name, each as a whole or, where there is no such node, as A,B,...

    Raises:
        UserError: the model has no such node.
    """
    from trtdebug.graph.index import GraphIndex
    from trtdebug.graph.load import load_model

    index = GraphIndex(load_model(model))
    known = set(index.order)
    parts = [part for text in texts for part in ([text] if text in known else text.split(","))]
    names = [part if part in known else part.strip() for part in parts if part.strip()]
    if not names:
        raise UserError("--nodes names no node.", "`trtdebug inspect --nodes` lists them.")
    return tuple(dict.fromkeys(index.node(n).name for n in names))
