"""What to write into an editable timing cache so that a build keeps to bans, and whether it did. Plain data.

A timing cache can only say which tactic an op gets, not which it must not get. So a banned tactic is replaced by the
cheapest one of the op's autotuning table that is not banned. `editable_cache` carries this into a build.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trtdebug.backends.tensorrt.autotuned import AutotunedOp, Candidate, normalised
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, UseTactic
from trtdebug.core.outcome import EngineInfo, LayerInfo, LayerTactics, OfferedTactic
from trtdebug.core.words import listed

WAYS_OUT = (
    "Pin its nodes to FP32, mark a tensor beside it as an output so that it is fused otherwise, or turn a builder knob "
    "(tactic_sources, optimization_level, build_route)."
)
_HASH = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_NO_HASH = 2**64 - 1
_OF_AN_ENGINE = r"(?:_U\d+)?(?:_myl\d+_\d+)?(?: \[profile \d+\])?"  # what Myelin appends to the name of an op
_NAMED = 5


@dataclass(frozen=True)
class CacheRules:
    """What a build may choose, by autotuned op; tactics as `Candidate.tactic`."""

    banned: Mapping[str, frozenset[str]] = field(default_factory=dict)
    used: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, bans: Iterable[BanTactic], uses: Iterable[UseTactic]) -> CacheRules:
        """The rules that these interventions make. Raises `BuildFailure` for a tactic that is no hash."""
        banned: dict[str, frozenset[str]] = {}
        for ban in bans:
            banned[ban.layer] = banned.get(ban.layer, frozenset()) | {_checked(ban)}
        return cls(banned, {use.layer: _checked(use) for use in uses})

    def __bool__(self) -> bool:
        return bool(self.banned or self.used)

    @property
    def ops(self) -> tuple[str, ...]:
        """Names of the ops that some rule is about."""
        return tuple(dict.fromkeys((*self.banned, *self.used)))

    def bans(self, op: str, tactic: str | None) -> bool:
        """Whether this tactic is banned for the op."""
        return tactic in self.banned.get(op, ())

    def wanted(self, op: AutotunedOp, present: str) -> Candidate | None:
        """What is to take the place of the tactic that is `present`; None = it may stay.

        Raises:
            BuildFailure: nothing that TensorRT has for the op is allowed.
        """
        usable = [c for c in op.candidates if c.cost_ms is not None and not self.bans(op.name, c.tactic)]
        used = next((c for c in usable if c.tactic == self.used.get(op.name)), None)
        if used is not None:
            return used if used.tactic != present else None
        if not self.bans(op.name, present):
            return None
        if not usable:
            raise BuildFailure(f"{_nothing_left(op, present)}.", WAYS_OUT)
        return min(usable, key=lambda c: c.cost_ms or 0.0)


@dataclass(frozen=True)
class Entry:
    """An entry of the timing cache: what one autotuned op is computed by.

    Attributes:
        written: it was written by us, over TensorRT's own choice.
    """

    op: AutotunedOp
    key: str
    choice: Candidate
    written: bool = False

    @property
    def told(self) -> str:
        """In words."""
        kernel = f" ({self.choice.kernel})" if self.choice.kernel else ""
        return f"{self.op.name!r}: {self.choice.tactic}{kernel}"


def planned_entries(
    rules: CacheRules, ops: Sequence[AutotunedOp], cache: Mapping[str, str]
) -> tuple[Entry, ...]:
    """The entries of all ops that a rule is about: what they are to be.

    Args:
        ops: of the log of the build that filled the cache.
        cache: tactic by key.

    Raises:
        BuildFailure: an op was not autotuned, has an entry that cannot be written, or nothing allowed to choose.
    """
    return tuple(
        entry
        for name in rules.ops
        for op in _named(name, ops)
        if (entry := _planned(rules, op, cache)) is not None
    )


def _planned(rules: CacheRules, op: AutotunedOp, cache: Mapping[str, str]) -> Entry | None:
    present = cache.get(op.key) if op.key is not None else None
    if op.key is None or present is None:
        if op.selected is not None and not rules.bans(op.name, op.selected):
            return None  # nothing needs to be written, and nothing could
        raise BuildFailure(_no_entry(op), WAYS_OUT)
    if op.formats and present != op.selected:
        raise BuildFailure(
            f"the build log says that {op.name!r} ({op.formats}) has the tactic {op.selected}, and the timing cache "
            f"{present}: what is to be written there is not known.",
            WAYS_OUT,
        )
    wanted = rules.wanted(op, present)
    if wanted is not None:
        return Entry(op, op.key, wanted, written=True)
    chosen = next((c for c in op.candidates if c.tactic == present), Candidate(present, None))
    return Entry(op, op.key, chosen)


@dataclass(frozen=True)
class CacheBuild:
    """A build by an edited cache.

    Attributes:
        ops: what the first build, which filled the cache, was autotuned over.
        entries: of the ops that a rule is about.
        again: what the last build was autotuned over in spite of its cache.
        held: tactic by key: what the cache holds after the last build.
    """

    rules: CacheRules
    ops: tuple[AutotunedOp, ...]
    entries: tuple[Entry, ...]
    again: tuple[AutotunedOp, ...]
    held: Mapping[str, str]

    def described(self, info: EngineInfo) -> EngineInfo:
        """The engine's info with what is to be said of its tactics."""
        return replace(
            info,
            tactics=self.tactics(info.layers),
            ignored=self.ignored(info.layers),
            notes=(*info.notes, *self.notes(info.layers)),
        )

    def ignored(self, layers: Sequence[LayerInfo]) -> tuple[str, ...]:
        """Rules that the build did not keep, one line each.

        Had TensorRT timed an op anew, it would have written its fastest tactic back, or listed another choice.

        Args:
            layers: of the engine; none where it does not show any.
        """
        lines = [*self._cache_ignored(), *self._timed_anew(), *self._not_offered()]
        if not lines:
            lines += [line for name in self.rules.ops if (line := self._engine_ignores(name, layers))]
        return tuple(dict.fromkeys(lines))

    def _cache_ignored(self) -> Iterator[str]:
        for entry in self.entries:
            found = self.held.get(entry.key)
            if entry.written and found != entry.choice.tactic:
                became = f"became {found}" if found is not None else "is gone"
                yield f"TensorRT did not keep to its timing cache: the entry {entry.told} {became}"
            elif self.rules.bans(entry.op.name, found):
                yield f"{entry.op.name!r} has the tactic {found}, which is banned"

    def _timed_anew(self) -> Iterator[str]:
        for op in self.again:
            if self.rules.bans(op.name, op.selected):
                yield f"TensorRT timed {op.name!r} once more and chose {op.selected}, which is banned"

    def _not_offered(self) -> Iterator[str]:
        for name, tactic in self.rules.used.items():
            if all(e.choice.tactic != tactic for e in self.entries if e.op.name == name):
                yield f"{name!r} cannot have the tactic {tactic}: TensorRT does not offer it in this build"

    def _engine_ignores(self, name: str, layers: Sequence[LayerInfo]) -> str:
        kernels, shown = self._kernels(name), self._shown(name, layers)
        if not shown or "" in kernels or kernels & set(shown):
            return ""
        return f"the engine computes {name!r} by {shown[0]}, and not by {' or '.join(sorted(kernels))}"

    def notes(self, layers: Sequence[LayerInfo]) -> tuple[str, ...]:
        """What the caller should know besides, one line each."""
        found = [f"in the timing cache: {entry.told}" for entry in self.entries if entry.written]
        for name, tactics in self.rules.banned.items():
            offered = {c.tactic for op in self.ops if op.name == name for c in op.candidates}
            found += [
                f"{name!r} has no tactic {t} in this build: nothing to ban" for t in sorted(tactics - offered)
            ]
        for name in dict.fromkeys(e.op.name for e in self.entries if e.written):
            if not self._shown(name, layers) or "" in self._kernels(name):
                found.append(
                    f"the tactic of {name!r} is told by the timing cache only: the engine does not show it"
                )
        found += [f"{e.op.name!r} in the build log: {told}" for e in self.entries for told in e.op.unknown]
        return tuple(dict.fromkeys(found))

    def tactics(self, layers: Sequence[LayerInfo]) -> tuple[LayerTactics, ...]:
        """Every op that has an entry in the cache; those of one name, tuned in several precisions, as one."""
        names = dict.fromkeys(op.name for op in self.ops if op.key in self.held)
        return tuple(self._tactics(name, layers) for name in names)

    def _tactics(self, name: str, layers: Sequence[LayerInfo]) -> LayerTactics:
        ops = [op for op in self.ops if op.name == name and op.key in self.held]
        choices = {self.held[op.key] for op in ops if op.key is not None}
        if len(choices) > 1:
            shown = set(self._shown(name, layers))
            choices &= {c.tactic for op in ops for c in op.candidates if c.kernel in shown}
        costs: dict[str, float] = {}
        for one in (c for op in ops for c in op.candidates if c.cost_ms is not None):
            costs[one.tactic] = min(one.cost_ms or 0.0, costs.get(one.tactic, math.inf))
        offered = tuple(OfferedTactic(tactic, milliseconds=cost) for tactic, cost in costs.items())
        chosen = next(iter(choices)) if len(choices) == 1 else None
        return LayerTactics(name, offered, chosen)

    def _kernels(self, name: str) -> set[str]:
        return {e.choice.kernel for e in self.entries if e.op.name == name}

    def _shown(self, name: str, layers: Sequence[LayerInfo]) -> list[str]:
        """Kernels of the engine's layers that are named for the op, else of those that compute all of its nodes."""
        pattern = re.compile(re.escape(name) + _OF_AN_ENGINE)
        nodes = {node for op in self.ops if op.name == name for node in op.nodes}
        found = [layer for layer in layers if pattern.fullmatch(layer.name)]
        if not found and nodes:
            found = [layer for layer in layers if nodes <= set(layer.nodes)]
        return [layer.tactic for layer in found if layer.tactic]


