"""What is known of a parser's capability, as files: each segment a model that stands by itself, and plans to run them.

`plan.json` runs every supported segment on the backend and the others on onnxruntime. `plan-largest.json` runs the
largest supported one on the backend, and on onnxruntime what comes before and what comes after it.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from trtdebug.backends import run_plan
from trtdebug.backends.base import Feeds
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import save_model
from trtdebug.graph.segment import cut_segment, segment_inputs
from trtdebug.graph.types import TensorType
from trtdebug.stages.capability.segments import Capability, Segment

REST = "onnxruntime"
"""The backend of what the parser does not take."""

LARGEST = "largest_supported_subgraph.onnx"
RESULT = "capability.json"

_OURS = (
    "supported_subgraph-nodes-*",
    "unsupported_subgraph-nodes-*",
    "unknown_subgraph-nodes-*",
    f"{LARGEST}*",
    "rest-*.onnx*",
    "plan*.json",
    "inputs.npz",
    "run_plan.py",
    "results.txt",
    RESULT,
)


@dataclass(frozen=True)
class SavedModel:
    """A model file of nodes.

    Attributes:
        model: file name; empty where none could be written.
        inputs, outputs: tensor names, as in the whole model.
        obstacle: why no file could be written.
        invalid: what onnx.checker says against it; empty for a valid model.
        not_loaded: why onnxruntime does not load it; empty where it does.
    """

    model: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    obstacle: str = ""
    invalid: str = ""
    not_loaded: str = ""


@dataclass(frozen=True)
class Part:
    """A step of a plan: a model that reads tensors by name, and writes some."""

    model: str
    backend: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: int


@dataclass(frozen=True)
class Plan:
    """Parts to run in order.

    Attributes:
        model: path of the whole model.
        outputs: the whole model's outputs.
    """

    model: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Saved:
    """What lies in the folder.

    Attributes:
        segments: as in `Capability.segments`.
        plans: by file name.
        notes: one line each: what could not be written.
    """

    folder: Path
    segments: tuple[SavedModel, ...]
    largest: SavedModel | None
    plans: Mapping[str, Plan]
    notes: tuple[str, ...] = ()


def file_name(segment: Segment) -> str:
    """As Polygraphy's `inspect capability` names it. Of two segments the first nodes differ, so the names do."""
    return f"{segment.verdict}_subgraph-nodes-{segment.first}-{segment.last}.onnx"


