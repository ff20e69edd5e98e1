"""The README of a repro folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from trtdebug.core.outcome import Signature
from trtdebug.repro.by_backend import is_standalone
from trtdebug.repro.commands import (
    POLYGRAPHY_INPUTS,
    POLYGRAPHY_SCRIPT,
    TRTEXEC_SCRIPT,
    beyond_trtexec,
    polygraphy_command,
    polygraphy_emulated_command,
    trtexec_command,
    trtexec_typed_command,
)
from trtdebug.repro.manifest import Manifest
from trtdebug.repro.script_files import BISECT
from trtdebug.scripts.words import printable

CHECK = "trtdebug repro check ."

_HOW = """\
* `--backend emulator` needs numpy and onnxruntime: the inputs, weights and outputs of each low-precision node
  are rounded.
* `--backend tensorrt` needs numpy, tensorrt (8.6 to 11) and cuda-python: each layer's precision is forced.
* Exit code 1: the failure shows; 0: it does not; 125: it can't be tested here.
* An output is wrong if its NaN and Inf differ from the reference's, or if it breaks
  {rule}."""

_CHOICES = """\
{outputs} hold{s} indices: where they differ, the reference's values of both choices are compared, and another choice
among values as good as equal is no failure."""

_OF_EXTENSION = """\
{candidate} is a backend of an extension of trtdebug, which `repro.py` cannot run by itself. Where both are installed,
in this folder:"""

_CODES = """\
Exit code 1: it fails as recorded; 0: it does not; 4: it can't be tested here."""

_BY_HAND = """\
The same by hand, against a new run of the reference:"""

_OTHERS = """\
`repro.py` shows what other backends make of it; what follows is of those, too:"""

_OPERATORS = """\
The reference's custom operators are in `operators/`. `--backend emulator` and `onnxruntime` need trtdebug for them;
`--backend tensorrt` needs the plugin library alone."""

_FLAG = """\
A precision flag alone only *allows* the builder to use it, and a small piece often gets FP32: without the
constraints the failure may hide."""

_STRICTER = """\
Polygraphy checks each element by itself: it misses nothing that breaks the rule above, but may fail an output that
keeps it."""

_LEFT_OUT = """\
Left out to keep the folder small: {parts}."""

ANONYMISED = """\
Anonymised: all names are new ones, and weights and inputs are random numbers of the range that they had. The failure
is the same; it was seen anew."""

BISECTION = f"""\
`{BISECT}` is a script for `git bisect run` (exit code 0 good, 1 bad, 125 skip); by itself it bisects versions of
TensorRT, each in an environment of its own, made by pip:"""

_NO_SOURCES = """\
Polygraphy's `--tactic-sources` lists the sources to use, and which are on by default differs by version: it has no
way to say {sources} for all of them; use repro.py."""


def readme(
    manifest: Manifest,
    floats: Sequence[str],
    versions: Mapping[str, str],
    rms: Mapping[str, float],
) -> str:
    """README.md of the folder. `floats`, `rms`: see `polygraphy_command`."""
    low = manifest.precision.upper()
    seen = f"fail as {_failure(manifest.signature)}" if manifest.signature else "pass"
    parts = [
        f"# A piece of {len(manifest.nodes)} node{'s' if len(manifest.nodes) > 1 else ''}, in {low}",
        f"`{manifest.model}` is a piece of a larger model, cut out by trtdebug, with its weights. With "
        f"{manifest.candidate}, on the inputs recorded here and with its nodes in {low}, trtdebug saw this "
        f"piece {seen}. This was written before a fresh process tried it again: run "
        f"`{'repro.py' if is_standalone(manifest.candidate) else CHECK}` to see.",
        *([ANONYMISED] if manifest.anonymised else []),
        "## The nodes",
        "\n".join(["| node | operator | precision |", "|---|---|---|", *_rows(manifest)]),
        "## See it",
        *see_it(manifest),
        _HOW.format(rule=_rule(manifest)),
        *_choices(manifest),
        *([_OPERATORS] if manifest.options.operators else []),
        "## With trtexec and Polygraphy",
        *([] if TRTEXEC_SCRIPT in manifest.left_out else _trtexec_part(manifest)),
        *([] if _no_polygraphy(manifest) else _polygraphy_part(manifest, floats, rms)),
        *([_LEFT_OUT.format(parts=", ".join(map(code, manifest.left_out)))] if manifest.left_out else []),
        _FLAG,
        "## Which version fails first",
        BISECTION,
        block(f"python {BISECT} --versions 8.6.1 10.0.1 10.3.0"),
        "## Where it comes from",
        "\n".join(f"* {line}" for line in origin(manifest, versions)),
    ]
    return "\n\n".join(parts) + "\n"


