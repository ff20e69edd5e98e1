"""Tactics of one build: what TensorRT offers for each layer, what it may choose of it, and what it chose.

Plain data and rules, without TensorRT; `selector` carries them into a build.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, UseTactic
from trtdebug.core.outcome import LayerInfo, LayerTactics, OfferedTactic

Pair = tuple[int | None, int]
"""Unsigned ids of implementation (None = any) and tactic."""

_UNSIGNED = 2**64 - 1
_WRITTEN = re.compile(r"(\*|0[xX][0-9a-fA-F]{1,16}):(0[xX][0-9a-fA-F]{1,16})")
_PROFILE = re.compile(r" \[profile \d+\]$")
_WAYS_OUT = (
    "Pin its nodes to FP32, mark a tensor inside as an output to have it fused otherwise, or rewrite it."
)


@dataclass(frozen=True)
class TensorFormat:
    """How a tactic reads or writes a tensor; `dtype`: member name of trt.DataType."""

    dtype: str
    strides: tuple[int, ...] = ()
    vectorized_dim: int = -1
    components: int = 1


@dataclass(frozen=True)
class Choice:
    """One thing that TensorRT offers for a layer, with the ids as it gives them, the tactic's signed."""

    implementation: int
    tactic: int
    inputs: tuple[TensorFormat, ...] = ()
    outputs: tuple[TensorFormat, ...] = ()
    milliseconds: float = 0.0

    @property
    def types(self) -> str:
        """As in `OfferedTactic.types`."""
        return " -> ".join(", ".join(told.dtype for told in side) for side in (self.inputs, self.outputs))

    @property
    def name(self) -> str:
        """As in `BanTactic.tactic`. Choices that differ in formats only have the same name."""
        return tactic_name(self.implementation, self.tactic)

    def is_a(self, pair: Pair) -> bool:
        """Whether it has these ids."""
        implementation, tactic = pair
        same = implementation is None or implementation == self.implementation & _UNSIGNED
        return same and tactic == self.tactic & _UNSIGNED


def tactic_name(implementation: int, tactic: int) -> str:
    """Ids, signed or not, as they are written in `BanTactic.tactic`."""
    return f"{implementation & _UNSIGNED:#x}:{tactic & _UNSIGNED:#018x}"


def is_pair(tactic: str) -> bool:
    """Whether a tactic is written as a pair of ids, and not as a hash of the editable timing cache."""
    return ":" in tactic


def parse_tactic(tactic: str) -> Pair:
    """The ids in "IMPLEMENTATION:TACTIC" or "*:TACTIC". Raises `BuildFailure` where it is neither."""
    found = _WRITTEN.fullmatch(tactic)
    if found is None:
        raise BuildFailure(
            f"{tactic!r} is no tactic.",
            "A tactic is written IMPLEMENTATION:TACTIC, both in hex: 0x80000009:0x5b8b.",
        )
    return None if found[1] == "*" else int(found[1], 16), int(found[2], 16)


def layer_name(name: str) -> str:
    """The name of a layer, the same for all optimisation profiles."""
    return _PROFILE.sub("", name)


