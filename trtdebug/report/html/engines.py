"""Engines as the report shows them: layers, their precision and tactics, as built and with the fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trtdebug.core.outcome import EngineInfo
from trtdebug.report.html.trials import Trial
from trtdebug.stages.verdicts.sanity import AS_BUILT

_VERIFIES = "verify fix"


@dataclass(frozen=True)
class Layer:
    """A layer of an engine; see `trtdebug.core.outcome.LayerInfo`. Nodes are places in the graph."""

    name: str
    type: str
    precision: str | None
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    tactic: str | None
    milliseconds: float | None
    nodes: tuple[int, ...]
    at_most: tuple[int, ...]


@dataclass(frozen=True)
class EngineView:
    """An engine that a trial built. No layers: the backend shows none; `notes` may say why."""

    title: str
    backend: str
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]


@dataclass
class Engines:
    """Of the trials that were added: an engine as the user builds it, and the last one with a fix that passed.

    Of several builds as the user makes them it is the first that is wrong, else the first.

    Attributes:
        place: of a node in the graph, by name.
    """

    place: Mapping[str, int]
    as_built: EngineView | None = None
    fixed: EngineView | None = None
    _is_wrong: bool = False

    @property
    def views(self) -> tuple[EngineView, ...]:
        return tuple(view for view in (self.as_built, self.fixed) if view is not None)

    def add(self, trial: Trial) -> None:
        if trial.job["role"] != "candidate":
            return
        is_wrong = trial.status == "fail"
        if trial.purpose == AS_BUILT and (self.as_built is None or (is_wrong and not self._is_wrong)):
            self.as_built, self._is_wrong = self._view("as you build it", trial), is_wrong
        if trial.purpose == _VERIFIES and trial.status == "pass":
            self.fixed = self._view("with the fix", trial)

    def _view(self, title: str, trial: Trial) -> EngineView | None:
        return _view(title, trial.engine, self.place) if trial.engine is not None else None


def _view(title: str, engine: EngineInfo, place: Mapping[str, int]) -> EngineView:
    layers = tuple(
        Layer(
            layer.name,
            layer.type,
            layer.precision,
            layer.reads,
            layer.writes,
            layer.tactic,
            layer.milliseconds,
            _places(layer.nodes, place),
            _places(layer.at_most, place),
        )
        for layer in engine.layers
    )
    return EngineView(title, f"{engine.backend} {engine.version}".rstrip(), layers, engine.notes)


def _places(names: Sequence[str], place: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(place[name] for name in names if name in place)
