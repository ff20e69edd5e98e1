"""A second reading of what TensorRT's inspector says, written without a look at trtdebug's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TYPES = {"FP32": "fp32", "Float": "fp32", "FP16": "fp16", "Half": "fp16", "BF16": "bf16", "BFloat16": "bf16"}


@dataclass(frozen=True)
class Seen:
    """A layer of an engine: the ONNX nodes it names, and the types of its float tensors (None = not told)."""

    name: str
    nodes: frozenset[str]
    types: frozenset[str | None]
    opaque: bool


def layers(path: Path) -> list[Seen]:
    """All layers of an engine-layers.json that compute something."""
    return list(_computing(json.loads(path.read_text(encoding="utf-8"))["Layers"]))


def _computing(entries: list[dict[str, Any]]) -> Iterator[Seen]:
    for entry in entries:
        if "Reformat" in entry["Name"] or entry["LayerType"] in ("Reformat", "NoOp"):
            continue
        told = re.findall(
            r"\[ONNX Layer: ([^\x1e\x1f]*?)(?: \|[^\x1e\x1f]*)?\](?=[\x1e\x1f]|$)", entry.get("Metadata", "")
        )
        names = told or re.split(r" \+ |PWN\(|, |\)", entry["Name"])
        types = [_type(t) for t in (*entry["Inputs"], *entry["Outputs"])]
        yield Seen(
            entry["Name"],
            frozenset(n.strip() for n in names if n.strip()),
            frozenset(t for t in types if t != "other"),
            "ForeignNode" in entry["Name"],
        )


def _type(tensor: dict[str, Any]) -> str | None:
    text = str(tensor.get("Format/Datatype") or tensor.get("DataType") or tensor.get("Datatype") or "")
    found = [ours for theirs, ours in _TYPES.items() if re.search(rf"\b{theirs}\b", text)]
    if found:
        return found[0]
    return "other" if re.search(r"Int|INT|Bool|BOOL", text) else None


def computing(node: str, seen: list[Seen]) -> list[Seen]:
    """The layers that compute a node."""
    return [layer for layer in seen if node in layer.nodes]
