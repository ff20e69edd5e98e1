"""A builder that is right as the user builds, and wrong in some of the builds with low precision forced."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, repeat
from pathlib import Path

import numpy as np
from contexts import context, plugins_with
from planted_graphs import BrokenKernels, Planted

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_model

Moods = Iterator[bool]
"""Of each build, whether it goes wrong."""


def every(number: int, phase: int) -> Moods:
    """Each build of that number, counted from `phase` on."""
    return (n % number == 0 for n in count(phase))


def at_random(rate: float, seed: int) -> Moods:
    """Builds at a rate between 0 and 1."""
    chance = random.Random(seed)
    return (chance.random() < rate for _ in repeat(None))


class SeldomWrong(BrokenKernels):
    """What goes right works in FP32.

    Args:
        graph: its overflowing nodes and its broken kernels are what goes wrong.
        forced: moods of the builds with low precision forced.
        natural: the same of those as the user makes them.
        pins_help: what is pinned does not go wrong; else nothing helps.

    Attributes:
        forced_builds: with low precision forced, so far.
    """

    name = "seldom-wrong"
    deterministic = False

    def __init__(
        self, graph: Planted, forced: Moods, natural: Moods | None = None, pins_help: bool = True
    ) -> None:
        super().__init__(graph.wrong)
        self.forced, self.natural, self.pins_help = forced, natural or repeat(False), pins_help
        self.forced_builds = 0

    def build(self, request: BuildRequest) -> Engine:
        forced = any(isinstance(i, ForcePrecision) for i in request.interventions)
        self.forced_builds += forced
        if not next(self.forced if forced else self.natural):
            everything = PinPrecision(tuple(n.name for n in load_model(request.model).graph.node))
            request = replace(request, interventions=(everything,))
        elif not self.pins_help:
            request = replace(request, interventions=())
        return super().build(request)


def diagnose(folder: Path, backend: SeldomWrong, graph: Planted, *plugins: object) -> Diagnosis:
    """What `trtdebug fix` says, with two builds as the user makes them."""
    x = np.random.default_rng(1).standard_normal((4, 16))
    ctx = context(folder, graph.model, backend.name, plugins_with(backend, *plugins), 2, x=x)
    return Debugger(ctx, until="fix").run()
