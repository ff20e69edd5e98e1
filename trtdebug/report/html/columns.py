"""The details as JSON for the page: columns by node, and places instead of names, so that 10,000 nodes stay small."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trtdebug.core.jsonable import to_data
from trtdebug.report.html.details import Details
from trtdebug.report.html.engines import EngineView, Layer
from trtdebug.report.html.errors import SeenError
from trtdebug.report.html.histogram import HIGHEST, LOWEST
from trtdebug.report.strings import plain, shortened
from trtdebug.session.graph_file import Graph

_LONGEST = 240
"""Characters of a layer's or a tactic's name: builders join the names of all that they fuse."""

Seen = Sequence[SeenError | None]


def page_data(report: Mapping[str, Any], details: Details) -> dict[str, Any]:
    """All that the page's script draws. Strings are fit to be shown: no control characters, no ANSI sequences."""
    graph, errors = details.graph or Graph(()), details.errors
    local, foreseen = _by_node(graph, errors.local), _by_node(graph, errors.foreseen)
    return {
        "graph": _graph(graph) if details.graph is not None else None,
        "local": _columns([own or other for own, other in zip(local, foreseen, strict=True)]),
        "foreseen": [i for i, own in enumerate(local) if own is None and foreseen[i] is not None],
        "propagated": _columns(_by_node(graph, errors.propagated)),
        "limit": errors.limit,
        "marks": _marks(report, graph.place),
        "engines": [_engine(view) for view in details.engines],
        "steps": [_shown(to_data(step)) for step in details.steps],
        "bins": [LOWEST, HIGHEST],
        "values": [_shown(to_data(v)) | {"node": graph.producer.get(v.tensor)} for v in details.values],
    }


def data_text(data: Mapping[str, Any]) -> str:
    """JSON in ASCII that ends no script element and opens no comment, whatever is in it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _graph(graph: Graph) -> dict[str, Any]:
    ops, types = _Table(), _Table()
    nodes = graph.nodes
    return {
        "names": [plain(n.name) for n in nodes],
        "op": [ops.place(n.op) for n in nodes],
        "before": [list(n.before) for n in nodes],
        "writes": [[plain(t) for t in n.writes] for n in nodes],
        "types": [[types.place(t) for t in n.types] for n in nodes],
        "isOutput": [i for i, n in enumerate(nodes) if set(n.writes) & set(graph.outputs)],
        "inputs": [plain(t) for t in graph.inputs],
        "outputs": [plain(t) for t in graph.outputs],
        "ops": ops.strings,
        "typeNames": types.strings,
    }


class _Table:
    """Each string once, by its place."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        return self._places.setdefault(plain(text), len(self._places))

    @property
    def strings(self) -> list[str]:
        return list(self._places)


def _by_node(graph: Graph, errors: Mapping[str, SeenError]) -> Seen:
    """The worst error of the tensors that each node writes."""
    return [
        max((errors[t] for t in n.writes if t in errors), key=_gravity, default=None) for n in graph.nodes
    ]


def _gravity(error: SeenError) -> tuple[bool, int, float]:
    return error.status == "fail", error.nonfinite, error.rms


def _columns(seen: Seen) -> dict[str, list[Any]]:
    """By node: relative RMS error (null: not seen), elements that are NaN or Inf on one side, and what fails."""
    return {
        "rms": [_number(e.rms) if e is not None else None for e in seen],
        "nonfinite": [e.nonfinite if e is not None else 0 for e in seen],
        "failed": [i for i, e in enumerate(seen) if e is not None and e.status == "fail"],
    }


def _number(value: float) -> float | str:
    """Four digits; what is not finite as in report.json."""
    return float(f"{value:.3e}") if math.isfinite(value) else repr(value)


def _marks(report: Mapping[str, Any], place: Mapping[str, int]) -> dict[str, Any]:
    """Places of what the report names: culprits, pins of the fix to take, and the first divergence."""
    fixes = [f for f in report["fixes"] if f["verified"]]
    pins = [i for f in fixes[-1:] for i in f["interventions"] if i["kind"] == "PinPrecision"]
    divergence = report["first_divergence"] or {}
    return {
        "culprits": [
            {
                "nodes": [place[n] for n in (c.get("inside") or c["nodes"]) if n in place],
                "proven": c["proven"],
                "evidence": plain(c["evidence"]),
            }
            for c in report["culprits"]
        ],
        "pins": sorted({place[n] for pin in pins for n in pin["nodes"] if n in place}),
        "first": place.get(divergence.get("node") or ""),
    }


def _engine(view: EngineView) -> dict[str, Any]:
    return {
        "title": view.title,
        "backend": plain(view.backend),
        "notes": [plain(n) for n in view.notes],
        "layers": [_layer(layer) for layer in view.layers],
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": shortened(plain(layer.name), _LONGEST),
        "type": plain(layer.type),
        "precision": layer.precision,
        "reads": list(layer.reads),
        "writes": list(layer.writes),
        "tactic": shortened(plain(layer.tactic), _LONGEST) if layer.tactic is not None else None,
        "ms": layer.milliseconds,
        "nodes": list(layer.nodes),
        "atMost": list(layer.at_most),
    }


def _shown(data: Any) -> Any:
    """The same with all strings fit to be shown."""
    if isinstance(data, str):
        return plain(data)
    if isinstance(data, dict):
        return {key: _shown(value) for key, value in data.items()}
    return [_shown(value) for value in data] if isinstance(data, list | tuple) else data
