"""What report.html shows beside report.json: gathered from the session's folder, in one pass over its trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtdebug.core.case import Case
from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.types import TensorType
from trtdebug.report.html.engines import Engines, EngineView
from trtdebug.report.html.errors import Errors
from trtdebug.report.html.search import Step, is_step, step_of
from trtdebug.report.html.trials import read_trials
from trtdebug.report.html.values import Values, count_values, store_values, stored_values
from trtdebug.session.graph_file import Graph, graph_of, read_graph, store_graph
from trtdebug.session.session import Session


@dataclass(frozen=True)
class Details:
    """Nothing in it is guessed: what the session does not tell is empty.

    Attributes:
        graph: None where neither the session nor the model's file is at hand.
        engines: as built and with the fix, where they were built.
    """

    graph: Graph | None = None
    errors: Errors = field(default_factory=Errors)
    engines: tuple[EngineView, ...] = ()
    steps: tuple[Step, ...] = ()
    values: tuple[Values, ...] = ()


def keep_details(
    folder: Path,
    case: Case,
    report: Mapping[str, Any],
    index: GraphIndex,
    types: Mapping[str, TensorType],
) -> None:
    """Keeps in the session what would be lost with the model's file and the tensors."""
    graph = graph_of(index, types)
    store_graph(folder, case.sha256, graph)
    errors = Errors(_models(case))
    for trial in read_trials(folder):
        with trial.in_use():
            errors.add(trial)
    store_values(folder, count_values(folder, report, graph, errors, case.samples))


def read_details(folder: Path, report: Mapping[str, Any]) -> Details:
    """All that the session's folder tells; nothing where its case is not there or can't be read."""
    try:
        case = Session(folder).case()
    except UserError:
        return Details()
    graph = read_graph(folder, Path(case.model), case.sha256)
    place = graph.place if graph is not None else {}
    errors, engines, steps = Errors(_models(case)), Engines(place), []
    for trial in read_trials(folder):
        with trial.in_use():
            errors.add(trial)
            engines.add(trial)
            if is_step(trial):
                steps.append(step_of(trial, place))
    values = stored_values(folder)
    if values is None:
        values = count_values(folder, report, graph or Graph(()), errors, case.samples)
    return Details(graph, errors, engines.views, tuple(steps), values)


def _models(case: Case) -> frozenset[str]:
    return frozenset(filter(None, (case.sha256, case.candidate_sha256)))
