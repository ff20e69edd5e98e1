"""Global switches of the builder: what each is called and takes, which versions have it, how it is set."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import Knob

Settings = Mapping[str, str]
"""Value by knob."""
Apply = Callable[[Any, Any, str], None]


@dataclass(frozen=True)
class Switch:
    """A knob.

    Attributes:
        takes: what it takes, in words; `pattern`: the same as a regular expression of the whole value.
        apply: told the tensorrt module, a trt.IBuilderConfig and the value, sets it; None = the build plan says it
            (see `BuildPlan`).
        capability: of `compat`; None = all versions have it.
        came: in which version, in words; where there is a capability.
        joined: it may be given several times, and all values hold; this goes between them.
        enum: of TensorRT, whose members are its value's words; a leading "-" takes one away.
    """

    takes: str
    pattern: str
    apply: Apply | None = None
    capability: str | None = None
    came: str = ""
    joined: str = ""
    enum: str = ""


def _set_tactic_sources(trt: Any, config: Any, value: str) -> None:
    """Plain names are all there is; "-NAME" drops one of the default."""
    default = config.get_tactic_sources()
    members = {name: 1 << int(_member(trt.TacticSource, name)) for name, _ in signed_names(value)}
    mask = default if all(not on for _, on in signed_names(value)) else 0
    for name, on in signed_names(value):
        mask = mask | members[name] if on else mask & ~members[name]
    if not config.set_tactic_sources(mask):
        raise BuildFailure(f"TensorRT does not take the tactic sources {value}.")


def _set_preview_features(trt: Any, config: Any, value: str) -> None:
    for name, on in signed_names(value):
        config.set_preview_feature(_member(trt.PreviewFeature, name), on)


def _set_flag(name: str) -> Apply:
    def apply(trt: Any, config: Any, value: str) -> None:
        flag = _member(trt.BuilderFlag, name)
        config.set_flag(flag) if value == "on" else config.clear_flag(flag)

    return apply


def _set_build_route(trt: Any, config: Any, value: str) -> None:
    config.build_route = value
    if config.build_route != value:  # TensorRT-RTX, and Windows, take any and keep none
        raise BuildFailure(
            f"this TensorRT does not take the build route {value!r}.",
            "`config.all_build_routes` says which there are.",
        )


_ON_OFF = ("on or off", "on|off")
_NAMES = r"-?[A-Z]\w*(,-?[A-Z]\w*)*"

KNOBS: dict[str, Switch] = {
    "tf32": Switch(*_ON_OFF),
    "strong_typing": Switch(*_ON_OFF),
    "optimization_level": Switch("a number from 0 to 5", "[0-5]"),
    "workspace": Switch("bytes, at least 1", "[1-9][0-9]*"),
    "tactic_sources": Switch(
        "names to use, or -NAMES to drop", _NAMES, _set_tactic_sources, joined=",", enum="TacticSource"
    ),
    "preview_features": Switch(
        "names to switch on, -NAMES to switch off",
        _NAMES,
        _set_preview_features,
        joined=",",
        enum="PreviewFeature",
    ),
    "build_route": Switch(
        "-option=value, more of them behind spaces",
        r"-[\w:.]+=\S+( -[\w:.]+=\S+)*",
        _set_build_route,
        "BUILD_ROUTE",
        "build routes came with 11.1",
        joined=" ",
    ),
    "strict_nans": Switch(
        *_ON_OFF, _set_flag("STRICT_NANS"), "STRICT_NANS", "strict handling of NaN came with 10.6"
    ),
    "distributive_independence": Switch(
        *_ON_OFF,
        _set_flag("DISTRIBUTIVE_INDEPENDENCE"),
        "DISTRIBUTIVE_INDEPENDENCE",
        "independence of the batch came with 10.12",
    ),
}
"""All of them, by name."""


def read_knobs(knobs: Iterable[Knob], version: str) -> Settings:
    """What the knobs say, each checked against this version.

    Raises:
        BuildFailure: one is unknown, given twice with different values, takes no such value, or is not in this version.
    """
    settings: dict[str, str] = {}
    for knob in knobs:
        value = re.sub(r"\s*,\s*", ",", knob.value.strip())
        _check(knob.name, value, version)
        before, joined = settings.get(knob.name), KNOBS[knob.name].joined
        if before is not None and before != value and not joined:
            raise BuildFailure(f"builder knob {knob.name} is asked to be {before} and {value} at once.")
        settings[knob.name] = f"{before}{joined}{value}" if before and before != value else value
    return settings


def apply_knobs(trt: Any, config: Any, settings: Settings) -> None:
    """Sets them in a trt.IBuilderConfig; those that the plan says are left to it.

    Args:
        trt: the tensorrt module, or one that is like it.

    Raises:
        BuildFailure: this TensorRT does not take one of them.
    """
    for name, value in settings.items():
        apply = KNOBS[name].apply
        if apply is not None:
            apply(trt, config, value)


def _check(name: str, value: str, version: str) -> None:
    switch = KNOBS.get(name)
    if switch is None:
        raise BuildFailure(f"unknown builder knob {name!r}.", f"There are: {', '.join(KNOBS)}.")
    if switch.capability is not None and not compat.has(switch.capability, version):
        raise BuildFailure(f"TensorRT {version} has no knob {name}: {switch.came}.")
    if re.fullmatch(switch.pattern, value) is None:
        raise BuildFailure(f"builder knob {name} is {switch.takes}, not {value!r}.")
    if switch.enum:
        known = compat.members(switch.enum, version)
        for word, _ in signed_names(value):
            if word not in known:
                raise BuildFailure(
                    f"TensorRT {version} has no {_in_words(switch.enum)} {word!r}.",
                    f"There are: {', '.join(known) or 'none'}.",
                )


def signed_names(value: str) -> Iterator[tuple[str, bool]]:
    """Names of a list as `tactic_sources`, and whether each is on."""
    for word in value.split(","):
        yield word.removeprefix("-"), not word.startswith("-")


def _in_words(enum: str) -> str:
    """ "TacticSource" -> "tactic source"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", enum).lower()