@dataclass(frozen=True)
class TacticRules:
    """What a build may choose, by layer."""

    banned: Mapping[str, tuple[Pair, ...]] = field(default_factory=dict)
    used: Mapping[str, Pair] = field(default_factory=dict)

    @classmethod
    def of(cls, bans: Iterable[BanTactic], uses: Iterable[UseTactic]) -> TacticRules:
        """The rules that these interventions make. Raises `BuildFailure` for a tactic that is not written as one."""
        banned: dict[str, tuple[Pair, ...]] = {}
        for ban in bans:
            banned[ban.layer] = (*banned.get(ban.layer, ()), parse_tactic(ban.tactic))
        return cls(banned, {use.layer: parse_tactic(use.tactic) for use in uses})

    def __bool__(self) -> bool:
        return bool(self.banned or self.used)

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that some rule is about."""
        return tuple(dict.fromkeys((*self.banned, *self.used)))

    def bans(self, layer: str, choice: Choice) -> bool:
        """Whether this choice is banned for the layer."""
        return any(choice.is_a(pair) for pair in self.banned.get(layer, ()))

    def allowed(self, layer: str, choices: Sequence[Choice]) -> list[int]:
        """Indices of what is not banned; of the tactic to be used only, where it is among them."""
        left = [i for i, choice in enumerate(choices) if not self.bans(layer, choice)]
        pair = self.used.get(layer)
        return [i for i in left if pair is not None and choices[i].is_a(pair)] or left


@dataclass
class TacticChoice:
    """The choosing in one build, and what came of it.

    Attributes:
        rules: what it has to keep to.
        offered: by layer, in the order that TensorRT asks.
        chosen: by layer, as TensorRT reports it in the end.
        forbidden: layers of which the rules leave nothing, with the reason.
        broke: what was raised while TensorRT asked or reported: it takes no exception.
    """

    rules: TacticRules
    offered: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    chosen: dict[str, Choice] = field(default_factory=dict)
    forbidden: dict[str, str] = field(default_factory=dict)
    broke: Exception | None = None

    def select(self, layer: str, choices: Sequence[Choice]) -> list[int]:
        """Indices of the choices that TensorRT may take: each once, all within range, and never none of several.

        An empty list means "as you like" to TensorRT, and a longer one than its own overruns its memory.
        """
        self.offered[layer] = tuple(choices)
        allowed = self.rules.allowed(layer, choices)
        if not allowed and (choices or layer in self.rules.layers):
            self.forbidden[layer] = _nothing_left(layer, choices)
        return allowed or list(range(len(choices)))

    def begin(self) -> None:
        """Forgets an earlier attempt at the build."""
        self.offered.clear()
        self.chosen.clear()
        self.forbidden.clear()
        self.broke = None

    def check(self) -> None:
        """Raises `BuildFailure` where the build cannot have been made by the rules."""
        if self.broke is not None:
            told = f"{type(self.broke).__name__}: {self.broke}"
            raise BuildFailure(f"choosing among TensorRT's tactics broke: {told}") from self.broke
        if self.forbidden:
            raise BuildFailure("; ".join(self.forbidden.values()), _WAYS_OUT)

    def ignored(self, layers: Iterable[LayerInfo]) -> tuple[str, ...]:
        """Rules that the engine does not keep, or that nothing shows it to keep, one line each.

        Args:
            layers: the engine's, as its inspector tells; none where it says nothing.
        """
        shown = {layer.name: layer.tactic_id for layer in layers}
        lines = (self._ignored(layer, shown.get(layer)) for layer in self.rules.layers)
        return tuple(line for line in lines if line)

    def _ignored(self, layer: str, shown: str | None) -> str:
        if layer not in self.offered:
            return f"TensorRT did not ask for a tactic of {layer!r}: there is no such layer in this build"
        chosen = self.chosen.get(layer)
        if chosen is None:
            return f"the layer {layer!r} is not in the engine that was built"
        if shown is not None and int(shown, 16) != chosen.tactic & _UNSIGNED:
            return f"of {layer!r} TensorRT reports the tactic {chosen.name}, and its engine shows {shown}"
        if self.rules.bans(layer, chosen):
            return f"{layer!r} has the tactic {chosen.name}, which is banned"
        pair = self.rules.used.get(layer)
        if pair is not None and not chosen.is_a(pair):
            offered = any(choice.is_a(pair) for choice in self.offered[layer])
            why = "" if offered else ", since the one to be used is not offered"
            return f"{layer!r} has the tactic {chosen.name}{why}"
        return ""

    def tactics(self) -> tuple[LayerTactics, ...]:
        """All layers that TensorRT asked for, in its order."""
        return tuple(
            LayerTactics(layer, _offered(choices), self.chosen[layer].name if layer in self.chosen else None)
            for layer, choices in self.offered.items()
        )


def _offered(choices: Iterable[Choice]) -> tuple[OfferedTactic, ...]:
    """Each tactic once, in its fastest formats."""
    fastest: dict[str, Choice] = {}
    for choice in choices:
        if choice.name not in fastest or choice.milliseconds < fastest[choice.name].milliseconds:
            fastest[choice.name] = choice
    return tuple(OfferedTactic(name, choice.types, choice.milliseconds) for name, choice in fastest.items())


def _nothing_left(layer: str, choices: Sequence[Choice]) -> str:
    if not choices:
        return f"TensorRT lets nobody choose a tactic for {layer!r}"
    names = tuple(dict.fromkeys(choice.name for choice in choices))
    if "{ForeignNode[" in layer:
        return (
            f"{layer} was compiled by Myelin as a whole: {names[0]} is the only implementation that TensorRT "
            "offers for it, and the kernels inside cannot be chosen"
        )
    if len(names) == 1:
        return (
            f"{names[0]} is the only implementation that TensorRT offers for {layer!r}: it cannot be banned"
        )
    return f"all {len(names)} tactics that TensorRT offers for {layer!r} are banned"
