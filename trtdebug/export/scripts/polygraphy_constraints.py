r"""Sets the precisions of the fix in this folder on a network of Polygraphy (TensorRT 8.6 to 10).

    polygraphy convert MODEL.onnx -o model.engine --fp16 --precision-constraints obey \
        --trt-npps polygraphy_constraints.py

Polygraphy calls `postprocess`. What to pin stands in fix.json, beside this file; nothing of it is run as code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt.layers import metadata_nodes, owners, read_layers
from trtdebug.backends.tensorrt.outputs import apply_marks, plan_marks
from trtdebug.backends.tensorrt.precision import apply_precision, plan_precision, skipped_note


def postprocess(network: Any) -> None:
    """Pins the nodes, and makes the outputs that the fix wants.

    Raises:
        ValueError: the network is of another model.
    """
    fix = json.loads((Path(__file__).resolve().parent / "fix.json").read_text(encoding="utf-8"))
    wanted = fix["interventions"]
    pins = {n: i["dtype"] for i in wanted if i["kind"] == "PinPrecision" for n in i["nodes"]}
    marks = [t for i in wanted if i["kind"] == "MarkOutputs" for t in i["tensors"]]
    if not fix.get("apart"):  # else the model has their neutral nodes
        marks += [i["tensor"] for i in wanted if i["kind"] == "BreakFusion"]
    layers = read_layers(network)
    outputs = [network.get_output(i).name for i in range(network.num_outputs)]
    inputs = [network.get_input(i).name for i in range(network.num_inputs)]
    marking = plan_marks(layers, marks, outputs, inputs, bool_outputs=True)
    for tensor, reason in marking.skipped.items():
        raise ValueError(f"{tensor!r} cannot be made an output: {reason}")
    apply_marks(network, marking)
    if not pins:
        return
    named = {n for layer in layers for n in metadata_nodes(layer.metadata, None)}
    plan = plan_precision(layers, owners(layers, {*pins, *named}), fix["operators"], pins)
    if not plan.assignments:
        raise ValueError(f"the network has no layer of {next(iter(pins))!r}: is it the model of the fix?")
    apply_precision(network, plan.assignments)
    for assignment in plan.assignments:
        print(f"pinned: {layers[assignment.layer].name!r} to {assignment.dtype}")
    for node in plan.absent:
        print(f"note: {node!r} has no layer (folded into weights, without effect, or not in this model)")
    if plan.skipped:
        print(f"note: {skipped_note(plan.skipped)}")
