"""Reads a built engine back: its layers, the ONNX nodes in them, and in which precision they work."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtdebug.backends.tensorrt.layers import metadata_nodes
from trtdebug.core.errors import NotHonoured
from trtdebug.core.intervention import Precision
from trtdebug.core.outcome import LayerInfo

_FLOATS = ("fp32", "fp16", "bf16")
# The first that fits. TensorRT writes "Row major linear FP32", "Half", "kHALF", "BFloat16", ...
_FORMATS = (
    ("bf16", re.compile(r"(?<![a-z])k?(bf16|bfloat16)", re.IGNORECASE)),
    ("fp16", re.compile(r"(?<![a-z])k?(fp16|half|float16)", re.IGNORECASE)),
    ("fp8", re.compile(r"(?<![a-z])k?(fp8|float8)", re.IGNORECASE)),
    ("fp32", re.compile(r"(?<![a-z])k?(fp32|float32|float)(?![0-9])", re.IGNORECASE)),
    ("int64", re.compile(r"(?<![a-z])k?int64", re.IGNORECASE)),
    ("int32", re.compile(r"(?<![a-z])k?int32", re.IGNORECASE)),
    ("int8", re.compile(r"(?<![a-z])k?int8", re.IGNORECASE)),
    ("uint8", re.compile(r"(?<![a-z])k?uint8", re.IGNORECASE)),
    ("bool", re.compile(r"(?<![a-z])k?bool", re.IGNORECASE)),
)
_FORMAT_KEYS = ("DataType", "Datatype", "Format/Datatype", "Format")
_FOREIGN = re.compile(r"\{ForeignNode\[(.*)\]\}", re.DOTALL)
_PROFILE = re.compile(r" \[profile \d+\]$")
_JOINTS = re.compile(r" \+ | \|\| |, ")


@dataclass(frozen=True)
class EngineTensor:
    """A tensor at the border of an engine layer; `precision` as in LayerInfo, None if it is not told."""

    name: str
    precision: str | None = None


@dataclass(frozen=True)
class EngineLayer:
    """One layer of the inspector's JSON.

    Attributes:
        type: "CaskConvolution", "Myelin", "Reformat", "kgen", ...; empty when it is not told.
        tactic: kernel name, else the tactic's hex id.
    """

    name: str
    type: str = ""
    inputs: tuple[EngineTensor, ...] = ()
    outputs: tuple[EngineTensor, ...] = ()
    tactic: str | None = None
    metadata: str = ""

    @property
    def is_reformat(self) -> bool:
        """Only moves data between formats or types."""
        return self.type in ("Reformat", "NoOp") or self.name.startswith("Reformatting CopyNode")

    @property
    def is_foreign(self) -> bool:
        """A block that Myelin compiled as a whole; types inside do not show."""
        return _FOREIGN.search(self.name) is not None

    @property
    def precision(self) -> str | None:
        """The precision of all float outputs, else of all outputs; None if they differ or do not tell."""
        told = {t.precision for t in self.outputs}
        floats = told.intersection(_FLOATS)
        chosen = floats or told
        return next(iter(chosen)) if len(chosen) == 1 else None


@dataclass(frozen=True)
class EngineDump:
    """The inspector's view: layers in order of execution, names of network inputs and outputs."""

    layers: tuple[EngineLayer, ...]
    bindings: frozenset[str] = frozenset()


