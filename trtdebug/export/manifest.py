"""fix.json: what a fix folder holds, and under which file names."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import cattrs

from trtdebug.backends.tensorrt.layer_flags import PinnedLayer
from trtdebug.backends.tensorrt.nameless import nameless
from trtdebug.core.case import Case, Profile
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import Intervention, PinPrecision, ReplaceGraph
from trtdebug.core.jsonable import dumps, from_data

MANIFEST = "fix.json"
SCHEMA = 1


@dataclass(frozen=True)
class TensorFile:
    """A stored tensor: its ONNX name, and its .npy file relative to the folder."""

    name: str
    file: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One sample: what is fed, and what the reference gave for it."""

    name: str
    inputs: tuple[TensorFile, ...]
    expected: tuple[TensorFile, ...]


@dataclass(frozen=True)
class FixManifest:
    """The content of fix.json. The scripts in the folder read it too.

    Attributes:
        kind, summary: of the fix, as the report tells them.
        interventions: what the build does otherwise. A `ReplaceGraph` names a model of this folder.
        case: model, build options, tolerance and samples with which it was verified. Its paths are those of the
            machine where that was.
        builds_passed: (passed, tried) fresh builds.
        profiles: shapes of each input that a build has to take; `dynamic`: those inputs whose shape the model
            leaves open.
        values: smallest, tuned and largest values of integer inputs that may hold shapes.
        own_rounding: see `trtdebug.stages.context.Context`.
        operators: by pinned node; `calls`: those of these nodes that call a function of the model.
        layers: of TensorRT's network that the pins are set on, where TensorRT was at hand.
        versions: of what the fix was found with, by name; `device` is the candidate's.
        samples: those whose tensors lie in the folder; fewer than the case's where they are large.
        model: the model to build, where it is not the user's own file.
        apart: it has the neutral nodes of each `BreakFusion`; else their tensors become outputs of the engine.
        typed: the model for a strongly typed TensorRT; `typed_reason` says why there is none.
        unlowered: nodes without a pin that are not in the low precision there -> why.
        timing_cache, tactics, calibration: files of the folder, where the fix has such.
    """

    kind: str
    summary: str
    interventions: tuple[Intervention, ...]
    case: Case
    builds_passed: tuple[int, int]
    profiles: dict[str, Profile] = field(default_factory=dict)
    dynamic: tuple[str, ...] = ()
    values: dict[str, Profile] = field(default_factory=dict)
    own_rounding: dict[str, float] = field(default_factory=dict)
    operators: dict[str, str] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    layers: tuple[PinnedLayer, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    samples: tuple[Sample, ...] = ()
    model: str | None = None
    apart: bool = False
    typed: str | None = None
    typed_reason: str = ""
    unlowered: dict[str, str] = field(default_factory=dict)
    timing_cache: str | None = None
    tactics: str | None = None
    calibration: str | None = None
    schema: int = SCHEMA

    @property
    def pins(self) -> dict[str, str]:
        """Precision by pinned node."""
        found = [i for i in self.interventions if isinstance(i, PinPrecision)]
        return {node: pin.dtype for pin in found for node in pin.nodes}

    @property
    def nameless(self) -> str:
        """Which pin has no layer of its node's name, and why; empty where all have, or the layers are known."""
        return "" if self.layers else nameless(self.pins, self.operators, self.calls)

    @property
    def rewritten(self) -> ReplaceGraph | None:
        return next((i for i in self.interventions if isinstance(i, ReplaceGraph)), None)

    def in_folder(self, folder: Path) -> tuple[Intervention, ...]:
        """The interventions, with the paths of the files of `folder`."""
        return tuple(
            replace(i, model=str((folder / i.model).resolve())) if isinstance(i, ReplaceGraph) else i
            for i in self.interventions
        )


def write_manifest(manifest: FixManifest, folder: Path) -> None:
    """Writes fix.json."""
    (folder / MANIFEST).write_text(dumps(manifest, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> FixManifest:
    """Reads fix.json of a fix folder.

    Raises:
        UserError: no such file, not of this form, of a later schema, or it names a file outside of the folder.
    """
    path = folder / MANIFEST
    try:
        manifest = _parsed(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{folder} is no fix folder: it has no {MANIFEST}.", "Name the fix/ folder of a session."
        ) from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from None
    except (ValueError, TypeError, KeyError, AttributeError, cattrs.BaseValidationError) as error:
        told = (
            "; ".join(cattrs.transform_error(error))
            if isinstance(error, cattrs.BaseValidationError)
            else str(error)
        )
        told = " ".join(told.split()) or type(error).__name__
        raise UserError(f"{path} is damaged: {told}.", "Export the fix again.") from None
    if manifest.schema != SCHEMA:
        raise UserError(f"{path} has schema {manifest.schema}, not {SCHEMA}.", "Use a newer trtdebug.")
    if manifest.case.fix_builds < 1:
        raise UserError(f"{path} is damaged: a fix takes a build at least.", "Export the fix again.")
    if not manifest.interventions:
        raise UserError(f"{path} is damaged: it holds no fix.", "Export the fix again.")
    places = (manifest.case.model, manifest.case.candidate_model or "", *manifest.case.options.plugins)
    for name in (*files_of(manifest), *places):
        if "\0" in name:
            raise UserError(f"{path} is damaged: no file is called {name!r}.", "Export the fix again.")
    for file in files_of(manifest):
        if not (folder / file).resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{path} names {file!r}, which lies outside of its folder.", "Export it again.")
    return manifest


def _parsed(text: str) -> FixManifest:
    """What the text holds. Raises what `from_data` raises, or a ValueError."""
    data = json.loads(text)
    manifest = from_data(data, FixManifest)
    if (
        "precision" not in data["case"]["options"]
    ):  # FP32, which it would be by default, passes without any fix
        raise ValueError("it does not say in which precision to build")
    return manifest


def files_of(manifest: FixManifest) -> tuple[str, ...]:
    """Every file of the folder that fix.json names."""
    single = (getattr(manifest, f.name) for f in fields(manifest) if f.name in _FILES)
    tensors = (t.file for s in manifest.samples for t in (*s.inputs, *s.expected))
    rewritten = [manifest.rewritten.model] if manifest.rewritten else []
    return (*(f for f in single if f), *rewritten, *tensors)


_FILES = ("model", "typed", "timing_cache", "tactics", "calibration")
