"""The texts of a repro folder: its README and the command lines for trtexec and Polygraphy."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from trtdebug.backends.tensorrt.source_flags import polygraphy_sources, trtexec_sources
from trtdebug.core.outcome import Signature
from trtdebug.repro.manifest import Manifest

POLYGRAPHY_INPUTS = "inputs.json"
"""The recorded inputs in Polygraphy's own format."""

_HOW = """\
* `--backend emulator` needs numpy and onnxruntime: the inputs, weights and outputs of each low-precision node
  are rounded.
* `--backend tensorrt` needs numpy, tensorrt (8.6 to 11) and cuda-python: each layer's precision is forced.
* Exit code 1: the failure shows; 0: it does not; 125: it can't be tested here.
* An output is wrong if its NaN and Inf differ from the reference's, or if it breaks
  {rule}."""

_OPERATORS = """\
The reference's custom operators are in `operators/`. `--backend emulator` and `onnxruntime` need trtdebug for them;
`--backend tensorrt` needs the plugin library alone."""

_FLAG = """\
A precision flag alone only *allows* the builder to use it, and a small piece often gets FP32: without the
constraints the failure may hide."""

_STRICTER = """\
Polygraphy checks each element by itself: it misses nothing that breaks the rule above, but may fail an output that
keeps it."""

_NO_SOURCES = """\
Polygraphy's `--tactic-sources` lists the sources to use, and which are on by default differs by version: it has no
way to say {sources} for all of them; use repro.py."""

WEAK, _TYPED = "10.0", "11.0"
"""Versions that stand for those whose precisions are flags, and those that read them from the model."""

_POLYGRAPHY_TYPES = {"fp16": "float16", "bf16": "bfloat16"}


def trtexec_command(manifest: Manifest) -> str | None:
    """For TensorRT 8.6 to 10; None where trtexec's syntax can't name a pinned node."""
    words = [f"--onnx={manifest.model}", *_trtexec_options(manifest, WEAK)]
    if manifest.precision in _POLYGRAPHY_TYPES:
        if any(mark in name for name in manifest.pinned for mark in ",:*'"):
            return None
        # Later entries override earlier ones.
        layers = ",".join([f"*:{manifest.precision}", *(f"{name}:fp32" for name in manifest.pinned)])
        words += [f"--{manifest.precision}", "--precisionConstraints=obey"]
        words += [f"--layerPrecisions={layers}", f"--layerOutputTypes={layers}"]
    elif manifest.precision == "int8":
        words.append("--int8")
    return shell("trtexec", words)


def trtexec_typed_command(manifest: Manifest) -> str | None:
    """For TensorRT 11, which reads precisions from the model; None where there is no such model."""
    if manifest.typed is None:
        return None
    return shell("trtexec", [f"--onnx={manifest.typed}", *_trtexec_options(manifest, _TYPED)])


def polygraphy_command(manifest: Manifest, floats: Sequence[str], rms: Mapping[str, float]) -> str | None:
    """Compares TensorRT 8.6 to 10 with onnxruntime; None where its syntax can't say the tactic sources.

    Args:
        floats: the nodes that can have a precision.
        rms: root mean square of each expected output.
    """
    # The second runner is the one that relative errors are relative to.
    words = [manifest.model, "--trt", "--onnxrt", f"--load-inputs={POLYGRAPHY_INPUTS}"]
    words += ["--check-error-stat=elemwise", *_polygraphy_tolerance(manifest, rms)]
    if manifest.options.tf32:
        words.append("--tf32")
    if manifest.options.optimization_level is not None:
        words.append(f"--builder-optimization-level={manifest.options.optimization_level}")
    if manifest.options.tactic_sources is not None:
        sources = polygraphy_sources(manifest.options.tactic_sources)
        if sources is None:
            return None
        words += ["--tactic-sources", *sources]
    if manifest.options.plugins:
        words += ["--plugins", *manifest.options.plugins]
    if manifest.precision in _POLYGRAPHY_TYPES:
        low = _POLYGRAPHY_TYPES[manifest.precision]
        words += [f"--{manifest.precision}", "--precision-constraints=obey", "--layer-precisions"]
        words += [f"{name}:{'float32' if name in manifest.pinned else low}" for name in floats]
    elif manifest.precision == "int8":
        words.append("--int8")
    return shell("polygraphy run", words)


def _polygraphy_tolerance(manifest: Manifest, rms: Mapping[str, float]) -> list[str]:
    """An element passes that keeps atol or rtol: so what passes as a whole keeps the rule of the manifest.

    Where the RMS error is over the limit, at least one element's error is over limit * rms.
    """
    if manifest.atol is not None or manifest.rtol is not None:
        return [f"--atol={manifest.atol or 0.0:g}", f"--rtol={manifest.rtol or 0.0:g}"]
    if len(rms) == 1:
        return [*(f"--atol={manifest.limit * value:.3g}" for value in rms.values()), "--rtol=0"]
    return ["--atol", *(f"{name}:{manifest.limit * value:.3g}" for name, value in rms.items()), "--rtol=0"]


