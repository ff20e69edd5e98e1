"""What a request asks of TensorRT, and what is refused before TensorRT is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.plan import BuildPlan, plan_build
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import (
    BanTactic,
    BreakFusion,
    ForcePrecision,
    Intervention,
    Knob,
    MarkOutputs,
    PinPrecision,
    ReplaceGraph,
    UseTactic,
)

FP16 = BuildOptions(precision="fp16")


def plan(
    *interventions: Intervention,
    options: BuildOptions = FP16,
    version: str = "8.6.0",
    **more: tuple[str, ...],
) -> BuildPlan:
    return plan_build(BuildRequest(Path("m.onnx"), options, Path("."), interventions, **more), version)


def test_the_users_build() -> None:
    natural = plan()
    assert natural.allowed == {"fp16"}
    assert natural.forced is None
    assert natural.tf32
    assert not natural.strong


def test_forcing_and_pins_set_the_flags_that_they_need() -> None:
    forced = plan(ForcePrecision("fp16"), PinPrecision(("a",)), options=BuildOptions())
    assert forced.allowed == {"fp16"}
    assert forced.pins == {"a": "fp32"}
    assert plan(PinPrecision(("a",), "bf16"), version="10.16.1").allowed == {"fp16", "bf16"}


def test_knobs_stand_in_the_plan_and_before_the_users_options() -> None:
    found = plan(
        Knob("tf32", "off"),
        Knob("optimization_level", "0"),
        Knob("workspace", "1024"),
        Knob("tactic_sources", "-CUBLAS, -CUDNN"),
        options=BuildOptions(tf32=True, optimization_level=3, workspace=1 << 30),
    )
    assert (found.tf32, found.optimization_level, found.workspace) == (False, 0, 1024)
    assert found.settings["tactic_sources"] == "-CUBLAS,-CUDNN"


def test_the_users_tactic_sources_come_first_and_knobs_add_to_them() -> None:
    users = BuildOptions(tactic_sources="-CUBLAS,-CUDNN")
    assert plan(options=users).settings == {"tactic_sources": "-CUBLAS,-CUDNN"}
    both = plan(Knob("tactic_sources", "-JIT_CONVOLUTIONS"), options=users)
    assert both.settings == {"tactic_sources": "-CUBLAS,-CUDNN,-JIT_CONVOLUTIONS"}


def test_marks_come_from_outputs_marks_and_broken_fusions() -> None:
    found = plan(MarkOutputs(("a", "b")), BreakFusion("c"), outputs=("y", "a"))
    assert found.marks == ("y", "a", "b", "c")


def test_a_replaced_graph_is_what_is_built() -> None:
    assert plan(ReplaceGraph("other.onnx", "0" * 64)).model == Path("other.onnx")


def test_version_11_is_strongly_typed_and_low_by_the_users_precision() -> None:
    found = plan(PinPrecision(("a",)), version="11.4.0")
    assert (found.strong, found.unpinned, found.low) == (True, "fp16", "fp16")
    only_a_pin = plan(PinPrecision(("a",), "fp16"), options=BuildOptions(), version="11.4.0")
    assert (only_a_pin.unpinned, only_a_pin.low) == (None, "fp16")


def test_strong_typing_by_choice() -> None:
    assert plan(Knob("strong_typing", "on"), version="10.16.1").strong


def test_a_calibration_cache_goes_with_int8_and_with_weak_typing(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("TRT-8600-MinMaxCalibration\n")
    options = BuildOptions(precision="int8", calibration_cache=str(tmp_path / "c"))
    found = plan(options=options).calibration
    assert found is not None
    assert found.kind == "MinMaxCalibration"
    with pytest.raises(BuildFailure, match=r"TensorRT 11\.4\.0 knows no calibration any more"):
        plan(options=options, version="11.4.0")
    with pytest.raises(BuildFailure, match="knows no calibration in a strongly typed network"):
        plan(Knob("strong_typing", "on"), options=options, version="10.16.1")
    with pytest.raises(BuildFailure, match="Give --int8 with it"):
        plan(options=BuildOptions(calibration_cache=str(tmp_path / "c")))


def test_values_of_shapes_are_passed_on() -> None:
    values = {"target": Profile((2,), (3,), (4,))}
    assert plan_build(BuildRequest(Path("m.onnx"), FP16, Path("."), values=values), "8.6.0").values == values


@pytest.mark.parametrize(
    ("intervention", "version", "message"),
    [
        (Knob("nope", "1"), "8.6.0", "unknown builder knob 'nope'"),
        (Knob("strong_typing", "on"), "8.6.0", "no strongly typed networks"),
        (Knob("strong_typing", "off"), "11.4.0", "only strongly typed"),
        (ForcePrecision("bf16"), "8.6.0", "no bf16"),
        (PinPrecision(("a",), "int8"), "8.6.0", "cannot be pinned to int8"),
        (BanTactic("conv", "0x80000009:0x1"), "11.4.0", "no algorithm selector"),
        (UseTactic("conv", "*:0x1"), "11.4.0", "no algorithm selector"),
        (ForcePrecision("bf16"), "11.4.0", "not fp16 and bf16 at once"),
    ],
)
def test_refused_with_its_name(intervention: Intervention, version: str, message: str) -> None:
    with pytest.raises(BuildFailure, match=message):
        plan(intervention, version=version)


def test_tactics_cannot_be_chosen_at_level_0() -> None:
    ban = BanTactic("conv", "0x80000009:0x1")
    assert plan(ban, version="8.6.0").bans == (ban,)
    with pytest.raises(BuildFailure, match="optimization level 0"):
        plan(ban, options=BuildOptions(optimization_level=0), version="8.6.0")
