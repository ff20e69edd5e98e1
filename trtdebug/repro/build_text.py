"""README of a repro of a model that is not built, with the command line for trtexec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtdebug.core.case import Shape
from trtdebug.graph.shapes import format_trtexec
from trtdebug.repro.commands import WEAK, shell, trtexec_source_flags
from trtdebug.repro.manifest import Manifest
from trtdebug.repro.script_files import BISECT
from trtdebug.repro.text import ANONYMISED, BISECTION, block, code, origin

_HOW = """\
* `--backend tensorrt` needs tensorrt (8.6 to 11) and cuda-python, `--backend tensorrt-rtx` needs tensorrt_rtx.
* Exit code 1: it is not built, for the reason above; 0: it is built; 125: it can't be tested here, or it fails
  otherwise."""


def trtexec_build_command(manifest: Manifest) -> str:
    """Builds the piece as the user builds the model."""
    options = manifest.options
    words = [f"--onnx={manifest.model}"]
    if manifest.precision != "fp32":
        words.append(f"--{manifest.precision}")
    elif {"QuantizeLinear", "DequantizeLinear"} & set(manifest.operators):
        words.append("--int8")
    for which in ("min", "opt", "max") if options.profiles else ():
        shapes: dict[str, Shape] = {name: getattr(p, which) for name, p in options.profiles.items()}
        words.append(f"--{which}Shapes={format_trtexec(shapes)}")
    if not options.tf32:
        words.append("--noTF32")
    if options.optimization_level is not None:
        words.append(f"--builderOptimizationLevel={options.optimization_level}")
    words += trtexec_source_flags(manifest, WEAK)
    words += [f"--staticPlugins={library}" for library in options.plugins]
    return shell("trtexec", [*words, "--skipInference"])


def build_readme(
    manifest: Manifest, inside: Sequence[str], versions: Mapping[str, str], has_all_inputs: bool
) -> str:
    """README.md of the folder.

    Args:
        inside: nodes of the whole model that hold the piece in their bodies, the outermost first.
        has_all_inputs: the folder has values for every input of the piece.
    """
    count = len(manifest.nodes)
    within = f", from within {' and '.join(map(code, reversed(inside)))}" if inside else ""
    parts = [
        f"# A piece of {count} node{'s' if count > 1 else ''} that is not built",
        f"`{manifest.model}` is a piece of a larger model, cut out by trtdebug with its weights{within}. "
        f"{manifest.candidate} does not build it. What it said:",
        "\n".join(f"* {code(str(error))}" for error in manifest.build_errors),
        *([ANONYMISED] if manifest.anonymised else []),
        "## The nodes",
        "\n".join(["| node | operator |", "|---|---|", *_rows(manifest)]),
        "## See it",
        block("python repro.py"),
        _HOW,
        "With trtexec (`--skipInference` from TensorRT 8.6 on):",
        block(trtexec_build_command(manifest)),
        "## Which version fails first",
        BISECTION,
        block(f"python {BISECT} --versions 8.6.1 10.0.1 10.3.0"),
        "## Inputs",
        _INPUTS if has_all_inputs else _NO_INPUTS,
        "## Where it comes from",
        "\n".join(f"* {line}" for line in origin(manifest, versions)),
    ]
    return "\n\n".join(parts) + "\n"


_INPUTS = """\
`inputs/` holds what the reference computed for the inputs of the piece: nothing of it is needed to see the failure, but
whatever takes the nodes' place can be tried with it."""

_NO_INPUTS = """\
There are no recorded inputs for the piece: the reference cannot run the model up to there, or the piece is of the
body of a node. None are needed to see the failure."""


def _rows(manifest: Manifest) -> list[str]:
    return [f"| {code(n)} | {code(op)} |" for n, op in zip(manifest.nodes, manifest.operators, strict=True)]
