"""Builds a TensorRT engine with the fix of this folder: needs TensorRT, and neither trtdebug nor Polygraphy.

    python build.py                           # the model with which the fix was found
    python build.py NEW.onnx -o model.engine
    python build.py --trtexec                 # builds nothing: prints the flags for trtexec of this TensorRT; what
                                              # of the fix they do not say goes to stderr

What the fix is stands in fix.json, beside this file. Works with TensorRT 8.6 to 11, Python 3.10 and later. Up to 10
precisions are set layer by layer; with TensorRT 11, and with --strong on 9 and 10, they stand in mixed.onnx. Exit
code: 0 built, 1 TensorRT did not build it so, 2 something is missing or does not fit.
"""

# Put together of the very functions with which trtdebug itself builds; those of this script come last. Nothing of
# fix.json is ever run as code.

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt.constraints import Constraints, OutOfGpuMemory, build_constrained
from trtdebug.backends.tensorrt.layer_flags import layer_flags
from trtdebug.backends.tensorrt.outputs import convert_bool_outputs
from trtdebug.backends.tensorrt.precision import skipped_note
from trtdebug.core.errors import BuildFailure, TrtdebugError, UserError
from trtdebug.export.scripts.config import choice_of, make_config, tactic_notes
from trtdebug.export.scripts.network import Log, Network
from trtdebug.export.scripts.order import Order, make_order
from trtdebug.scripts.versions import before_10
from trtdebug.scripts.words import printable, shell_line


def build(order: Order, trt: Any, log: Log) -> tuple[bytes, list[str]]:
    """The serialised engine, and a line for each thing that the user should know.

    Raises:
        BuildFailure: TensorRT does not build it so.
        UserError: the fix does not fit the model, or this TensorRT.
    """
    network = Network(trt, order, log)
    network.mark()
    network.pin()
    choice = choice_of(trt, order)
    indices = {network.layers[a.layer].name: a.layer for a in network.plan.assignments}

    def attempt(constraints: Constraints | None) -> Any:
        log.errors.clear()
        config = make_config(network, constraints, choice)
        plan = network.builder.build_serialized_network(network.network, config)
        if plan is None:
            raise log.failure("TensorRT does not build it")
        return plan

    def relaxing() -> tuple[Any, str]:
        if not indices:
            return attempt(None), ""
        return build_constrained(attempt, lambda: log.errors, indices, network.free)

    try:
        plan, note = relaxing()
    except OutOfGpuMemory:
        raise
    except BuildFailure:
        # Before 10 a boolean output may keep the whole network from being built.
        if not (before_10(trt) and convert_bool_outputs(network.network)):
            raise
        plan, note = relaxing()
    notes = [*_told(network), *([f"note: {note}"] if note else []), *tactic_notes(choice)]
    return bytes(plan), notes


def _told(network: Network) -> list[str]:
    lines = [f"pinned: {x.name} to {x.dtype}" for x in network.pinned]
    if network.order.strong and network.order.wanted.pins:
        lines = [f"pinned: {n} to {dtype} (in the model)" for n, dtype in network.order.wanted.pins.items()]
    return [*lines, *_besides(network.order), *_unpinned(network)]


def _besides(order: Order) -> list[str]:
    """What the fix does besides setting precisions and choosing tactics."""
    lines = [f"output: {tensor}" for tensor in order.wanted.marks]
    return [*lines, *(f"knob: {name}={value}" for name, value in order.wanted.knobs.items())]


def _unpinned(network: Network) -> list[str]:
    """The pinned nodes that have no layer of their own whose precision can be set."""
    lines = [
        f"note: {n} has no layer in TensorRT (folded into weights, or without effect)"
        for n in network.plan.absent
    ]
    skipped = skipped_note(network.plan.skipped)
    return [*lines, f"note: {skipped}"] if skipped else lines


def flags(order: Order, trt: Any, log: Log) -> tuple[str, list[str]]:
    """trtexec's flags for the precisions, with the names that layers have in this TensorRT; and what they leave out.

    Raises:
        UserError: half of the fix would be none: trtexec cannot be told of tactics, nor of some names.
    """
    if order.wanted.bans or order.wanted.uses:
        raise UserError(
            "the fix is about tactics, and trtexec has no flag for these.", "Build with build.py."
        )
    notes = [f"note: not in these flags: {line}" for line in _besides(order)]
    if order.strong:
        return "--stronglyTyped" if hasattr(trt.BuilderFlag, "FP16") else "", notes
    network = Network(trt, order, log)
    network.pin()
    words, unsayable = layer_flags(network.pinned)
    if unsayable:
        raise UserError(
            f"trtexec has no way to write the layer name {unsayable[0]!r}.", "Build with build.py."
        )
    return shell_line(*words), [*notes, *_unpinned(network)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("model", nargs="?", type=Path, help="ONNX model; default: that of the fix")
    line.add_argument("-o", "--output", type=Path, help="engine file; default: <model>.engine, here")
    line.add_argument("--strong", action="store_true", help="a strongly typed network (TensorRT 9 and 10)")
    line.add_argument("--plugin", action="append", metavar="LIB", help="in place of the recorded; repeatable")
    line.add_argument("--trtexec", action="store_true", help="print flags for trtexec, and build nothing")
    line.add_argument("--verbose", action="store_true", help="print what TensorRT says")
    given = line.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may hold what the terminal can't show
    try:
        try:
            import tensorrt as trt
        except ImportError as error:
            raise UserError(f"tensorrt cannot be imported: {error}.", "pip install tensorrt") from None
        log = Log(trt, given.verbose)
        order = make_order(trt, Path(__file__).resolve().parent, given.model, given.strong, given.plugin)
        if given.trtexec:
            words, notes = flags(order, trt, log)
            print(words)
            for note in notes:
                print(printable(note), file=sys.stderr)
            return 0
        output = given.output or Path(f"{order.model.stem}.engine")
        plan, notes = build(order, trt, log)
        write_whole(output, plan)
    except TrtdebugError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    for note in notes:
        print(printable(note))
    print(f"{output}: {len(plan)} bytes, TensorRT {trt.__version__}")
    return 0


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all. Raises `UserError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"the engine cannot go to {path}: {error.strerror}.", "Give another --output."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
