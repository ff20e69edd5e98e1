"""The command lines with which trtexec and Polygraphy build a repro, and the scripts that judge what they say."""

from __future__ import annotations

from collections.abc import Sequence

from trtdebug.backends.tensorrt.polygraphy_flags import has_sources_flag, polygraphy_flags
from trtdebug.backends.tensorrt.trtexec_flags import TYPED, WEAK, trtexec_flags
from trtdebug.repro.commands import shell, told_of
from trtdebug.repro.manifest import Manifest
from trtdebug.repro.text import code
from trtdebug.scripts.words import shell_word

TRTEXEC_LOG, POLYGRAPHY_LOG = "trtexec.log", "polygraphy.log"
"""What the scripts leave behind."""

_ENGINE = "polygraphy.engine"
_PATTERNS = "*?[]"
"""Polygraphy takes names with any of these for patterns."""


def trtexec_build_command(manifest: Manifest) -> str:
    """Builds the model as the user does, with TensorRT 8.6 to 10; with marks as outputs that stand in the model."""
    flags = [f"--{precision}" for precision in _precisions(manifest)]
    return shell(
        "trtexec", [f"--onnx={manifest.marked or manifest.model}", *flags, *_trtexec(manifest, WEAK)]
    )


def trtexec_typed_command(manifest: Manifest) -> str:
    """The same with TensorRT 11, which reads precisions from the model."""
    model = manifest.typed or manifest.marked or manifest.model
    return shell("trtexec", [f"--onnx={model}", *_trtexec(manifest, TYPED)])


def polygraphy_build_command(manifest: Manifest, outputs: Sequence[str]) -> str:
    """Builds the model as the user does, with TensorRT 8.6 to 10, and marks its tensors.

    Args:
        outputs: the model's own, which Polygraphy wants to be told, too.
    """
    words = [manifest.model, f"--output={_ENGINE}", *(f"--{p}" for p in _precisions(manifest))]
    words += polygraphy_flags(manifest.options)
    marked = dict.fromkeys((*outputs, *manifest.options.marks))
    return shell("polygraphy convert", [*words, "--trt-outputs", *marked])


def beyond_trtexec(manifest: Manifest) -> str:
    """Why trtexec cannot show that the marks are not built, in Markdown; empty where it can."""
    own = [t for t in manifest.options.marks if t not in manifest.names]
    if own:
        return f"it marks no tensors, and {code(own[0])} is TensorRT's own: no ONNX model can have it as an output"
    if manifest.options.marks and manifest.marked is None:
        return "it marks no tensors, and with the marks as outputs of the ONNX model the failure is another, or none"
    return ""


def beyond_polygraphy(manifest: Manifest, outputs: Sequence[str]) -> str:
    """Why Polygraphy cannot mark these tensors, or build as the user does, likewise."""
    pattern = next((t for t in (*outputs, *manifest.options.marks) if set(_PATTERNS) & set(t)), None)
    if pattern is not None:
        return f"it takes names with {' '.join(_PATTERNS)} for patterns, such as {code(pattern)}"
    if not has_sources_flag(manifest.options):
        return "its --tactic-sources lists those to use, and which are on by default differs by version"
    return ""


def trtexec_build_script(manifest: Manifest) -> str:
    """Content of trtexec.sh."""
    beyond = beyond_trtexec(manifest)
    weak, typed = trtexec_build_command(manifest), trtexec_typed_command(manifest)
    ways = [("typed", typed), ("*", weak)] if not beyond else [("*", "")]
    about = "sh trtexec.sh: TensorRT 8.6 to 10; sh trtexec.sh typed: TensorRT 11 (9 and 10: typed --stronglyTyped)"
    return _script("trtexec", about, told_of(manifest, "trtexec"), ways, beyond, TRTEXEC_LOG)


def polygraphy_build_script(manifest: Manifest, outputs: Sequence[str]) -> str:
    """Content of polygraphy.sh; `outputs` as of `polygraphy_build_command`."""
    beyond = beyond_polygraphy(manifest, outputs)
    ways = [("*", "" if beyond else polygraphy_build_command(manifest, outputs))]
    about = "sh polygraphy.sh: TensorRT 8.6 to 10"
    return _script("Polygraphy", about, told_of(manifest, "Polygraphy"), ways, beyond, POLYGRAPHY_LOG)


_SCRIPT = """\
#!/bin/sh
# Builds the model of this folder with {tool}, its marked tensors as outputs, and judges what is said as repro.py does.
# {about}.
# More flags for {tool} may follow. Exit code: 1 it fails as it did, 0 it is built, 125 it can't be tested here, or
# fails otherwise. PYTHON names another Python.
{told}cd "$(dirname "$0")" || exit 125
case "${{1:-}}" in
{cases}
esac && {{ echo "it is built"; exit 0; }}
exec "${{PYTHON:-python3}}" repro.py --log {log}
"""


def _script(tool: str, about: str, told: str, ways: Sequence[tuple[str, str]], beyond: str, log: str) -> str:
    why = f"echo {shell_word(f'{tool} cannot show it: {beyond}; use repro.py')}; exit 125"
    cases = []
    for name, command in ways:
        shift = "" if name == "*" else " shift"
        run = why if beyond else f'{command} \\\n    "$@" > {log} 2>&1'
        cases.append(f"{name}){shift}\n{run}\n;;")
    return _SCRIPT.format(tool=tool, about=about, told=told, cases="\n".join(cases), log=log)


def _precisions(manifest: Manifest) -> list[str]:
    """What the builder may use besides FP32; a quantised model is not built without INT8."""
    quantised = {"QuantizeLinear", "DequantizeLinear"} & set(manifest.operators)
    wanted = (manifest.precision, "int8" if quantised else "fp32")
    return [precision for precision in dict.fromkeys(wanted) if precision != "fp32"]


def _trtexec(manifest: Manifest, version: str) -> list[str]:
    return [*trtexec_flags(manifest.options, version), "--skipInference"]
