"""What build.py is asked to build: checked before TensorRT is started."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt.knobs import KNOBS
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import BanTactic, Precision, UseTactic
from trtdebug.export.scripts.form import fault
from trtdebug.export.scripts.onnx_nodes import onnx_nodes

MANIFEST = "fix.json"


@dataclass(frozen=True)
class Wanted:
    """What the fix asks for.

    Attributes:
        forced: low precision of every node without a pin; None = the builder chooses.
        bans, uses: tactics that must not, and that have to be chosen.
    """

    pins: Mapping[str, Precision] = field(default_factory=dict)
    forced: Precision | None = None
    marks: tuple[str, ...] = ()
    bans: tuple[BanTactic, ...] = ()
    uses: tuple[UseTactic, ...] = ()
    knobs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What is to be built, of what, and how.

    Attributes:
        folder: where fix.json lies; `fix` is its content.
        model: the ONNX file that TensorRT gets.
        strong: precisions stand in the model.
        plugins: libraries to load.
        nodes: operator by node of the model.
    """

    folder: Path
    fix: Mapping[str, Any]
    wanted: Wanted
    model: Path
    strong: bool
    plugins: tuple[str, ...]
    nodes: Mapping[str, str]

    @property
    def options(self) -> Mapping[str, Any]:
        options: Mapping[str, Any] = self.fix["case"]["options"]
        return options


def read_fix(folder: Path) -> dict[str, Any]:
    """The content of fix.json. Raises `UserError` where it is missing or damaged."""
    path = folder / MANIFEST
    try:
        fix = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "build.py belongs beside it.") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}.", "Export the fix again.") from None
    wrong = fault(fix)
    if wrong or fix["schema"] != 1 or not fix["interventions"]:
        reason = wrong or (
            "it holds no fix" if fix["schema"] == 1 else f"its schema is {fix['schema']}, not 1"
        )
        raise UserError(f"{path} is damaged: {reason}.", "Export the fix again.")
    whole: dict[str, Any] = fix
    return whole


def read_wanted(interventions: Sequence[Mapping[str, Any]], apart: bool = False) -> Wanted:
    """What they ask for; `apart`: the model has the neutral nodes of each `BreakFusion` already.

    Raises `UserError` for an intervention that this script does not know."""
    pins: dict[str, Precision] = {}
    knobs: dict[str, str] = {}
    bans: list[BanTactic] = []
    uses: list[UseTactic] = []
    marks: list[str] = []
    forced: Precision | None = None
    for item in interventions:
        if item["kind"] == "PinPrecision":
            pins.update(dict.fromkeys(item["nodes"], item["dtype"]))
        elif item["kind"] == "ForcePrecision":
            forced = item["dtype"]
        elif item["kind"] == "MarkOutputs":
            marks += item["tensors"]
        elif item["kind"] == "BreakFusion":
            marks += [] if apart else [item["tensor"]]
        elif item["kind"] == "BanTactic":
            bans.append(BanTactic(item["layer"], item["tactic"]))
        elif item["kind"] == "UseTactic":
            uses.append(UseTactic(item["layer"], item["tactic"]))
        elif item["kind"] == "Knob":
            name, value = item["name"], item["value"]
            if name not in KNOBS:
                raise UserError(f"the fix turns the knob {name!r}, which this script does not know.")
            if re.fullmatch(KNOBS[name].pattern, value) is None:
                raise UserError(f"the knob {name} takes {KNOBS[name].takes}, not {value!r}.")
            joined = KNOBS[name].joined
            knobs[name] = f"{knobs[name]}{joined}{value}" if joined and name in knobs else value
        elif item["kind"] != "ReplaceGraph":  # that one is a model in this folder
            raise UserError(f"the fix holds {item['kind']}, which this script does not know.")
    return Wanted(pins, forced, tuple(dict.fromkeys(marks)), tuple(bans), tuple(uses), knobs)


def make_order(
    trt: Any, folder: Path, model: Path | None, strong: bool, plugins: Sequence[str] | None
) -> Order:
    """Checks what was asked for, before TensorRT is started.

    Raises:
        UserError: something is missing, or this TensorRT cannot do it.
    """
    fix = read_fix(folder)
    wanted = read_wanted(fix["interventions"], bool(fix.get("apart")))
    weak = hasattr(trt.BuilderFlag, "FP16")
    if strong and not hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        raise UserError(f"TensorRT {trt.__version__} has no strongly typed networks.", "Leave --strong out.")
    strong = strong or not weak or wanted.knobs.get("strong_typing") == "on"
    path = _model(folder, fix, model, strong)
    libraries = tuple(plugins if plugins is not None else fix["case"]["options"]["plugins"])
    for library in libraries:
        if not Path(library).is_file():
            raise UserError(f"there is no plugin library {library}.", "Say where it lies: --plugin LIB.")
    nodes = onnx_nodes(path)
    lost = [n for n in wanted.pins if n not in nodes] if not strong else []
    if lost:
        raise UserError(
            f"{path.name} has no node {lost[0]!r}, which the fix pins ({len(lost)} of {len(wanted.pins)} are missing).",
            "It is another export: find the fix anew with `trtdebug fix`.",
        )
    for node, operator in fix["operators"].items():
        if nodes.get(node, operator) != operator:
            raise UserError(
                f"{node!r}, which the fix pins, is {nodes[node]} in {path.name}, and was {operator}.",
                "It is another export: find the fix anew with `trtdebug fix`.",
            )
    return Order(folder, fix, wanted, path, strong, libraries, nodes)


def _model(folder: Path, fix: Mapping[str, Any], given: Path | None, strong: bool) -> Path:
    typed, own = fix["typed"], fix["model"]
    if strong and typed:
        if given is not None:
            raise UserError(
                "a strongly typed TensorRT takes precisions from the model, and mixed.onnx was made of "
                f"{fix['case']['model']}, not of {given}.",
                "Leave the model out, or find the fix for the new one with `trtdebug fix`.",
            )
        return inside(folder, typed)
    if strong and fix["typed_reason"]:
        raise UserError(
            f"the fix cannot be had in a strongly typed network: {fix['typed_reason']}", "Use 8.6 to 10."
        )
    if given is not None and (
        fix.get("apart") or any(i["kind"] == "ReplaceGraph" for i in fix["interventions"])
    ):
        raise UserError(
            f"the fix is a rewritten model, {own}: it cannot be had in {given}.", "Leave the model out."
        )
    if given is None and own:
        return inside(folder, own)
    return given if given is not None else Path(fix["case"]["candidate_model"] or fix["case"]["model"])


def inside(folder: Path, name: str) -> Path:
    """A file of this folder. Raises `UserError` for one that is not there, or lies elsewhere."""
    path = folder / name
    try:
        there = path.resolve().parent == folder.resolve() and path.is_file()
    except (OSError, ValueError):  # no file can be called so
        there = False
    if not there:
        raise UserError(f"{name} is not in {folder}.", "Export the fix again.")
    return path
