"""First divergence: its numbers are of one and the same error."""

from __future__ import annotations

from pathlib import Path

from cases import open_case
from seed_models import model_of, node, value

from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.stages.observing.divergence import first_divergence
from trtdebug.stages.observing.observe import LocalError, Observation
from trtdebug.stages.observing.propagate import Propagated

ALONE = TensorError("y", "pass", max_abs=1e-4, max_rel=1e-4, rms_rel=2e-4)
WHOLE = TensorError("y", "fail", max_abs=0.5, max_rel=0.25, rms_rel=3e-4, nonfinite=16, kind="nonfinite")
SEEN = Observation({"exp": LocalError("exp", ALONE, None)}, {})
PROPAGATED = Propagated({"y": WHOLE}, Outcome("fail"))


def test_without_a_culprit_they_are_those_of_the_whole_candidate(tmp_path: Path) -> None:
    ctx = open_case(exp(), tmp_path, "fp16")
    found = first_divergence(ctx, [], SEEN, PROPAGATED)
    assert found is not None
    assert (found.nonfinite, found.max_abs, found.max_rel) == (16, 0.5, 0.25)
    assert (found.local_error, found.propagated_error) == (2e-4, 3e-4)


def test_of_a_culprit_they_are_its_own(tmp_path: Path) -> None:
    ctx = open_case(exp(), tmp_path, "fp16")
    found = first_divergence(ctx, ["exp"], SEEN, PROPAGATED)
    assert found is not None
    assert (found.nonfinite, found.max_abs, found.max_rel) == (0, 1e-4, 1e-4)


def exp():
    return model_of([node("Exp", ["x"], ["y"], "exp")], [value("x", [4])], [value("y", [4])])
