"""The emulator as a builder that compiles the model as one block: it shows no precision, and may ignore a pin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from trtdebug.backends.base import BuildRequest, Engine, Feeds, Tensor
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.intervention import PinPrecision
from trtdebug.core.outcome import EngineInfo
from trtdebug.graph.load import load_model
from trtdebug.plugins.spec import hookimpl


@dataclass
class _Opaque:
    engine: Engine
    nodes: tuple[str, ...]

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        return self.engine.run(feeds)

    def info(self) -> EngineInfo:
        return replace(self.engine.info(), unverified=self.nodes)

    def close(self) -> None:
        self.engine.close()


class Ignoring(EmulatorBackend):
    """Attributes:
    ignored: nodes that stay in low precision though they are pinned, unless nearly all of the model is.
    """

    name = "ignoring"
    stands_in = False
    deterministic = False

    def __init__(self, ignored: Iterable[str]) -> None:
        self.ignored = frozenset(ignored)

    @hookimpl
    def trtdebug_backends(self) -> list[Ignoring]:
        return [self]

    def build(self, request: BuildRequest) -> Engine:
        names = tuple(n.name for n in load_model(request.model).graph.node)
        pins = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        others = tuple(i for i in request.interventions if not isinstance(i, PinPrecision))
        if len(pins) < len(names) - 3:
            pins -= self.ignored
        kept = (PinPrecision(tuple(sorted(pins))),) if pins else ()
        return _Opaque(super().build(replace(request, interventions=(*others, *kept))), names)
