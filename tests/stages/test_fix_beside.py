"""Fixes that are tried to be compared with others, whatever else holds; and models with low precision written in."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from keeping_backend import KeepingBackend, diagnose, opened

from trtdebug.backends.base import BuildRequest
from trtdebug.core.diagnosis import Latency
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import PinPrecision, ReplaceGraph
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NEEDED = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")
USELESS = FixProposal("pin", "useless", (PinPrecision(("fc1",)),), 1.0, beside="Other")
MORE = FixProposal("pin", "more", (PinPrecision((*NEEDED, "norm_div")),), 5.0, beside="Other")
EVEN_MORE = FixProposal(
    "pin", "even more", (PinPrecision((*NEEDED, "norm_div", "norm_mul")),), 6.0, beside="Other"
)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """An MLP with one LayerNorm that overflows."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    return importlib.import_module("layernorm_overflow").build()


@dataclass
class Proposes:
    """A plugin that proposes these; `contexts`: what it was told."""

    proposals: tuple[FixProposal, ...]
    rewritten: onnx.ModelProto | None = None
    contexts: list[FixContext] = field(default_factory=list)

    @hookimpl
    def trtdebug_fixes(self) -> Iterable[FixProposer]:
        return [FixProposer("other", "for tests", self.propose)]

    def propose(self, context: FixContext) -> Iterable[FixProposal]:
        self.contexts.append(context)
        if self.rewritten is None:
            return self.proposals
        assert context.keep_model is not None
        graph = context.keep_model(self.rewritten)
        return [replace(p, interventions=(graph,)) for p in self.proposals]


def test_it_stands_before_the_fix_to_take(demo: onnx.ModelProto, tmp_path: Path) -> None:
    backend = KeepingBackend(milliseconds=_by_pins)
    theirs, ours = diagnose(opened(demo, tmp_path, backend, Proposes((MORE,)))).fixes
    assert (theirs.summary, theirs.beside, theirs.verified, theirs.builds_passed) == (
        "more",
        "Other",
        True,
        (2, 2),
    )
    assert (ours.interventions, ours.beside, ours.verified) == ((PinPrecision(NEEDED),), "", True)
    assert theirs.latency_ms == Latency(natural=1.0, fixed=1.05, fp32=2.0)
    assert ours.latency_ms == Latency(natural=1.0, fixed=1.04, fp32=2.0)


def test_of_one_name_the_first_that_holds_ends_the_list(demo: onnx.ModelProto, tmp_path: Path) -> None:
    plugin = Proposes((EVEN_MORE, MORE, USELESS, replace(EVEN_MORE, beside="Third")))
    fixes = diagnose(opened(demo, tmp_path, KeepingBackend(), plugin)).fixes
    assert [(f.summary, f.beside, f.verified) for f in fixes[:-1]] == [
        ("useless", "Other", False),
        ("more", "Other", True),
        ("even more", "Third", True),
    ]
    assert fixes[-1].interventions == (PinPrecision(NEEDED),)


def test_the_same_as_ours_is_shown_and_not_built_again(demo: onnx.ModelProto, tmp_path: Path) -> None:
    same = FixProposal("pin", "the same", (PinPrecision(NEEDED),), beside="Other")
    backend = KeepingBackend()
    theirs, ours = diagnose(opened(demo, tmp_path, backend, Proposes((same,)))).fixes
    assert theirs.interventions == ours.interventions
    assert sum(r.interventions == theirs.interventions for r in backend.requests) == 2


def test_it_is_the_fix_to_take_where_nothing_else_holds(demo: onnx.ModelProto, tmp_path: Path) -> None:
    def refuse(request: BuildRequest) -> None:
        if request.interventions == (PinPrecision(NEEDED),):
            raise BuildFailure("no such kernel.")

    backend = KeepingBackend(
        on_build=refuse, realises=frozenset({"PinPrecision", "ForcePrecision", "MarkOutputs"})
    )
    fixes = diagnose(opened(demo, tmp_path, backend, Proposes((MORE,)))).fixes
    assert {f.verified for f in fixes[:-1]} == {False}
    assert (fixes[-1].summary, fixes[-1].verified) == ("more", True)
    assert fixes[-1].latency_ms == Latency(1.0, 1.0, 1.0)


def test_what_cannot_be_tried_says_why(demo: onnx.ModelProto, tmp_path: Path) -> None:
    obstacles = (
        FixProposal("pin", "one", (), beside="Other", obstacle="it is not installed."),
        FixProposal("pin", "two", (), obstacle="nor is that."),
    )
    fixes = diagnose(opened(demo, tmp_path, KeepingBackend(), Proposes(obstacles))).fixes
    assert [(f.summary, f.untestable, f.reason) for f in fixes] == [
        ("one", True, "it is not installed."),
        ("two", True, "nor is that."),
        (fixes[-1].summary, False, ""),
    ]
    assert fixes[-1].verified


def test_proposers_can_read_the_samples(demo: onnx.ModelProto, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "inputs" / str(number)).mkdir(parents=True)
        np.save(tmp_path / "inputs" / str(number) / "x.npy", np.full((8, 64), 1 + number, np.float32))
    plugin = Proposes(())
    diagnose(opened(demo, tmp_path, KeepingBackend(), plugin, inputs=tmp_path / "inputs"))
    [context] = plugin.contexts
    for _ in range(2):  # more than once
        assert [{n: v.max() for n, v in sample.items()} for sample in context.samples()] == [
            {"x": 1.0},
            {"x": 2.0},
        ]


@pytest.mark.parametrize("rounds", [False, True])
def test_a_model_with_its_precision_written_in_is_held_to_the_cases_tolerance(
    rounds: bool, demo: onnx.ModelProto, tmp_path: Path
) -> None:
    """A weight stored in FP16: off by some 1e-4 on the reference, which is no rewrite, and well within 1e-2."""
    proposal = FixProposal("rewrite", "mixed", (), beside="Other", rounds=rounds)
    plugin = Proposes((proposal,), _with_half(demo, "fc1.weight"))
    fixes = diagnose(opened(demo, tmp_path, KeepingBackend(), plugin)).fixes
    mixed = next(f for f in fixes if f.summary == "mixed")
    [graph] = mixed.interventions
    assert isinstance(graph, ReplaceGraph)
    assert mixed.builds_passed == ((0, 1) if rounds else (0, 0))  # built: the norm is not cured by it
    assert ("is another one" in mixed.reason) is not rounds
    assert fixes[-1].verified


def _with_half(model: onnx.ModelProto, weight: str) -> onnx.ModelProto:
    mixed = onnx.ModelProto()
    mixed.CopyFrom(model)
    tensor = next(t for t in mixed.graph.initializer if t.name == weight)
    half = onnx.numpy_helper.to_array(tensor).astype(np.float16)
    tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{weight}_16"))
    mixed.graph.node.insert(0, onnx.helper.make_node("Cast", [f"{weight}_16"], [weight], "widened", to=1))
    return mixed


def _by_pins(request: BuildRequest) -> float:
    pins = sum(len(i.nodes) for i in request.interventions if isinstance(i, PinPrecision))
    return 2.0 if request.options.precision == "fp32" else 1 + pins / 100
