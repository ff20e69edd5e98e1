"""`trtdebug demo`: the main job on a bundled sample."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtdebug.api.refusals import refuse_foreign
from trtdebug.cli.console import say
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors, writing
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    import onnx

SAMPLES = ("layernorm_overflow", "attention", "exp_overflow", "interacting_pair", "softmax_mask", "cnn")


@user_errors
def demo(
    sample: Annotated[str, typer.Option(metavar="NAME", help=f"Which one: {', '.join(SAMPLES)}.")] = SAMPLES[
        0
    ],
    save: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(metavar="FILE", help="Only write the sample's model there."),
    ] = None,
    folder: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--session", metavar="DIR", help="Session folder. Default: .trtdebug/<id>."),
    ] = None,
    candidate: Annotated[str, typer.Option(metavar="NAME", help="Backend under test.")] = "auto",
) -> None:
    """The main job on a bundled sample that overflows in FP16.

    From the failing model to its cause, a verified fix and a repro.
    """
    from trtdebug.graph.load import save_model
    from trtdebug.session.session import create_folder, session_folder

    built = _build(_file(sample))
    if save is not None:
        _write(built, save)
        return
    with session_folder(folder, Path("demo")) as session:
        refuse_foreign(session)
        create_folder(session)
        model = session / "demo.onnx"
        save_model(built, model)
        say(f"$ trtdebug run {model} --fp16")
        options = CaseOptions(model=model, fp16=True, candidate=candidate, session=session)
        with opened(options) as case:
            diagnose(case, "repro", as_json=False)


def _build(sample: Path) -> onnx.ModelProto:
    sys.path.insert(0, str(sample.parent))  # samples share a module beside them
    try:
        model: onnx.ModelProto = runpy.run_path(str(sample))["build"]()
    finally:
        sys.path.remove(str(sample.parent))
    return model


def _write(model: onnx.ModelProto, path: Path) -> None:
    from trtdebug.graph.load import save_model

    with writing(path, "--save"):
        save_model(model, path)
    say(f"wrote {path} ({len(model.graph.node)} nodes)")


def _file(sample: str) -> Path:
    """In a wheel the samples lie in the package, in a source tree beside it."""
    if sample not in SAMPLES:
        raise UserError(f"there is no sample {sample!r}.", f"There are: {', '.join(SAMPLES)}.")
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "samples", package.parent / "samples"):
        if (folder / f"{sample}.py").is_file():
            return folder / f"{sample}.py"
    raise UserError(f"the bundled sample {sample} is missing.", "Install trtdebug again.")
