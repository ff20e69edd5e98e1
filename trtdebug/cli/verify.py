"""`trtdebug verify`: does an exported fix still hold?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.api.place import start_executor
from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import UNTESTABLE, show, user_errors
from trtdebug.cli.opening import opened_request
from trtdebug.cli.options import RunningOptions, with_options
from trtdebug.cli.plugins import load
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.core.outcome import TensorError
    from trtdebug.export.manifest import FixManifest
    from trtdebug.export.verify import Verified


@user_errors
@with_options
def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="FIX_DIR", help="Fix folder: fix/ of a session.", show_default=False)
    ],
    model: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(metavar="FILE", help="Another export of the model. Default: that of the fix."),
    ] = None,
    candidate_model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="FILE",
            help="The candidate's own model, where the fix is for two. Default: that of the fix.",
        ),
    ] = None,
    inputs: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="FILE|DIR", help="Other inputs; repeatable. Default: those in the folder."),
    ] = None,
    builds: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Fresh builds that have to pass. Default: as when found.", min=1),
    ] = None,
    candidate: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="Backend under test. Default: as when found."),
    ] = None,
    plugins: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="LIB", help="TensorRT plugin library, where it lies here; repeatable."),
    ] = None,
    operators: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            metavar="FILE", help="Custom operators of the reference, where they lie here; repeatable."
        ),
    ] = None,
    session: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Session folder to keep. Default: none is kept."),
    ] = None,
    *,
    options: RunningOptions,
) -> None:
    """Tells whether an exported fix still holds.

    Exit code 0: it holds; 1: it does not; 2: the folder or the model does not fit; 4: it can't be tested here.
    """
    from trtdebug.export.manifest import read_manifest
    from trtdebug.export.verify import VerifyOptions, case_request
    from trtdebug.export.verify import verify as build_and_compare
    from trtdebug.session.session import Session

    manifest = read_manifest(folder)
    libraries = tuple(str(p.resolve()) for p in plugins) if plugins is not None else None
    files = tuple(operators) if operators is not None else None
    given = VerifyOptions(model, candidate_model, inputs, builds, candidate, libraries, files)
    request = case_request(folder, manifest, given)
    with _session_folder(session) as place:
        extensions = load()
        _refuse_absent(request.candidate, extensions)
        opened = Session(place)
        start_executor(opened, extensions, options.place(place))
        with closing(opened), opened_request(request, opened, extensions, options.quiet) as case:
            found = build_and_compare(case.ctx, folder, manifest, own_inputs=inputs is None)
            rule = case.ctx.limits.describe()
    if options.json:
        say_json(_data(manifest, found, request.model, rule))
    else:
        _print(manifest, found, rule)
    raise typer.Exit({True: 0, False: 1, None: UNTESTABLE}[found.holds])


@contextmanager
def _session_folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        if (chosen / "case.json").exists():  # its trials would be taken for builds of today
            raise UserError(
                f"{chosen} holds a session already.", "To verify takes fresh builds: name a new folder."
            )
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="trtdebug-verify-") as folder:
        yield Path(folder) / "session"


def _refuse_absent(name: str, extensions: Any) -> None:
    """Ends the command with exit code 4 where the candidate does not work on this machine."""
    from trtdebug.stages.opening.backends import require

    backend = extensions.backends().get(name)
    try:
        if backend is not None:
            require(backend)
    except UserError as error:
        show(error)
        raise typer.Exit(UNTESTABLE) from None


def _print(manifest: FixManifest, found: Verified, rule: str) -> None:
    from trtdebug.report.strings import room_text
    from trtdebug.scripts.words import printable

    lines = [f"fix: {manifest.summary}"]
    where = f"build {found.build} of {found.builds}"
    against = "the recorded outputs" if found.recorded else "a new run of the reference"
    with_what = (
        f" (TensorRT {found.version})" if manifest.case.candidate == "tensorrt" and found.version else ""
    )
    if found.holds:
        room = f", {told}" if (told := room_text(found.of_limit)) else ""
        lines.append(f"HOLDS: {found.builds} of {found.builds} builds{with_what} agree with {against}{room}")
    elif found.holds is None:
        at = f"{where}: " if found.build else ""
        lines.append(f"UNTESTABLE: {at}{found.reason}")
    else:
        lines.append(f"DOES NOT HOLD: {where}{with_what} does not agree with {against}: {found.reason}")
    lines += [
        f"  {error.tensor}: {error.status}, {_errors(error)}"
        for error in found.outputs
        if error.status != "pass" or found.holds
    ]
    if found.needed is False:
        lines.append("no longer needed: the model passes without the fix, too")
    lines.append(f"rule: {rule}")
    for line in lines:
        say(printable(line))


def _errors(error: TensorError) -> str:
    from trtdebug.core.told import error_text

    largest = error_text(error, error.max_abs)
    odd = f", {error.nonfinite} NaN or Inf on one side only" if error.nonfinite else ""
    return f"relative RMS error {error_text(error, error.rms_rel)}, max abs {largest}{odd}"


def _data(manifest: FixManifest, found: Verified, model: Path, rule: str) -> dict[str, Any]:
    from trtdebug.core.told import told_data

    data: dict[str, Any] = told_data(found)
    return {"fix": manifest.summary, "model": str(model), "rule": rule} | data
