"""Names for nodes: every node of the top-level graph gets one, and no two the same."""

from __future__ import annotations

import onnx


def node_names(model: onnx.ModelProto) -> list[str]:
    """Names of the top-level nodes in file order, all different, without changing the model.

    An unnamed node is called `node_of_<first output>`, as TensorRT's ONNX parser calls its layer. Of nodes
    with one name the first keeps it, the others get `_1`, `_2`, ...: the first suffix that no node has.
    """
    wanted = [node.name or _unnamed(node, index) for index, node in enumerate(model.graph.node)]
    taken = set(wanted)
    seen: set[str] = set()
    last_suffix: dict[str, int] = {}
    names = []
    for base in wanted:
        name = base
        if base in seen:
            suffix = last_suffix.get(base, 0) + 1
            while f"{base}_{suffix}" in taken:
                suffix += 1
            last_suffix[base] = suffix
            name = f"{base}_{suffix}"
            taken.add(name)
        seen.add(name)
        names.append(name)
    return names


def name_nodes(model: onnx.ModelProto) -> None:
    """Gives the top-level nodes the names of `node_names`, in place. A second call changes nothing."""
    for node, name in zip(model.graph.node, node_names(model), strict=True):
        if node.name != name:
            node.name = name


def _unnamed(node: onnx.NodeProto, index: int) -> str:
    first = next((output for output in node.output if output), None)
    return f"node_of_{first}" if first else f"node_{index}"