def prepare_folder(folder: Path) -> None:
    """Makes the folder, or takes out of it what an earlier call has left. An empty `RESULT` marks it as ours.

    Raises:
        UserError: it holds other things, perhaps of names that we use, too; or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is no folder.", "Choose another --out folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = set(folder.iterdir())
        ours = {path for pattern in _OURS for path in folder.glob(pattern)}
        strange = sorted(held - ours if (folder / RESULT).is_file() else held)
        if strange:
            raise UserError(
                f"{folder} holds {strange[0].name}, which is not by `trtdebug capability`.",
                "Choose another --out folder.",
            )
        (folder / RESULT).write_text("", encoding="utf-8")
        for path in ours - {folder / RESULT}:
            path.unlink()
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}.", "Choose another --out folder."
        ) from error


def save(
    path: Path,
    model: onnx.ModelProto,
    types: Mapping[str, TensorType],
    found: Capability,
    backend: str,
    folder: Path,
) -> Saved:
    """Writes models and plans into a folder that `prepare_folder` has made ready.

    Args:
        path: of the whole model.
        backend: name of the one whose parser was asked.
    """
    cutter = _Cutter(path, model, types, folder)
    models = tuple(cutter.save(segment.computed, file_name(segment)) for segment in found.segments)
    steps = [
        _Step(segment.computed, saved, backend if segment.verdict == "supported" else REST)
        for saved, segment in zip(models, found.segments, strict=True)
    ]
    cutter.plan("plan.json", cutter.joined(steps))
    largest = None
    if found.largest is not None:
        largest = cutter.save(found.largest.computed, LARGEST)
        computed = {name for segment in found.segments for name in segment.computed}
        cutter.plan("plan-largest.json", cutter.around(found.largest, largest, backend, computed))
    shutil.copyfile(run_plan.__file__, folder / "run_plan.py")
    return Saved(folder, models, largest, cutter.plans, tuple(cutter.notes))


def save_inputs(feeds: Feeds, folder: Path) -> None:
    """Writes inputs for `run_plan.py`."""
    write: Any = np.lib.format.write_array  # typed by some releases of numpy only
    with zipfile.ZipFile(
        folder / "inputs.npz", "w"
    ) as archive:  # np.savez takes no tensor of the name "file"
        for name, value in feeds.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                write(file, np.asarray(value), allow_pickle=False)


@dataclass(frozen=True)
class _Step:
    """Nodes of a plan, as they were saved, and who runs them."""

    nodes: Sequence[str]
    saved: SavedModel
    backend: str

    def part(self) -> Part:
        saved = self.saved
        return Part(saved.model, self.backend, saved.inputs, saved.outputs, len(self.nodes))


class _Cutter:
    def __init__(
        self, path: Path, model: onnx.ModelProto, types: Mapping[str, TensorType], folder: Path
    ) -> None:
        self.path, self.model, self.types, self.folder = path, model, types, folder
        self.index = GraphIndex(model)
        self.plans: dict[str, Plan] = {}
        self.notes: list[str] = []

    def save(self, nodes: Iterable[str], name: str) -> SavedModel:
        """Writes the model of these nodes, and reads it again by those who have to."""
        chosen = tuple(nodes)
        untyped = [t for t in segment_inputs(self.model, self.index, chosen) if t not in self.types]
        if untyped:
            return SavedModel("", obstacle=f"the type of {untyped[0]!r}, which it reads, is not known")
        piece = cut_segment(self.model, self.index, chosen, self.types)
        file = self.folder / name
        save_model(piece, file)
        return SavedModel(
            name,
            tuple(value.name for value in piece.graph.input),
            tuple(value.name for value in piece.graph.output),
            invalid=_invalid(file),
            not_loaded=_not_loaded(file),
        )

    def joined(self, steps: Sequence[_Step]) -> list[_Step]:
        """The steps; those of the rest as one where they cannot be cut (a sequence goes from one to the other)."""
        result: list[_Step] = []
        for backend, run in groupby(steps, key=lambda step: step.backend):
            together = list(run)
            if backend == REST and any(step.saved.obstacle for step in together):
                nodes = tuple(name for step in together for name in step.nodes)
                together = [_Step(nodes, self.save(nodes, f"rest-{len(result)}.onnx"), REST)]
            result += together
        return result

    def around(
        self, largest: Segment, saved: SavedModel, backend: str, computed: Collection[str]
    ) -> list[_Step]:
        """What comes before the largest segment, it itself, and what depends on it; of nodes that compute."""
        inner = frozenset(largest.computed)
        after = self.index.descendants(inner) - inner
        before = [n for n in self.index.order if n in computed and n not in after and n not in inner]
        steps = [_Step(largest.computed, saved, backend)]
        if before:
            steps.insert(0, _Step(before, self.save(before, "rest-before.onnx"), REST))
        if after:
            steps.append(_Step(tuple(after), self.save(after, "rest-after.onnx"), REST))
        return steps

    def plan(self, name: str, steps: Sequence[_Step]) -> None:
        """Writes the plan of these steps, or notes why there is none."""
        obstacle = next((step.saved.obstacle for step in steps if step.saved.obstacle), "")
        made = {*self.index.inputs, *(t for step in steps for t in step.saved.outputs)}
        idle = [t for t in self.index.outputs if t not in made]
        if obstacle:
            self.notes.append(f"there is no {name}: {obstacle}")
            return
        if idle:
            self.notes.append(f"{name} leaves out {idle[0]!r}: no node writes this output of the model")
        parts = tuple(step.part() for step in steps)
        outputs = tuple(t for t in self.index.outputs if t in made)
        self.plans[name] = Plan(str(self.path.resolve()), self.index.inputs, outputs, parts)
        text = dumps({"schema": 1, **_plain(self.plans[name])}, indent=2)
        (self.folder / name).write_text(text + "\n", encoding="utf-8")


def _plain(plan: Plan) -> dict[str, object]:
    return {"model": plan.model, "inputs": plan.inputs, "outputs": plan.outputs, "parts": plan.parts}


def _invalid(file: Path) -> str:
    try:
        onnx.checker.check_model(str(file))
    except onnx.checker.ValidationError as error:
        return " ".join(str(error).split())
    return ""


def _not_loaded(file: Path) -> str:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's own kinds of exceptions; what it says is kept
        return " ".join(str(error).split())
    return ""
