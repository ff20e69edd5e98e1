"""What is relaxed when precision constraints cannot be built."""

from __future__ import annotations

import pytest

from trtdebug.backends.tensorrt.constraints import ROUNDS, OutOfGpuMemory, build_constrained
from trtdebug.core.errors import BuildFailure


class Builder:
    """Obeys once every layer of `stubborn` is free; blames the first that is not. Prefers always, unless `broken`."""

    def __init__(self, *stubborn: str, names: bool = True, broken: bool = False) -> None:
        self.layers = {f"l{i}": i for i in range(8)}
        self.stubborn, self.names, self.broken = list(stubborn), names, broken
        self.attempts: list[str] = []
        self.free: set[int] = set()
        self.errors: list[str] = []

    def attempt(self, constraints: str) -> str:
        self.attempts.append(constraints)
        left = [name for name in self.stubborn if self.layers[name] not in self.free]
        if self.broken or (left and constraints == "obey"):
            self.errors = [f"no implementation for node {left[0]}." if self.names and left else "no idea"]
            raise BuildFailure(self.errors[0])
        return "engine"

    def build(self) -> tuple[str, str]:
        return build_constrained(self.attempt, lambda: self.errors, self.layers, self.free.update)


def test_nothing_is_said_where_nothing_was_relaxed() -> None:
    assert Builder().build() == ("engine", "")


def test_only_the_blamed_layers_get_their_freedom_and_are_named() -> None:
    builder = Builder("l3", "l5")
    engine, note = builder.build()
    assert (engine, builder.free, builder.attempts) == ("engine", {3, 5}, ["obey"] * 3)
    assert note.startswith("precision constraints of 2 layer(s) dropped: l3 (no implementation for node l3.)")
    assert "l5" in note


def test_an_error_that_names_nobody_relaxes_all_at_once() -> None:
    builder = Builder("l3", names=False)
    assert builder.build() == ("engine", "precision constraints relaxed from OBEY to PREFER: no idea")
    assert (builder.free, builder.attempts) == (set(), ["obey", "prefer"])


def test_too_many_refusals_relax_all() -> None:
    builder = Builder(*(f"l{i}" for i in range(7)))
    _, note = builder.build()
    assert builder.attempts == ["obey"] * ROUNDS + ["prefer"]
    assert "from OBEY to PREFER" in note
    assert "l0 (no implementation for node l0.)" in note


def test_what_cannot_be_built_at_all_fails() -> None:
    with pytest.raises(BuildFailure, match="no idea"):
        Builder(broken=True).build()


def test_want_of_memory_relaxes_nothing() -> None:
    attempts: list[str] = []

    def attempt(constraints: str) -> str:
        attempts.append(constraints)
        raise OutOfGpuMemory("out of memory for node l1.")

    freed: set[int] = set()
    with pytest.raises(OutOfGpuMemory, match="out of memory"):
        build_constrained(attempt, lambda: ["out of memory for node l1."], {"l1": 1}, freed.update)
    assert (attempts, freed) == (["obey"], set())
