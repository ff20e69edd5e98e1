"""Values of the tensors around the cause: of the reference, and of the candidate where it kept them.

Counted at the session's end and kept in it as values.json, which is small; tensors may be removed later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.report.html.errors import Errors, SeenError
from trtdebug.report.html.histogram import Histogram, histogram
from trtdebug.session.files import write_text
from trtdebug.session.graph_file import REMEDY, Graph
from trtdebug.session.job import TensorRef
from trtdebug.session.stored import read_stored
from trtdebug.session.tensors import TensorStore

FILENAME = "values.json"
_MOST = 48
"""Tensors, at most."""

Source = Literal["alone", "whole"]


@dataclass(frozen=True)
class Values:
    """One tensor's values in one sample.

    Attributes:
        source: whose the candidate's values are: of the node by itself, fed with the reference's inputs, or of the
            whole candidate.
        candidate: None where the session did not keep them.
    """

    tensor: str
    sample: str
    source: Source
    reference: Histogram
    candidate: Histogram | None


def store_values(folder: Path, values: Sequence[Values]) -> None:
    """Keeps them in the session's folder."""
    write_text(folder / FILENAME, dumps(list(values)))


def stored_values(folder: Path) -> tuple[Values, ...] | None:
    """What `store_values` kept; None where it did not. Raises `UserError` where the file is damaged."""
    path = folder / FILENAME
    return tuple(read_stored(path, list[Values], REMEDY)) if path.exists() else None


def count_values(
    folder: Path, report: Mapping[str, Any], graph: Graph, errors: Errors, samples: Sequence[str]
) -> tuple[Values, ...]:
    """Of the culprits' tensors, of those next to them, and of the wrong outputs, as far as the session has them."""
    store = TensorStore(folder / "tensors")
    found: list[Values] = []
    for tensor in _wanted(report, graph):
        sources: tuple[tuple[Source, SeenError | None], ...] = (
            ("alone", errors.local.get(tensor)),
            ("whole", errors.plain.get(tensor) or errors.marked.get(tensor)),
        )
        found += _of_tensor(store, tensor, sources, samples)
        if len(found) >= _MOST:
            break
    return tuple(found[:_MOST])


def _of_tensor(
    store: TensorStore,
    tensor: str,
    sources: tuple[tuple[Source, SeenError | None], ...],
    samples: Sequence[str],
) -> Iterator[Values]:
    """Of the first sample that is there; the reference's values alone where nothing of the candidate's was kept."""
    sample = next((s for s in samples if store.has(s, TensorRef(tensor))), None)
    reference = _counts(store, sample, TensorRef(tensor)) if sample is not None else None
    if sample is None or reference is None:
        return
    refs = [(source, TensorRef(e.kept_as[1], e.kept_as[0])) for source, e in sources if e is not None]
    kept = [(source, _counts(store, sample, ref)) for source, ref in refs if store.has(sample, ref)]
    for source, candidate in kept or [("whole", None)]:
        yield Values(tensor, sample, source, reference, candidate)


def _counts(store: TensorStore, sample: str, ref: TensorRef) -> Histogram | None:
    """None where these are no numbers, or where the file is damaged: all else that was found is worth its report."""
    try:
        tensor = store.get(sample, ref)
    except (OSError, UserError):
        return None
    return histogram(tensor) if tensor.dtype.kind in "fiub" else None


def _wanted(report: Mapping[str, Any], graph: Graph) -> Iterator[str]:
    """Tensors in the order of their worth, each once: culprits', wrong outputs, then what is next to the culprits."""
    divergence = report["first_divergence"]
    nodes = [n for c in report["culprits"] for n in c["nodes"]]
    places = [graph.place[n] for n in nodes if n in graph.place]
    outputs = (report["signature"] or {}).get("outputs", [])
    next_to = dict.fromkeys(b for p in places for b in graph.nodes[p].before)
    after = [i for i, node in enumerate(graph.nodes) if set(places) & set(node.before)]
    seen: dict[str, None] = dict.fromkeys([divergence["tensor"]] if divergence else [])
    seen |= dict.fromkeys(t for p in places[: _MOST // 2] for t in graph.nodes[p].writes)
    seen |= dict.fromkeys(outputs)
    seen |= dict.fromkeys(t for p in (*next_to, *after) for t in graph.nodes[p].writes)
    yield from seen
