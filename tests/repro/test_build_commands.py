"""trtexec and Polygraphy build a repro as the user builds the model."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.outcome import Signature
from trtdebug.repro.build_commands import (
    beyond_polygraphy,
    polygraphy_build_command,
    polygraphy_build_script,
    trtexec_build_command,
    trtexec_typed_command,
)
from trtdebug.repro.manifest import Manifest

OPTIONS = BuildOptions(
    "fp16",
    tf32=False,
    profiles={"x": Profile((1, 4), (2, 4), (8, 4))},
    optimization_level=1,
    workspace=1 << 20,
    plugins=("lib.so",),
    tactic_sources="-CUBLAS",
)


def manifest(options: BuildOptions = OPTIONS, marked: str | None = None) -> Manifest:
    signature = Signature("build-failure")
    return Manifest(
        *(("a",), (), options.precision, "tensorrt", signature, 1e-2, (), ()),
        options=options,
        operators=("QuantizeLinear", "Relu"),
        names=("x", "a"),
        marked=marked,
    )


def plain(command: str) -> str:
    return command.replace(" \\\n    ", " ")


def test_trtexec_builds_the_model_with_the_user_s_options() -> None:
    options = "--minShapes=x:1x4 --optShapes=x:2x4 --maxShapes=x:8x4 --noTF32 --builderOptimizationLevel=1"
    options += " --memPoolSize=workspace:1 --tacticSources=-CUBLAS --staticPlugins=lib.so --skipInference"
    assert plain(trtexec_build_command(manifest())) == f"trtexec --onnx=model.onnx --fp16 --int8 {options}"
    marked = manifest(marked="marked.onnx")
    assert plain(trtexec_build_command(marked)).startswith("trtexec --onnx=marked.onnx --fp16 --int8 --min")
    assert plain(trtexec_typed_command(marked)).startswith("trtexec --onnx=marked.onnx --min")


def test_polygraphy_takes_the_user_s_options_and_marks_tensors_beside_the_model_s_outputs() -> None:
    sources = "CUBLAS,CUDNN"
    command = polygraphy_build_command(
        manifest(BuildOptions("bf16", tactic_sources=sources, marks=("a", "y"))), ["y"]
    )
    assert plain(command) == (
        "polygraphy convert model.onnx --output=polygraphy.engine --bf16 --int8 --tf32 --tactic-sources CUBLAS CUDNN "
        "--trt-outputs y a"
    )
    whole = polygraphy_build_command(manifest(), ["y"])
    usage = "import sys; from polygraphy.tools._main import main; sys.argv = ['polygraphy', 'convert', '-h']; main()"
    known = subprocess.run([sys.executable, "-c", usage], capture_output=True, text=True, check=True).stdout
    flags = {word.partition("=")[0] for word in shlex.split(plain(whole)) if word.startswith("--")}
    assert flags <= set(re.findall(r"--[\w-]+", known))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (BuildOptions(marks=("t[0]",)), "it takes names with * ? [ ] for patterns, such as `t[0]`"),
        (BuildOptions(marks=("a",), tactic_sources="-CUBLAS"), "its --tactic-sources lists those to use"),
    ],
)
def test_where_polygraphy_cannot_its_script_says_so(options: BuildOptions, why: str) -> None:
    assert beyond_polygraphy(manifest(options), ["y"]).startswith(why)
    assert f"echo 'Polygraphy cannot show it: {why}" in polygraphy_build_script(manifest(options), ["y"])
