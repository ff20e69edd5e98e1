"""README of a repro of a model that is not built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtdebug.repro.build_commands import (
    beyond_polygraphy,
    beyond_trtexec,
    polygraphy_build_command,
    trtexec_build_command,
    trtexec_typed_command,
)
from trtdebug.repro.commands import POLYGRAPHY_SCRIPT, TRTEXEC_SCRIPT
from trtdebug.repro.manifest import Manifest
from trtdebug.repro.script_files import BISECT
from trtdebug.repro.text import ANONYMISED, BISECTION, block, code, origin, see_it

_HOW = """\
* `--backend tensorrt` needs tensorrt (8.6 to 11) and cuda-python, `--backend tensorrt-rtx` needs tensorrt_rtx.
* Exit code 1: it is not built, for the reason above; 0: it is built; 125: it can't be tested here, or it fails
  otherwise."""


def build_readme(
    manifest: Manifest,
    inside: Sequence[str],
    versions: Mapping[str, str],
    outputs: Sequence[str],
    has_all_inputs: bool,
) -> str:
    """README.md of the folder.

    Args:
        inside: nodes of the whole model that hold the piece in their bodies, the outermost first.
        outputs: of the model.
        has_all_inputs: the folder has values for every input of the piece.
    """
    count, marks = len(manifest.nodes), manifest.options.marks
    nodes = f"{count} node{'s' if count > 1 else ''}"
    within = f", from within {' and '.join(map(code, reversed(inside)))}" if inside else ""
    piece = "a piece of a larger model, cut out by trtdebug with its weights"
    title, how = f"A piece of {nodes} that is not built", ""
    if marks:
        piece = "as much of the model as it takes to see it, cut out by trtdebug with its weights"
        title = f"{nodes} not built with {len(marks)} tensor{'s' if len(marks) > 1 else ''} marked as outputs"
        how = " with the tensors below marked as outputs, and builds it without"
    parts = [
        f"# {title}",
        f"`{manifest.model}` is {piece}{within}. {manifest.candidate} does not build it{how}. What it said:",
        "\n".join(f"* {code(str(error))}" for error in manifest.build_errors),
        *([ANONYMISED] if manifest.anonymised else []),
        *(["## The marks", "\n".join(f"* {code(tensor)}" for tensor in marks)] if marks else []),
        "## The nodes",
        "\n".join(["| node | operator |", "|---|---|", *_rows(manifest)]),
        "## See it",
        *see_it(manifest),
        _HOW,
        *_ways(manifest, outputs),
        "## Which version fails first",
        BISECTION,
        block(f"python {BISECT} --versions 8.6.1 10.0.1 10.3.0"),
        "## Inputs",
        _INPUTS if has_all_inputs else _NO_INPUTS,
        "## Where it comes from",
        "\n".join(f"* {line}" for line in origin(manifest, versions)),
    ]
    return "\n\n".join(parts) + "\n"


def _ways(manifest: Manifest, outputs: Sequence[str]) -> list[str]:
    """How trtexec shows it; of marks also how Polygraphy does, or why they can't."""
    if not manifest.options.marks:
        return [_BY_TRTEXEC, block(trtexec_build_command(manifest))]
    parts = ["## With trtexec and Polygraphy"]
    beyond = beyond_trtexec(manifest)
    if beyond:
        parts.append(f"trtexec cannot show it: {beyond}.")
    else:
        parts.append(_TRTEXEC.format(script=TRTEXEC_SCRIPT, marked=code(manifest.marked or "")))
        parts.append(block(trtexec_build_command(manifest)))
        parts.append(f"TensorRT 11 (`sh {TRTEXEC_SCRIPT} typed`):")
        parts.append(block(trtexec_typed_command(manifest)))
    beyond = beyond_polygraphy(manifest, outputs)
    if beyond:
        return [*parts, f"Polygraphy cannot show it: {beyond}."]
    parts.append(
        f"Polygraphy (`sh {POLYGRAPHY_SCRIPT}`), TensorRT 8.6 to 10; it wants the model's own outputs, too:"
    )
    return [*parts, block(polygraphy_build_command(manifest, outputs))]


_BY_TRTEXEC = "With trtexec (`--skipInference` from TensorRT 8.6 on):"

_TRTEXEC = """\
trtexec has no flag that makes tensors outputs (`--markDebug` is something else), so it builds {marked}: the model with
the marks as outputs of its own, which was seen to fail in the same way. `sh {script}`, with TensorRT 8.6 to 10:"""

_INPUTS = """\
`inputs/` holds what the reference computed for the inputs of the piece: nothing of it is needed to see the failure, but
whatever takes the nodes' place can be tried with it."""

_NO_INPUTS = """\
There are no recorded inputs for the piece: the reference cannot run the model up to there, or the piece is of the
body of a node. None are needed to see the failure."""


def _rows(manifest: Manifest) -> list[str]:
    return [f"| {code(n)} | {code(op)} |" for n, op in zip(manifest.nodes, manifest.operators, strict=True)]
