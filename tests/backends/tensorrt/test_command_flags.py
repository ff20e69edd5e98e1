"""The same build options as flags of trtexec and of Polygraphy."""

from __future__ import annotations

import pytest

from trtdebug.backends.tensorrt.polygraphy_flags import has_sources_flag, polygraphy_flags
from trtdebug.backends.tensorrt.trtexec_flags import TYPED, WEAK, trtexec_flags
from trtdebug.core.case import BuildOptions, Profile

OPTIONS = BuildOptions(
    "fp16",
    tf32=False,
    profiles={"x": Profile((1, 4), (2, 4), (8, 4)), "scale": Profile((), (), ())},
    plugins=("a.so", "b.so"),
    optimization_level=1,
    workspace=3 << 19,
    tactic_sources="-CUBLAS,-CUBLAS_LT,-CUDNN",
)


def test_trtexec_takes_mebibytes_and_a_flag_for_each_plugin() -> None:
    assert trtexec_flags(OPTIONS, WEAK) == [
        "--minShapes=x:1x4,scale:",
        "--optShapes=x:2x4,scale:",
        "--maxShapes=x:8x4,scale:",
        "--noTF32",
        "--builderOptimizationLevel=1",
        "--memPoolSize=workspace:1.5",
        "--tacticSources=-CUBLAS,-CUBLAS_LT,-CUDNN",
        "--staticPlugins=a.so",
        "--staticPlugins=b.so",
    ]
    assert not [
        f for f in trtexec_flags(OPTIONS, TYPED) if f.startswith("--tacticSources")
    ]  # 11 has none of them


def test_polygraphy_takes_bytes_and_all_tactic_sources_that_are_left() -> None:
    assert polygraphy_flags(OPTIONS) == [
        "--builder-optimization-level=1",
        "--pool-limit=workspace:1572864",
        *("--tactic-sources", "EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"),
        *("--trt-min-shapes", "x:[1,4]", "scale:[]"),
        *("--trt-opt-shapes", "x:[2,4]", "scale:[]"),
        *("--trt-max-shapes", "x:[8,4]", "scale:[]"),
        *("--plugins", "a.so", "b.so"),
    ]


def test_what_is_the_builder_s_default_is_not_said() -> None:
    """TF32 is on in trtexec, and off in Polygraphy."""
    assert trtexec_flags(BuildOptions(), WEAK) == []
    assert polygraphy_flags(BuildOptions()) == ["--tf32"]


@pytest.mark.parametrize(("sources", "said"), [(None, True), ("CUDNN", True), ("-CUDNN", False)])
def test_polygraphy_cannot_be_told_what_depends_on_the_version(sources: str | None, said: bool) -> None:
    options = BuildOptions(tactic_sources=sources)
    assert has_sources_flag(options) == said
    assert said or "--tactic-sources" not in polygraphy_flags(options)