def readme(
    manifest: Manifest,
    ops: Mapping[str, str],
    floats: Sequence[str],
    versions: Mapping[str, str],
    rms: Mapping[str, float],
) -> str:
    """README.md of the folder. `ops`: operator of each node; `floats`, `rms`: see `polygraphy_command`."""
    low = manifest.precision.upper()
    seen = f"fail as {_failure(manifest.signature)}" if manifest.signature else "pass"
    parts = [
        f"# A piece of {len(manifest.nodes)} node{'s' if len(manifest.nodes) > 1 else ''}, in {low}",
        f"`{manifest.model}` is a piece of a larger model, cut out by trtdebug, with its weights. With "
        f"{manifest.candidate}, on the inputs recorded here and with its nodes in {low}, trtdebug saw this "
        f"piece {seen}. This was written before a fresh process tried it again: run "
        "`repro.py` to see.",
        "## The nodes",
        "\n".join(
            ["| node | operator | precision |", "|---|---|---|", *(_row(manifest, n, ops[n]) for n in ops)]
        ),
        "## See it",
        block("python repro.py"),
        _HOW.format(rule=_rule(manifest)),
        *([_OPERATORS] if manifest.options.operators else []),
        "## With trtexec and Polygraphy",
        *_trtexec_part(manifest),
        *([] if manifest.options.operators else _polygraphy_part(manifest, floats, rms)),
        _FLAG,
        "## Where it comes from",
        "\n".join(f"* {line}" for line in origin(manifest, versions)),
    ]
    return "\n\n".join(parts) + "\n"


def _rule(manifest: Manifest) -> str:
    if manifest.atol is not None or manifest.rtol is not None:
        return f"`|c - r| <= {manifest.atol or 0.0:g} + {manifest.rtol or 0.0:g} * |r|` per element"
    return f"`||c - r|| / ||r|| <= {manifest.limit:g}`"


def _failure(signature: Signature) -> str:
    outputs = f" in {', '.join(map(code, signature.outputs))}" if signature.outputs else ""
    return f"{signature.kind}{outputs}"


def _row(manifest: Manifest, name: str, op: str) -> str:
    precision = "FP32 (pinned)" if name in manifest.pinned else manifest.precision.upper()
    return f"| {code(name)} | {op} | {precision} |"


def _trtexec_part(manifest: Manifest) -> list[str]:
    parts = []
    command = trtexec_command(manifest)
    if command is None:
        parts.append("trtexec has no way to write the name of a pinned node; use repro.py.")
    else:
        parts += ["trtexec prints the outputs and compares nothing. TensorRT 8.6 to 10:", block(command)]
    typed = trtexec_typed_command(manifest)
    if typed is not None:
        parts += ["TensorRT 11, where the precision stands in the model:", block(typed)]
    return parts


def _polygraphy_part(manifest: Manifest, floats: Sequence[str], rms: Mapping[str, float]) -> list[str]:
    """Nothing to be had with custom operators: Polygraphy's onnxruntime takes no implementation of them."""
    command = polygraphy_command(manifest, floats, rms)
    if command is None:
        return [_NO_SOURCES.format(sources=code(manifest.options.tactic_sources or ""))]
    return ["Polygraphy compares with onnxruntime (TensorRT 8.6 to 10):", block(command), _STRICTER]


def origin(manifest: Manifest, versions: Mapping[str, str]) -> list[str]:
    """Where the piece comes from, one line each."""
    lines = [f"found by {code(manifest.command)}"] if manifest.command else []
    lines += [f"{name} {version}" for name, version in versions.items()]
    return lines or ["not recorded"]


def _trtexec_options(manifest: Manifest, version: str) -> list[str]:
    words = []
    if manifest.inputs:
        feeds = ",".join(f"{_trtexec_name(tensor.name)}:{tensor.raw}" for tensor in manifest.inputs)
        words.append(f"--loadInputs={feeds}")
    if not manifest.options.tf32:
        words.append("--noTF32")
    if manifest.options.optimization_level is not None:
        words.append(f"--builderOptimizationLevel={manifest.options.optimization_level}")
    words += trtexec_source_flags(manifest, version)
    words += [f"--staticPlugins={library}" for library in manifest.options.plugins]
    return [*words, "--dumpOutput"]


def trtexec_source_flags(manifest: Manifest, version: str) -> list[str]:
    """The flag for the user's tactic sources, if there is anything to say in this version."""
    given = manifest.options.tactic_sources
    sources = trtexec_sources(given, version) if given is not None else ""
    return [f"--tacticSources={sources}"] if sources else []


def _trtexec_name(name: str) -> str:
    """trtexec wants single quotes around a tensor name that holds one of its separators."""
    return f"'{name}'" if ":" in name or "," in name else name


def shell(program: str, words: Sequence[str]) -> str:
    """A command line, one word a line."""
    return " \\\n    ".join([program, *map(shlex.quote, words)])


def block(text: str) -> str:
    """A fenced block of shell commands."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}sh\n{text}\n{fence}"


def code(text: str) -> str:
    """Inline code that no backtick, pipe or line break in a name can end."""
    plain = " ".join(text.split()).replace("|", "\\|")
    return f"`` {plain} ``" if "`" in plain else f"`{plain}`"
