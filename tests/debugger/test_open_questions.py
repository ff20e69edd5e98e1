"""What the first builds leave open is said, and no more than that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from cases import diagnose, open_case
from contexts import context, plugins_with
from planted_graphs import planted_graph
from seed_models import model_of, node, value, weight

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.intervention import ForcePrecision
from trtdebug.debugger import Debugger


def test_a_pinned_build_that_says_nothing_is_no_evidence_for_other_causes(tmp_path: Path) -> None:
    """Inf - 1e5 x is Inf, and in FP16 Inf - Inf is NaN. Pinned, nothing in the outputs can be compared."""
    model = model_of(
        [node("Mul", ["x", "big"], ["a"], "overflow"), node("Sub", ["inf", "a"], ["y"], "sub")],
        [value("x", [4, 16])],
        [value("y", [4, 16])],
        [weight("big", 1e5), weight("inf", np.float32(np.inf))],
    )
    diagnosis = diagnose(open_case(model, tmp_path, "fp16", candidate="emulator", ranges=["[1,2]"]))
    assert diagnosis.verdict in ("fragile", "diverges")
    [line] = [line for line in diagnosis.unknown if "every node pinned" in line]
    assert line.endswith(": whether precision is the only cause is not known")


def test_a_match_of_an_output_that_is_always_empty_is_said_to_show_nothing(tmp_path: Path) -> None:
    nodes = [
        node("NonZero", ["x"], ["where"], "nonzero"),
        node("Cast", ["where"], ["found"], "found", to=1),
        node("Neg", ["x"], ["y"], "neg"),
    ]
    outputs = [value("y", [4]), value("found", [1, "n"])]
    told = {}
    for name, low in {"empty": "0", "full": "1"}.items():
        (tmp_path / name).mkdir()
        model = model_of(nodes, [value("x", [4])], outputs)
        case = open_case(model, tmp_path / name, "fp16", candidate="emulator", ranges=[f"[{low},{low}]"])
        diagnosis = diagnose(case)
        assert diagnosis.verdict == "matches"
        told[name] = [line for line in diagnosis.unknown if "is empty" in line]
    assert [line.split(":")[0] for line in told["empty"]] == ["the output 'found' is empty in every sample"]
    assert told["full"] == []


class PinsWhereForced(EmulatorBackend):
    """Pins have an effect where low precision is forced, and none as the user builds."""

    name = "pins-where-forced"
    stands_in = False
    deterministic = False

    def build(self, request: BuildRequest) -> Engine:
        if not any(isinstance(i, ForcePrecision) for i in request.interventions):
            request = replace(request, interventions=())
        return super().build(request)


def test_culprits_whose_pins_do_not_help_the_users_own_build_are_not_the_whole_story(tmp_path: Path) -> None:
    told = {}
    for backend in (PinsWhereForced(), EmulatorBackend()):
        folder = tmp_path / backend.name
        folder.mkdir()
        x = np.random.default_rng(1).standard_normal((4, 16))
        ctx = context(folder, planted_graph(1, 24, 1).model, backend.name, plugins_with(backend), 2, x=x)
        diagnosis = Debugger(ctx, until="fix").run()
        assert diagnosis.culprits[0].proven
        told[backend.name] = [line for line in diagnosis.unknown if "as you build it" in line]
    assert len(told["pins-where-forced"]) == 1
    assert told["emulator"] == []