def _checked(rule: BanTactic | UseTactic) -> str:
    if not _HASH.fullmatch(rule.tactic) or int(rule.tactic, 16) == _NO_HASH:
        raise BuildFailure(
            f"{rule.tactic!r} is no tactic of a timing cache.",
            'It is "0x" and up to 16 hex digits, as the build log\'s autotuning tables print it.',
        )
    return normalised(rule.tactic)


def _named(name: str, ops: Sequence[AutotunedOp]) -> list[AutotunedOp]:
    # The same key twice was timed twice, and the cache holds the last result.
    found = {op.key or place: op for place, op in enumerate(ops) if op.name == name}
    if found:
        return list(found.values())
    choosable = list(dict.fromkeys(op.name for op in ops if op.key is not None and len(op.candidates) > 1))
    if not choosable:
        raise BuildFailure(
            f"TensorRT autotuned nothing in this build whose tactic could be chosen, {name!r} neither.",
            WAYS_OUT,
        )
    raise BuildFailure(
        f"TensorRT autotuned no {name!r} in this build.",
        f"What it autotuned: {listed(choosable, _NAMED)}.",
    )


def _nothing_left(op: AutotunedOp, present: str) -> str:
    if len(op.candidates) <= 1:
        return f"{present} is the only implementation that TensorRT has of {op.name!r}: it cannot be banned"
    return (
        f"all {len(op.candidates)} tactics that TensorRT has of {op.name!r} are banned, or could not be timed"
    )


def _no_entry(op: AutotunedOp) -> str:
    formats = f" ({op.formats})" if op.formats else ""
    if op.key is None:
        return (
            f"{op.name!r}{formats} has no key in the build log, so the timing cache cannot choose its tactic."
        )
    return f"the timing cache has no entry {op.key} of {op.name!r}{formats}."
