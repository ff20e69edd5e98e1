"""What is in an ONNX model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from trtdebug.cli.console import say, say_json


def show_model(path: Path, nodes: bool, as_json: bool) -> None:
    """Prints inputs, outputs and operators of a model; every node with `nodes`, and in JSON."""
    data = _describe(path)
    if as_json:
        say_json(data)
        return
    from trtdebug.scripts.words import printable

    say(f"{data['path']}: IR {data['ir_version']}, opsets {data['opsets']}, {len(data['nodes'])} nodes")
    for side in ("inputs", "outputs"):
        for tensor in data[side]:
            dtype = tensor["dtype"] or "(no tensor, or of unknown type)"
            shape = f" {tensor['shape']}" if tensor["shape"] is not None else ""
            say(printable(f"{side[:-1]:7} {tensor['name']} {dtype}{shape}"))
    counts = Counter(n["op"] for n in data["nodes"])
    say("ops     " + ", ".join(f"{op} {count}" for op, count in counts.most_common()))
    if nodes:
        for node in data["nodes"]:
            body = " (holds a subgraph)" if node["has_body"] else ""
            say(printable(f"{node['name']}: {node['op']}{body} {node['inputs']} -> {node['outputs']}"))


def _describe(path: Path) -> dict[str, Any]:
    from trtdebug.graph.index import GraphIndex
    from trtdebug.graph.load import content_sha256, load_skeleton
    from trtdebug.graph.types import tensor_types

    model = load_skeleton(path)
    index, types = GraphIndex(model), tensor_types(model)

    def tensor(name: str) -> dict[str, Any]:
        known = types.get(name)
        return {
            "name": name,
            "dtype": known.dtype if known else None,
            "shape": list(known.shape) if known and known.shape is not None else None,
        }

    return {
        "path": str(path),
        "sha256": content_sha256(path),
        "ir_version": model.ir_version,
        "opsets": {o.domain or "ai.onnx": o.version for o in model.opset_import},
        "inputs": [tensor(n) for n in index.inputs],
        "outputs": [tensor(n) for n in index.outputs],
        "nodes": [
            {
                "name": n.name,
                "op": n.op,
                "domain": n.domain,
                "inputs": list(n.inputs),
                "outputs": list(n.outputs),
                "has_body": n.has_body,
            }
            for n in (index.node(name) for name in index.order)
        ],
    }
