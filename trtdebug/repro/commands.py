"""The command lines for trtexec and Polygraphy, and the scripts that run them and judge what comes out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from trtdebug.backends.tensorrt.layer_flags import is_sayable
from trtdebug.backends.tensorrt.nameless import nameless
from trtdebug.backends.tensorrt.polygraphy_flags import has_sources_flag, polygraphy_flags
from trtdebug.backends.tensorrt.trtexec_flags import TYPED, WEAK, trtexec_flags
from trtdebug.repro.manifest import Manifest
from trtdebug.repro.scripts import run_repro
from trtdebug.scripts.words import printable, shell_word

POLYGRAPHY_INPUTS, POLYGRAPHY_OUTPUTS = "inputs.json", "outputs.json"
"""The recorded inputs and the reference's outputs in Polygraphy's own format."""

TRTEXEC_SCRIPT, POLYGRAPHY_SCRIPT = "trtexec.sh", "polygraphy.sh"
TRTEXEC_MADE, POLYGRAPHY_MADE = "trtexec-outputs.json", "polygraphy-outputs.json"
"""What these scripts leave behind."""

_POLYGRAPHY_TYPES = {"fp16": "float16", "bf16": "bfloat16"}


def trtexec_command(manifest: Manifest) -> str | None:
    """For TensorRT 8.6 to 10; None where there is none: see `beyond_trtexec`."""
    if beyond_trtexec(manifest):
        return None
    words = [f"--onnx={manifest.model}", *_trtexec_options(manifest, WEAK)]
    if manifest.precision in _POLYGRAPHY_TYPES:
        # Later entries override earlier ones.
        layers = ",".join([f"*:{manifest.precision}", *(f"{name}:fp32" for name in manifest.pinned)])
        words += [f"--{manifest.precision}", "--precisionConstraints=obey"]
        words += [f"--layerPrecisions={layers}", f"--layerOutputTypes={layers}"]
    elif manifest.precision == "int8":
        words.append("--int8")
    return shell("trtexec", words)


def beyond_trtexec(manifest: Manifest) -> str:
    """Why trtexec cannot be told of the pinned nodes; empty where it can."""
    unsayable = [name for name in manifest.pinned if not is_sayable(name)]
    if unsayable:
        return f"trtexec has no way to write the name {printable(unsayable[0])}"
    return nameless(manifest.pinned, dict(zip(manifest.nodes, manifest.operators, strict=True)))


def trtexec_typed_command(manifest: Manifest) -> str | None:
    """For TensorRT 11, which reads precisions from the model; None where there is no such model."""
    if manifest.typed is None:
        return None
    return shell("trtexec", [f"--onnx={manifest.typed}", *_trtexec_options(manifest, TYPED)])


def polygraphy_command(manifest: Manifest, floats: Sequence[str], rms: Mapping[str, float]) -> str | None:
    """Compares TensorRT 8.6 to 10 with the recorded outputs; None where its syntax can't say the tactic sources.

    Args:
        floats: the nodes that can have a precision.
        rms: root mean square of each expected output.
    """
    if not has_sources_flag(manifest.options):
        return None
    words = [manifest.model, "--trt", *_polygraphy_files(manifest, rms), *polygraphy_flags(manifest.options)]
    if manifest.precision in _POLYGRAPHY_TYPES:
        low = _POLYGRAPHY_TYPES[manifest.precision]
        words.append(f"--{manifest.precision}")
        if floats:
            words += ["--precision-constraints=obey", "--layer-precisions"]
        words += [f"{name}:{'float32' if name in manifest.pinned else low}" for name in floats]
    elif manifest.precision == "int8":
        words.append("--int8")
    return shell("polygraphy run", words)


def polygraphy_emulated_command(manifest: Manifest, rms: Mapping[str, float]) -> str | None:
    """Compares onnxruntime on the model that rounds with the recorded outputs; None where there is no such model."""
    if manifest.emulated is None:
        return None
    return shell("polygraphy run", [manifest.emulated, "--onnxrt", *_polygraphy_files(manifest, rms)])


def _polygraphy_files(manifest: Manifest, rms: Mapping[str, float]) -> list[str]:
    # What is loaded comes second: relative errors are relative to it.
    words = [f"--load-inputs={POLYGRAPHY_INPUTS}", f"--load-outputs={POLYGRAPHY_OUTPUTS}"]
    words += [f"--save-outputs={POLYGRAPHY_MADE}", "--check-error-stat=elemwise"]
    return [*words, *_polygraphy_tolerance(manifest, rms)]


def _polygraphy_tolerance(manifest: Manifest, rms: Mapping[str, float]) -> list[str]:
    """An element passes that keeps atol or rtol: so what passes as a whole keeps the rule of the manifest.

    Where the RMS error is over the limit, at least one element's error is over limit * rms.
    """
    if manifest.atol is not None or manifest.rtol is not None:
        return [f"--atol={manifest.atol or 0.0:g}", f"--rtol={manifest.rtol or 0.0:g}"]
    if len(rms) == 1:
        return [*(f"--atol={manifest.limit * value:.3g}" for value in rms.values()), "--rtol=0"]
    return ["--atol", *(f"{name}:{manifest.limit * value:.3g}" for name, value in rms.items()), "--rtol=0"]


def _trtexec_options(manifest: Manifest, version: str) -> list[str]:
    words = []
    if manifest.inputs:
        feeds = ",".join(f"{_trtexec_name(tensor.name)}:{tensor.raw}" for tensor in manifest.inputs)
        words.append(f"--loadInputs={feeds}")
    words += trtexec_flags(manifest.options, version)
    return [*words, "--dumpOutput", f"--exportOutput={TRTEXEC_MADE}"]


def _trtexec_name(name: str) -> str:
    """trtexec wants single quotes around a tensor name that holds one of its separators."""
    return f"'{name}'" if ":" in name or "," in name else name


def shell(program: str, words: Sequence[str]) -> str:
    """A command line, one word a line."""
    return " \\\n    ".join([program, *map(shell_word, words)])


def trtexec_script(manifest: Manifest) -> str:
    """Content of trtexec.sh."""
    weak = trtexec_command(manifest)
    typed = trtexec_typed_command(manifest)
    ways = {
        "typed": _with_more(typed) or _none("there is no model with its precision written in"),
        "*": _with_more(weak) or _none(f"{beyond_trtexec(manifest)}; use repro.py"),
    }
    about = "sh trtexec.sh: TensorRT 8.6 to 10; sh trtexec.sh typed: TensorRT 11 (9 and 10: typed --stronglyTyped)"
    return _script("trtexec", about, told_of(manifest, "trtexec"), ways, TRTEXEC_MADE)


def polygraphy_script(manifest: Manifest, floats: Sequence[str], rms: Mapping[str, float]) -> str:
    """Content of polygraphy.sh."""
    tensorrt = polygraphy_command(manifest, floats, rms)
    ways = {
        "onnxrt": _with_more(polygraphy_emulated_command(manifest, rms))
        or _none("there is nothing to emulate"),
        "*": _with_more(tensorrt) or _none("Polygraphy has no way to say the tactic sources; use repro.py"),
    }
    about = "sh polygraphy.sh: TensorRT 8.6 to 10; sh polygraphy.sh onnxrt: onnxruntime, which needs no GPU"
    return _script("Polygraphy", about, told_of(manifest, "Polygraphy"), ways, POLYGRAPHY_MADE)


_SCRIPT = """\
#!/bin/sh
# Runs the model of this folder with {tool} on the recorded inputs, and judges the outputs as repro.py does.
# {about}.
# More flags for {tool} may follow. Exit code: 1 the failure shows, 0 it does not, 125 it can't be tested here. PYTHON
# names another Python.
{told}cd "$(dirname "$0")" || exit 125
rm -f {made}
case "${{1:-}}" in
{cases}
esac
[ -f {made} ] || {{ echo "{tool} wrote no outputs"; exit 125; }}
exec "${{PYTHON:-python3}}" repro.py --outputs {made}
"""


def told_of(manifest: Manifest, tool: str) -> str:
    """A line of a script that tells whose failure it does not run; empty where that is of a backend of trtdebug's own.

    What the tool shows is TensorRT's then, which the failure need not be.
    """
    if manifest.candidate in run_repro.BACKENDS:
        return ""
    candidate = printable(manifest.candidate)
    told = f"found with {candidate}, a backend of an extension; {tool} shows what others make of it"
    return f"echo {shell_word(told)} >&2\n"


def _script(tool: str, about: str, told: str, ways: Mapping[str, str], made: str) -> str:
    shift = {"*": ""}
    cases = "\n".join(f"{name}){shift.get(name, ' shift')}\n{way}\n;;" for name, way in ways.items())
    return _SCRIPT.format(tool=tool, about=about, told=told, made=made, cases=cases)


def _with_more(command: str | None) -> str | None:
    """The command with what else the script is given."""
    return None if command is None else f'{command} \\\n    "$@"'


def _none(why: str) -> str:
    return f"echo {shlex.quote(why)}; exit 125"
