"""Builder switches: what is understood, what is refused by name, how they are set, and which are worth a try."""

from __future__ import annotations

from typing import Any

import pytest

from trtdebug.backends.tensorrt.knobs import KNOBS, apply_knobs, offered, read_knobs
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import Knob

CNN = ["Conv", "Relu"]


def read(*knobs: tuple[str, str], version: str = "8.6.0") -> dict[str, str]:
    return dict(read_knobs((Knob(*k) for k in knobs), version))


def offers(operators: list[str], version: str, options: BuildOptions | None = None) -> list[str]:
    return [f"{k.name}={k.value}" for k in offered(options or BuildOptions(), operators, version)]


def test_lists_and_routes_add_up_others_are_said_once() -> None:
    assert read(("tactic_sources", "-CUBLAS"), ("tactic_sources", "-CUDNN, -CUBLAS_LT")) == {
        "tactic_sources": "-CUBLAS,-CUDNN,-CUBLAS_LT"
    }
    routes = ("build_route", "-conv_lowering=off"), ("build_route", "-kgen:tiling=2")
    assert read(*routes, version="11.4.0") == {"build_route": "-conv_lowering=off -kgen:tiling=2"}
    assert read(("tf32", "off"), ("tf32", "off")) == {"tf32": "off"}


@pytest.mark.parametrize(
    ("knob", "version", "message"),
    [
        (("nope", "1"), "8.6.0", "unknown builder knob 'nope'. There are: tf32"),
        (("tf32", "maybe"), "8.6.0", "tf32 is on or off, not 'maybe'"),
        (("optimization_level", "9"), "8.6.0", "from 0 to 5, not '9'"),
        (("workspace", "1G"), "8.6.0", "workspace is bytes, at least 1, not '1G'"),
        (("workspace", "0"), "8.6.0", "at least 1, not '0'"),
        (("tactic_sources", ""), "8.6.0", "names to use, or -NAMES to drop, not ''"),
        (
            ("tactic_sources", "-NOPE"),
            "8.6.0",
            "no tactic source 'NOPE'. There are: CUBLAS, CUBLAS_LT, CUDNN",
        ),
        (("tactic_sources", "-CUBLAS"), "11.4.0", "no tactic source 'CUBLAS'. There are: EDGE_MASK_CONVOL"),
        (("preview_features", "PROFILE_SHARING_0806"), "11.4.0", "no preview feature 'PROFILE_SHARING_0806'"),
        (("preview_features", "-FASTER_DYNAMIC_SHAPES_0805"), "10.16.1", "There are: ALIASED_PLUGIN_IO"),
        (("build_route", "-a=b"), "10.16.1", "no knob build_route: build routes came with 11.1"),
        (("build_route", "-a"), "11.4.0", "build_route is -option=value, more of them behind spaces"),
        (("strict_nans", "on"), "8.6.0", "no knob strict_nans: .* came with 10.6"),
        (("distributive_independence", "on"), "10.8.0", "came with 10.12"),
    ],
)
def test_refused_with_its_name(knob: tuple[str, str], version: str, message: str) -> None:
    with pytest.raises(BuildFailure, match=message):
        read(knob, version=version)


def test_two_values_at_once_are_refused() -> None:
    with pytest.raises(BuildFailure, match="workspace is asked to be 1 and 2 at once"):
        read(("workspace", "1"), ("workspace", "2"))


def test_every_knob_says_what_it_takes() -> None:
    assert all(switch.takes and switch.pattern for switch in KNOBS.values())
    assert all(bool(switch.capability) == bool(switch.came) for switch in KNOBS.values())


class Deaf:
    """A config that takes any build route and keeps none, as TensorRT-RTX has it."""

    def __setattr__(self, name: str, value: object) -> None:
        pass

    build_route = ""


class Keeping:
    build_route = ""


def test_a_build_route_is_read_back() -> None:
    kept: Any = Keeping()
    apply_knobs(None, kept, {"build_route": "-a=b"})
    assert kept.build_route == "-a=b"
    with pytest.raises(BuildFailure, match="does not take the build route '-a=b'"):
        apply_knobs(None, Deaf(), {"build_route": "-a=b"})


def test_what_the_plan_says_is_not_set_twice() -> None:
    apply_knobs(
        None, None, {"tf32": "off", "workspace": "1", "optimization_level": "0", "strong_typing": "on"}
    )


def test_8_6_is_offered_what_it_has_the_cheapest_first() -> None:
    assert offers(CNN, "8.6.0") == [
        "tactic_sources=-JIT_CONVOLUTIONS",
        "tactic_sources=-EDGE_MASK_CONVOLUTIONS",
        "preview_features=-DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805",
        "tf32=off",
        "workspace=33554432",
        "optimization_level=0",
    ]
    assert "preview_features=-FASTER_DYNAMIC_SHAPES_0805" in offers(
        CNN, "8.6.0", BuildOptions(profiles={"x": Profile((1, 3), (2, 3), (8, 3))})
    )


def test_newer_versions_are_offered_theirs() -> None:
    assert {"strict_nans=on", "distributive_independence=on"} <= set(offers(CNN, "10.16.1"))
    assert "build_route=-conv_lowering=off" in offers(CNN, "11.4.0")
    assert not [o for v in ("10.16.1", "11.4.0") for o in offers(CNN, v) if o.startswith("preview")]


def test_only_where_it_could_matter() -> None:
    assert offers(["Relu"], "8.6.0") == ["workspace=33554432", "optimization_level=0"]
    assert offers(["MatMul"], "8.6.0", BuildOptions(tf32=False, optimization_level=0, workspace=1 << 20)) == [
        "preview_features=-DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805"
    ]


@pytest.mark.parametrize("sources", ["-JIT_CONVOLUTIONS,-CUBLAS", "CUBLAS,EDGE_MASK_CONVOLUTIONS"])
def test_a_source_that_the_user_does_not_use_is_not_offered(sources: str) -> None:
    found = offers(CNN, "8.6.0", BuildOptions(tactic_sources=sources))
    assert [o for o in found if "tactic" in o] == ["tactic_sources=-EDGE_MASK_CONVOLUTIONS"]


@pytest.mark.parametrize("version", ["8.6.0", "10.3.0", "10.16.1", "11.0.0", "11.4.0"])
def test_what_is_offered_is_accepted_and_all_at_once(version: str) -> None:
    knobs = offered(BuildOptions(), CNN, version)
    assert set(read_knobs(knobs, version)) == {k.name for k in knobs}
