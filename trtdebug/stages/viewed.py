"""What of a model is worth a look: the place in question and its surroundings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import onnx

from trtdebug.core.errors import UserError
from trtdebug.graph.between import named
from trtdebug.graph.extract import extract
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model, load_skeleton
from trtdebug.graph.types import TensorType, tensor_types
from trtdebug.session.places import located
from trtdebug.session.session import Session, list_sessions


def place_of(what: Path | None, texts: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """The model, and the nodes in question.

    Args:
        what: a model, the folder of a repro or of a session; None = the newest session.
        texts: nodes as `named` takes them; empty = the culprits of the session.

    Raises:
        UserError: there is no such thing, or no such node.
    """
    path, nodes = _model(what)
    if texts:
        index = GraphIndex(load_skeleton(path))
        nodes = tuple(dict.fromkeys(name for text in texts for name in named(index, text)))
    return path, nodes


def _model(what: Path | None) -> tuple[Path, tuple[str, ...]]:
    if what is None:
        sessions = list_sessions()
        if not sessions:
            raise UserError("there is no session in .trtdebug.", "Name a model or a session.")
        what = sessions[0]
    if not what.is_dir():
        return what, ()
    if (what / "repro.json").is_file():
        return what / "model.onnx", ()
    case = located(Session(what).case(), what)
    if not Path(case.model).is_file():
        raise UserError(
            f"the session's model {case.model} is not here.", "Name the model itself, with --nodes."
        )
    return Path(case.model), _culprits(what)


def _culprits(session: Path) -> tuple[str, ...]:
    try:
        report = json.loads((session / "report.json").read_text(encoding="utf-8"))
        return tuple(n for c in report["culprits"] for n in (c["inside"][:1] or c["nodes"]))
    except (OSError, ValueError, KeyError):  # not finished, or found nothing: then all of it is shown
        return ()


def cut_around(path: Path, nodes: Sequence[str], hops: int | None) -> onnx.ModelProto:
    """The nodes with those that are at most `hops` away, up or down the data's way; None = the whole model.

    An input of it whose type is not known is shown as float32 of any shape.
    """
    model = load_model(path)
    if hops is None:
        return model
    index = GraphIndex(model)
    chosen = edge = set(nodes)
    for _ in range(hops):
        edge = {o for n in edge for o in (*index.predecessors(n), *index.successors(n))} - chosen
        chosen = chosen | edge
    types = tensor_types(model)
    untyped = {t for n in chosen for t in index.node(n).reads if t not in types}
    return extract(model, chosen, {**types, **{t: TensorType("float32", None) for t in untyped}}, index=index)
