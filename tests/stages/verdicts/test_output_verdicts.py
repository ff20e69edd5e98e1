"""What the verdict is made of, output by output and sample by sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import diagnose, open_case
from seed_models import model_of, node, value

from trtdebug.core.diagnosis import Diagnosis, OutputVerdict
from trtdebug.core.outcome import Outcome
from trtdebug.oracle.verdict import worst
from trtdebug.session.job import TensorRef
from trtdebug.session.tensors import TensorStore
from trtdebug.stages.context import Context
from trtdebug.stages.verdicts.output_verdicts import output_verdicts
from trtdebug.stages.verdicts.sanity import Sanity


def opened(folder: Path, *samples: float) -> Context:
    """y = x * x overflows in FP16 from 256 on; z = x never does."""
    (folder / "in").mkdir()
    for number, x in enumerate(samples):
        np.savez(folder / "in" / f"{number}.npz", x=np.full((1, 4), x, np.float32))
    model = model_of(
        [node("Mul", ["x", "x"], ["y"], "square"), node("Neg", ["x"], ["z"], "neg")],
        [value("x", [1, 4])],
        [value("y", [1, 4]), value("z", [1, 4])],
    )
    return open_case(model, folder, "fp16", inputs=folder / "in")


def table(verdicts: tuple[OutputVerdict, ...]) -> list[tuple[str, str, str, str]]:
    return [(v.build, v.error.tensor, v.sample, v.error.status) for v in verdicts]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Context, Diagnosis]:
    ctx = opened(tmp_path, 2, 1000)
    return ctx, diagnose(ctx)


def test_each_sample_has_a_verdict_of_its_own(two: tuple[Context, Diagnosis]) -> None:
    ctx, diagnosis = two
    first, second = ctx.case.samples
    of_a_build = [("y", first, "pass"), ("y", second, "fail"), ("z", first, "pass"), ("z", second, "pass")]
    as_built = [v for v in table(diagnosis.outputs) if v[0] == "as built 1"]
    assert [v[1:] for v in as_built] == of_a_build
    assert {v.build for v in diagnosis.outputs} >= {"as built 1", "as built 2"}
    failing = next(v.error for v in diagnosis.outputs if v.error.status == "fail")
    assert (failing.kind, failing.nonfinite) == ("nonfinite", 4)


def test_the_worst_of_them_is_what_the_verdict_rests_on(two: tuple[Context, Diagnosis]) -> None:
    _, diagnosis = two
    assert diagnosis.signature is not None
    found = worst(v.error for v in diagnosis.outputs if v.build == "as built 1")
    assert tuple(e.tensor for e in found if e.status == "fail") == diagnosis.signature.outputs


def test_of_one_sample_nothing_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = opened(tmp_path, 1000)
    diagnosis = diagnose(ctx)
    monkeypatch.setattr(TensorStore, "get", pytest.fail)
    trials = tuple(v for v in diagnosis.outputs if v.build == "as built 1")
    assert [(v.error.tensor, v.sample) for v in trials] == [
        ("y", ctx.case.samples[0]),
        ("z", ctx.case.samples[0]),
    ]


def natural(ctx: Context) -> Sanity:
    outcome = ctx.session.run(ctx.candidate_job("as built", keep="all"))
    return Sanity("diverges", outcome.signature, outcome.reason, (outcome,))


def test_without_stored_outputs_only_the_worst_is_known(tmp_path: Path) -> None:
    ctx = opened(tmp_path, 2, 1000)
    ctx.record()
    sane = natural(ctx)
    for sample in ctx.case.samples:
        for output in ("y", "z"):
            ctx.session.tensors.path(sample, TensorRef(output, sane.natural[0].trial)).unlink()
    assert table(output_verdicts(ctx, sane)) == [
        ("as built 1", "y", "", "fail"),
        ("as built 1", "z", "", "pass"),
    ]


def test_a_build_that_gave_nothing_is_untestable_everywhere(tmp_path: Path) -> None:
    ctx = opened(tmp_path, 2, 1000)
    unbuilt = Outcome("untestable", reason="it does not build")
    found = output_verdicts(ctx, Sanity("untestable", None, "", (), forced=unbuilt))
    assert {(v.build, v.error.status, v.error.reason) for v in found} == {
        ("forced", "untestable", "it does not build")
    }
    assert [(v.error.tensor, v.sample) for v in found] == [
        (o, s) for o in ("y", "z") for s in ctx.case.samples
    ]