def _member(enum: Any, name: str) -> Any:
    found = compat.member(enum, name)
    if found is None:
        raise BuildFailure(f"this TensorRT has no {_in_words(enum.__name__)} {name!r}.")
    return found


# which of them are worth a try --------------------------------------------------------------------------------

_PRODUCTS = frozenset(
    {"Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum", "LSTM", "GRU", "RNN", "Attention", "DeformConv"}
)
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_SMALL_WORKSPACE = 32 << 20  # bytes; enough for most layers' plainest tactics


def offered(options: BuildOptions, operators: Collection[str], version: str) -> tuple[Knob, ...]:
    """Settings other than the user's that may change what is computed, those that cost the least speed first.

    Args:
        options: what the user builds with; what they say already is not offered.
        operators: types of the model's nodes, in bodies too.
        version: of TensorRT.
    """
    return tuple(_offers(options, frozenset(operators), version))


def _offers(options: BuildOptions, operators: frozenset[str], version: str) -> Iterator[Knob]:
    convolves = bool(operators & _CONVOLUTIONS)
    if convolves:
        # The others, of cuBLAS and cuDNN, serve plugins only, unless a preview feature of 8.6 is off (below).
        for source in ("JIT_CONVOLUTIONS", "EDGE_MASK_CONVOLUTIONS"):
            if _may_use(options.tactic_sources, source):
                yield Knob("tactic_sources", f"-{source}")
    previews = compat.members("PreviewFeature", version)
    if "FASTER_DYNAMIC_SHAPES_0805" in previews and _is_dynamic(options):
        yield Knob("preview_features", "-FASTER_DYNAMIC_SHAPES_0805")
    if "DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805" in previews and operators & _PRODUCTS:
        yield Knob("preview_features", "-DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805")
    if compat.has("STRICT_NANS", version):
        yield Knob("strict_nans", "on")
    if operators & _PRODUCTS and compat.has("DISTRIBUTIVE_INDEPENDENCE", version):
        yield Knob("distributive_independence", "on")
    if convolves and compat.has("BUILD_ROUTE", version):
        yield Knob("build_route", "-conv_lowering=off")
    if options.tf32 and operators & _PRODUCTS:
        yield Knob("tf32", "off")
    if options.workspace is None or options.workspace > _SMALL_WORKSPACE:
        yield Knob("workspace", str(_SMALL_WORKSPACE))
    if options.optimization_level != 0:
        yield Knob("optimization_level", "0")


def _may_use(sources: str | None, source: str) -> bool:
    """Whether the user's own choice of tactic sources leaves this one."""
    said = dict(signed_names(sources)) if sources else {}
    return said.get(source, not any(said.values()))


def _is_dynamic(options: BuildOptions) -> bool:
    return any(len({p.min, p.opt, p.max}) > 1 for p in options.profiles.values())
