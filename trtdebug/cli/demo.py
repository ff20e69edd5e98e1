"""`trtdebug demo`: the main job on a bundled sample."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.cli.console import say
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions
from trtdebug.core.errors import UserError

SAMPLE = "layernorm_overflow.py"


@user_errors
def demo(
    folder: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--session", metavar="DIR", help="Session folder. Default: .trtdebug/<id>."),
    ] = None,
    candidate: Annotated[str, typer.Option(metavar="NAME", help="Backend under test.")] = "auto",
) -> None:
    """Makes a small model that overflows in FP16 and takes it to its cause, a verified fix and a repro."""
    from trtdebug.graph.load import save_model
    from trtdebug.session.session import create_folder, new_folder

    session = folder or new_folder(Path("demo"))
    create_folder(session)
    model = session / "demo.onnx"
    save_model(runpy.run_path(str(_sample()))["build"](), model)
    say(f"$ trtdebug run {model} --fp16")
    options = CaseOptions(model=model, fp16=True, candidate=candidate, session=session)
    with opened(options) as case:
        diagnose(case, "repro", as_json=False)


def _sample() -> Path:
    """In a wheel the samples lie in the package, in a source tree beside it."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "samples", package.parent / "samples"):
        if (folder / SAMPLE).is_file():
            return folder / SAMPLE
    raise UserError(f"the bundled sample {SAMPLE} is missing.", "Install trtdebug again.")
