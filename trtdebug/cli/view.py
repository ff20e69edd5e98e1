"""`trtdebug view`: a model in Netron, at the place in question."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.cli.console import say
from trtdebug.cli.errors import user_errors, writing
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    import onnx


@user_errors
def view(
    what: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Argument(
            metavar="[WHAT]",
            help="A model, a repro or a session. Default: the newest session.",
            show_default=False,
        ),
    ] = None,
    nodes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="A,B|A..B", help="This place; repeatable. Default: the session's culprits."),
    ] = None,
    hops: Annotated[int, typer.Option(help="Nodes to either side of it.", min=0)] = 3,
    whole: Annotated[bool, typer.Option("--whole", help="The whole model.")] = False,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write what would be shown, and open nothing."),
    ] = None,
    port: Annotated[int, typer.Option(help="Of Netron's server; 0: any.", min=0, max=65535)] = 0,
) -> None:
    """Opens a model in Netron, at the place in question.

    It is cut down to that place and what is around it. Netron is an extra: pip install 'trtdebug[view]'. Ends
    with Ctrl-C.
    """
    from trtdebug.graph.load import save_model
    from trtdebug.stages.viewed import cut_around, place_of

    path, places = place_of(what, nodes or [])
    model = cut_around(path, places, None if whole or not places else hops)
    told = f"{path.name}: {len(model.graph.node)} nodes" + (
        f", around {', '.join(places[:5])}" if places else ""
    )
    if output is not None:
        _write(model, output)
        say(f"written: {output} ({told})")
        return
    netron = _netron()
    with tempfile.TemporaryDirectory(prefix="trtdebug-view-") as folder:
        shown = Path(folder) / path.with_suffix(".onnx").name
        save_model(model, shown)
        say(told)
        netron.start(str(shown), ("localhost", port) if port else None)
        netron.wait()


def _write(model: onnx.ModelProto, path: Path) -> None:
    from trtdebug.graph.load import save_model

    with writing(path, "--output"):
        save_model(model, path)


def _netron() -> Any:
    try:
        return importlib.import_module("netron")
    except ImportError:
        raise UserError(
            "Netron is not installed.",
            "pip install 'trtdebug[view]', or --output FILE and open that anywhere.",
        ) from None