def inspector_json(engine: Any) -> str:
    """The inspector's JSON text of a trt.ICudaEngine that was built with ProfilingVerbosity.DETAILED."""
    import tensorrt as trt

    inspector = engine.create_engine_inspector()
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def parse_dump(text: str) -> EngineDump:
    """Parses the JSON of 8.6 to 10 ("Bindings", "Format/Datatype") and of 11 ("I/O Tensors").

    Raises:
        NotHonoured: the text is not such JSON, so nothing can be read back.
    """
    try:
        content = json.loads(text, strict=False)
        layers = tuple(_layer(entry) for entry in content["Layers"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotHonoured(f"TensorRT's engine inspector gives nothing readable ({error}).") from error
    bindings = {_binding(entry) for entry in [*content.get("Bindings", ()), *content.get("I/O Tensors", ())]}
    return EngineDump(layers, frozenset(bindings))


def _layer(entry: Any) -> EngineLayer:
    if isinstance(entry, str):  # an engine that was not built with DETAILED
        return EngineLayer(entry)
    tactic = entry.get("TacticName") or entry.get("TacticValue")
    return EngineLayer(
        name=str(entry.get("Name", "")),
        type=str(entry.get("LayerType", "")),
        inputs=tuple(_tensor(t) for t in entry.get("Inputs") or ()),
        outputs=tuple(_tensor(t) for t in entry.get("Outputs") or ()),
        tactic=str(tactic) if tactic else None,
        metadata=str(entry.get("Metadata") or ""),
    )


def _tensor(entry: Any) -> EngineTensor:
    if isinstance(entry, str):
        return EngineTensor(entry)
    for key in _FORMAT_KEYS:
        precision = format_precision(str(entry.get(key, "")))
        if precision is not None:
            return EngineTensor(str(entry.get("Name", "")), precision)
    return EngineTensor(str(entry.get("Name", "")))


def _binding(entry: Any) -> str:
    return str(entry.get("Name", "")) if isinstance(entry, dict) else str(entry)


def format_precision(text: str) -> str | None:
    """Precision in a format text such as "Row major linear FP32"; None when it names none."""
    return next((name for name, pattern in _FORMATS if pattern.search(text)), None)


def nodes_of(layer: EngineLayer, nodes: Collection[str], layer_nodes: Mapping[str, str]) -> tuple[str, ...]:
    """ONNX nodes that an engine layer computes; empty when unknown or when TensorRT inserted the layer.

    Args:
        nodes: every node name of the model.
        layer_nodes: ONNX node by network layer name.
    """
    if layer.is_reformat:
        return ()
    listed = metadata_nodes(layer.metadata, nodes)
    if listed:
        return listed
    name = _PROFILE.sub("", layer.name)
    foreign = _FOREIGN.search(name)
    if foreign is not None:
        # "{ForeignNode[first...last]}" names the ends of a range, not what lies between.
        inner = foreign[1]
        return _known([inner], nodes, layer_nodes) if "..." not in inner else ()
    if found := _known([name], nodes, layer_nodes):
        return found
    return _known(_JOINTS.split(_without_wrappers(name)), nodes, layer_nodes)


def _without_wrappers(name: str) -> str:
    """ "PWN(PWN(a), b)" -> "a, b"."""
    while (start := name.find("PWN(")) >= 0:
        end = _closing(name, start + 3)
        if end is None:
            return name
        name = name[:start] + name[start + 4 : end] + name[end + 1 :]
    return name


def _closing(text: str, opening: int) -> int | None:
    depth = 0
    for index in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return None


def _known(names: Sequence[str], nodes: Collection[str], layer_nodes: Mapping[str, str]) -> tuple[str, ...]:
    found = []
    for name in (n.strip() for n in names):
        node = layer_nodes.get(name) or (name if name in nodes else None)
        if node is not None and node not in found:
            found.append(node)
    return tuple(found)


def layer_infos(
    dump: EngineDump, nodes: Collection[str], layer_nodes: Mapping[str, str]
) -> tuple[LayerInfo, ...]:
    """The engine's layers as the report shows them."""
    return tuple(
        LayerInfo(layer.name, nodes_of(layer, nodes, layer_nodes), layer.precision, layer.tactic)
        for layer in dump.layers
    )


def read_back(
    dump: EngineDump,
    layers: Sequence[LayerInfo],
    asked: Mapping[str, Precision],
    producer: Mapping[str, str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which nodes did not get the precision that was asked, and of which the engine does not show it.

    Refused is only what is plain to see: a layer outside Myelin stores a node's own output in another float
    type than asked, and this output is neither an engine output (whose type is fixed) nor reformatted by
    TensorRT. A node counts as verified when its own output shows the type, or when it sits in a fused layer
    outside Myelin of which every visible float tensor has the one type asked of all its nodes.

    Args:
        layers: what `layer_infos` gives for `dump`.
        asked: precision by ONNX node; float nodes only.
        producer: ONNX node by tensor name.

    Returns:
        (refused, unverified), each in the order of `asked`.
    """
    refused: set[str] = set()
    verified: set[str] = set()
    for layer, info in zip(dump.layers, layers, strict=True):
        concerned = [n for n in info.nodes if n in asked]
        if not concerned:
            continue
        floats = [t for t in layer.outputs if t.precision in _FLOATS]
        for tensor in floats:
            node = producer.get(tensor.name) or (concerned[0] if len(info.nodes) == 1 else None)
            if node not in concerned or node is None:
                continue
            if tensor.precision == asked[node]:
                verified.add(node)
            elif not (tensor.name in dump.bindings or _reformatted(tensor.name) or layer.is_foreign):
                refused.add(node)
        if not layer.is_foreign and len(concerned) == len(info.nodes):
            shown = {t.precision for t in [*layer.inputs, *floats] if t.precision in _FLOATS}
            if floats and shown == {asked[n] for n in concerned} and len(shown) == 1:
                verified.update(concerned)
    unverified = (n for n in asked if n not in verified and n not in refused)
    return tuple(n for n in asked if n in refused), tuple(unverified)


def _reformatted(tensor: str) -> bool:
    return tensor.startswith("Reformatted ")
