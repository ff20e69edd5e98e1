"""The engine inspector's JSON, in the schemas of TensorRT 8.6 to 11, as plain data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtdebug.core.errors import NotHonoured

LAYERS_FILE = "engine-layers.json"
"""What the inspector said of a trial's engine, in TensorRT's own terms; lies beside the trial's engine.json."""

FLOATS = ("fp32", "fp16", "bf16")
"""Precisions that a pin can ask for."""

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
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_FORMAT_KEYS = ("DataType", "Datatype", "Format/Datatype", "Format")
_FOREIGN = re.compile(r"\{ForeignNode\[(.*)\]\}", re.DOTALL)
_MYELIN_TYPES = frozenset({"Myelin", "kgen", "gemm", "correlation"})


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
        tactic_id: 16 hex digits, as in `BanTactic.tactic`; None where it is not told, as by Myelin.
    """

    name: str
    type: str = ""
    inputs: tuple[EngineTensor, ...] = ()
    outputs: tuple[EngineTensor, ...] = ()
    tactic: str | None = None
    metadata: str = ""
    tactic_id: str | None = None

    @property
    def is_reformat(self) -> bool:
        """Only moves data between formats or types."""
        return self.type in ("Reformat", "NoOp") or self.name.startswith("Reformatting CopyNode")

    @property
    def foreign(self) -> str | None:
        """ "first...last" of a block that Myelin compiled as a whole, and whose inside does not show; else None."""
        found = _FOREIGN.search(self.name)
        return found[1] if found else None

    @property
    def in_myelin(self) -> bool:
        """A Myelin block, or a kernel within one, whose tensors have internal names."""
        return (
            self.foreign is not None
            or self.type in _MYELIN_TYPES
            or "__myl" in self.name
            or "\x1f" in self.metadata
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """Precisions of the float inputs, else of all inputs, each once."""
        return precisions(self.inputs)

    @property
    def writes(self) -> tuple[str, ...]:
        """Precisions of the float outputs, else of all outputs, each once."""
        return precisions(self.outputs)

    @property
    def precision(self) -> str | None:
        """The precision of all float outputs, else of all outputs; None if they differ or do not tell."""
        told = {t.precision for t in self.outputs}
        chosen = told.intersection(FLOATS) or told
        return next(iter(chosen)) if len(chosen) == 1 else None


@dataclass(frozen=True)
class EngineDump:
    """The inspector's view: layers in order of execution, names of network inputs and outputs."""

    layers: tuple[EngineLayer, ...]
    bindings: frozenset[str] = frozenset()

    @property
    def detailed(self) -> bool:
        """Whether more than the names of layers is told."""
        return any(layer.inputs or layer.outputs for layer in self.layers)

    @property
    def written(self) -> frozenset[str]:
        """Tensors that some layer writes, by the names that TensorRT gives them."""
        return frozenset(t.name for layer in self.layers for t in layer.outputs)


def precisions(tensors: Iterable[EngineTensor]) -> tuple[str, ...]:
    """Precisions of the float tensors, else of all of them, each once; those not told are left out."""
    told = tuple(dict.fromkeys(t.precision for t in tensors if t.precision is not None))
    return tuple(p for p in told if p in FLOATS) or told


def read_dump(engine: Any, artifacts: Path | None) -> EngineDump:
    """The inspector's view of a trt.ICudaEngine, kept as `LAYERS_FILE` in the folder `artifacts`.

    Raises:
        NotHonoured: the inspector says nothing readable.
    """
    text = inspector_json(engine)
    if artifacts is not None:
        artifacts.mkdir(parents=True, exist_ok=True)
        (artifacts / LAYERS_FILE).write_text(_strict(text), encoding="utf-8")
    return parse_dump(text)


def _strict(text: str) -> str:
    """The same as JSON that any parser takes: TensorRT leaves control characters in its strings as they are."""
    try:
        return json.dumps(json.loads(text, strict=False), indent=1)
    except ValueError:  # kept as it is: it shows what was wrong
        return text


def inspector_json(engine: Any) -> str:
    """The inspector's JSON text of a trt.ICudaEngine that was built with ProfilingVerbosity.DETAILED.

    Formats of dynamic shapes show only in a context that knows the shapes: it gets those the profile is tuned for.
    """
    import tensorrt as trt

    inspector = engine.create_engine_inspector()
    dynamic = _dynamic_inputs(engine)
    if dynamic:
        context = engine.create_execution_context()
        if context is not None and all(context.set_input_shape(n, shape) for n, shape in dynamic.items()):
            inspector.execution_context = context
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def _dynamic_inputs(engine: Any) -> dict[str, tuple[int, ...]]:
    """The tuned-for shape of every input whose shape is not fixed."""
    import tensorrt as trt

    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    return {
        name: tuple(engine.get_tensor_profile_shape(name, 0)[1])
        for name in names
        if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        and -1 in tuple(engine.get_tensor_shape(name))
    }


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
        tactic_id=_hex_id(entry.get("TacticValue")),
    )


def _hex_id(value: Any) -> str | None:
    return f"{int(value, 16):#018x}" if isinstance(value, str) and _HEX.fullmatch(value) else None


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