def see_it(manifest: Manifest) -> list[str]:
    """How to run the repro: what only trtdebug can run, by that."""
    if is_standalone(manifest.candidate, bool(manifest.build_errors)):
        return [block("python repro.py")]
    return [
        _OF_EXTENSION.format(candidate=code(manifest.candidate)),
        block(CHECK),
        _CODES,
        *_by_hand(manifest),
        _OTHERS,
        block("python repro.py --backend tensorrt"),
    ]


def _by_hand(manifest: Manifest) -> list[str]:
    """Empty where that takes files that are not in the folder, or options of no one line."""
    if manifest.options.operators or manifest.options.marks or manifest.left_out:
        return []
    words = ["trtdebug", "compare", manifest.model, "--candidate", manifest.candidate]
    words += [] if manifest.precision == "fp32" else [f"--{manifest.precision}"]
    words += ["--inputs", POLYGRAPHY_INPUTS] if manifest.inputs else []
    return [_BY_HAND, block(shlex.join(words))]


def _rule(manifest: Manifest) -> str:
    if manifest.atol is not None or manifest.rtol is not None:
        return f"`|c - r| <= {manifest.atol or 0.0:g} + {manifest.rtol or 0.0:g} * |r|` per element"
    return f"`||c - r|| / ||r|| <= {manifest.limit:g}`"


def _choices(manifest: Manifest) -> list[str]:
    outputs = [code(choice.output) for choice in manifest.choices]
    return [_CHOICES.format(outputs=", ".join(outputs), s="" if len(outputs) > 1 else "s")] if outputs else []


def _failure(signature: Signature) -> str:
    outputs = f" in {', '.join(map(code, signature.outputs))}" if signature.outputs else ""
    return f"{signature.kind}{outputs}"


def _rows(manifest: Manifest) -> Iterator[str]:
    for name, op in zip(manifest.nodes, manifest.operators, strict=True):
        precision = "FP32 (pinned)" if name in manifest.pinned else manifest.precision.upper()
        yield f"| {code(name)} | {op} | {precision} |"


def _trtexec_part(manifest: Manifest) -> list[str]:
    parts = []
    command = trtexec_command(manifest)
    if command is None:
        parts.append(f"With TensorRT 8.6 to 10 not by trtexec: {beyond_trtexec(manifest)}; use repro.py.")
    else:
        parts += [
            f"`sh {TRTEXEC_SCRIPT}` runs trtexec, which compares nothing, and judges its outputs. What it runs, with "
            "TensorRT 8.6 to 10:",
            block(command),
        ]
    typed = trtexec_typed_command(manifest)
    if typed is not None:
        parts += [
            f"TensorRT 11, where the precision stands in the model (`sh {TRTEXEC_SCRIPT} typed`):",
            block(typed),
        ]
    return parts


def _polygraphy_part(manifest: Manifest, floats: Sequence[str], rms: Mapping[str, float]) -> list[str]:
    """The same with Polygraphy, on TensorRT and, where it can be emulated, on onnxruntime."""
    command = polygraphy_command(manifest, floats, rms)
    emulated = polygraphy_emulated_command(manifest, rms)
    parts = []
    if command is None:
        parts.append(_NO_SOURCES.format(sources=code(manifest.options.tactic_sources or "")))
    else:
        parts.append(
            f"Polygraphy compares with the recorded outputs; `sh {POLYGRAPHY_SCRIPT}` judges them by the rule above, "
            "too. TensorRT 8.6 to 10:"
        )
        parts.append(block(command))
    if emulated is not None:
        parts += [f"Without a GPU (`sh {POLYGRAPHY_SCRIPT} onnxrt`):", block(emulated)]
    return [*parts, _STRICTER]


def _no_polygraphy(manifest: Manifest) -> bool:
    """Nothing to be had with custom operators: Polygraphy's onnxruntime takes no implementation of them."""
    return bool(manifest.options.operators) or POLYGRAPHY_SCRIPT in manifest.left_out


def origin(manifest: Manifest, versions: Mapping[str, str]) -> list[str]:
    """Where the piece comes from, one line each."""
    lines = [f"found by {code(manifest.command)}"] if manifest.command else []
    lines += [f"{name} {version}" for name, version in versions.items()]
    return lines or ["not recorded"]


def block(text: str) -> str:
    """A fenced block of shell commands."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}sh\n{text}\n{fence}"


def code(text: str) -> str:
    """Inline code that no backtick, pipe or line break in a name can end, and that acts on no terminal."""
    plain = printable(" ".join(text.split())).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", plain)), default=0)
    ticks = "`" * (longest + 1)
    return f"{ticks} {plain} {ticks}" if longest else f"`{plain}`"
