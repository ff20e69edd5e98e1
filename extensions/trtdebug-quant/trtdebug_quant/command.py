"""`trtdebug quant`: what each layer of a Q/DQ model loses, the worst first."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from trtdebug.cli.plugins import load
from trtdebug.core.errors import UserError
from trtdebug.graph.load import load_model
from trtdebug.graph.ranges import parse_ranges
from trtdebug.graph.shapes import parse_shapes
from trtdebug.graph.view import GraphView
from trtdebug.stages.inputs import check_samples, generated, read_samples
from trtdebug_quant.bench import Bench
from trtdebug_quant.layers import find_layers
from trtdebug_quant.measure import Loss, Measured, measure
from trtdebug_quant.sqnr import worst

_COLUMNS = ("layer", "op", "SQNR", "outputs", "worst operand")


def quant(
    model: Annotated[Path, typer.Argument(help="ONNX model with Q/DQ pairs.", show_default=False)],
    float_model: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option("--float", metavar="FILE", help="The float model it was made from: its weights count."),
    ] = None,
    inputs: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="FILE|DIR", help="Real inputs; repeatable. Default: random ones."),
    ] = None,
    input_shapes: Annotated[Optional[list[str]], typer.Option(metavar="NAME:SHAPE")] = None,  # noqa: UP045
    val_range: Annotated[Optional[list[str]], typer.Option(metavar="[NAME:][LOW,HIGH]")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(help="Seed of random inputs.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """SQNR of each layer of a Q/DQ model, the worst first.

    Each layer is quantised alone, all others in float: SQNR is that of what it computes, "outputs" that of the
    model's outputs then. Runs on the CPU.
    """
    view = GraphView(load_model(model))
    if not find_layers(view):
        raise UserError(
            f"{model} has no Q/DQ pair of one scale, or of one a channel, that a layer reads.",
            "Give the quantised model; its float original goes to --float.",
        )
    original = load_model(float_model) if float_model is not None else None
    if inputs is not None:
        samples = read_samples(inputs, load())
    else:
        samples, _ = generated(
            view.model, parse_shapes(input_shapes or ()), seed, parse_ranges(val_range or ())
        )
    check_samples(view.model, samples, {})
    bench = Bench(view, original, samples[0])
    measured = measure(bench, samples)
    if as_json:
        told = {"model": str(model), "float_model": None if float_model is None else str(float_model)}
        typer.echo(json.dumps(told | to_json(measured, bench.misfit), indent=2, allow_nan=False))
        return
    for line in table(measured, model, bench.misfit):
        typer.echo(line)


def table(measured: Measured, model: Path, misfit: str) -> list[str]:
    """A line for the whole model, then one a layer."""
    samples = f"{measured.samples} sample{'s' if measured.samples > 1 else ''}"
    lines = [
        f"{model.name}: {len(measured.losses)} quantised layers, {samples}; "
        f"SQNR of its outputs {_db(worst(measured.outputs))}"
    ]
    if misfit:
        lines.append(f"the weights of --float are left out: {misfit}")
    rows = [_COLUMNS, *(_row(loss) for loss in measured.losses)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines.append("")
    for layer, op, *numbers, operand in rows:
        cells = [f"{layer:{widths[0]}}", f"{op:{widths[1]}}"]
        cells += [f"{text:>{width}}" for text, width in zip(numbers, widths[2:4], strict=True)]
        lines.append("  ".join([*cells, operand]).rstrip())
    return lines


def to_json(measured: Measured, misfit: str) -> dict[str, Any]:
    """The same for programs; dB that are not finite are the strings "inf" and "-inf"."""
    return {
        "misfit": misfit,
        "samples": measured.samples,
        "outputs": {name: _number(sqnr.db) for name, sqnr in measured.outputs.items()},
        "layers": [
            {
                "node": loss.layer.node,
                "op": loss.layer.op,
                "sqnr_db": _number(loss.result.db),
                "outputs_sqnr_db": _number(worst(loss.outputs)),
                "operands": {name: _number(sqnr.db) for name, sqnr in loss.operands.items()},
            }
            for loss in measured.losses
        ],
    }


def _row(loss: Loss) -> tuple[str, ...]:
    name, db = min(((n, s.db) for n, s in loss.operands.items()), key=lambda x: x[1], default=("", math.inf))
    operand = f"{name} {_db(db)}" if name else "-"
    return loss.layer.node, loss.layer.op, _db(loss.result.db), _db(worst(loss.outputs)), operand


def _db(value: float) -> str:
    return f"{value:.1f} dB" if math.isfinite(value) else f"{value} dB"


def _number(value: float) -> float | str:
    return round(value, 3) if math.isfinite(value) else str(value)
