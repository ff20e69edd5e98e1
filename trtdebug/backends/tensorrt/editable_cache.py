"""The editable timing cache: how TensorRT 10.8 and later are told which tactics to use.

The first build fills the cache, and its log lists what else there was; then entries are rewritten, and the second build
reads them. The log is the only place where candidates are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.autotuned import AutotunedOp, normalised
from trtdebug.backends.tensorrt.autotuning import AutotuningReader
from trtdebug.backends.tensorrt.cache_rules import CacheBuild, CacheRules, Entry, planned_entries
from trtdebug.backends.tensorrt.logger import LogSink, clean
from trtdebug.backends.tensorrt.plan import BuildPlan
from trtdebug.backends.tensorrt.tactics import is_pair
from trtdebug.core.errors import BuildFailure
from trtdebug.core.jsonable import dumps

CACHE_FILE = "timing.cache"
"""The edited cache of a trial, as TensorRT reads it: lies beside the trial's engine.json."""

TABLES_FILE = "autotuning.json"
"""What the trial's first build was autotuned over: a list of `AutotunedOp`."""


def cache_rules(plan: BuildPlan, version: str) -> CacheRules:
    """What a plan says of tactics by their hashes; others are the algorithm selector's.

    Raises:
        BuildFailure: this version, or this plan, cannot have such rules.
    """
    rules = CacheRules.of(
        (ban for ban in plan.bans if not is_pair(ban.tactic)),
        (use for use in plan.uses if not is_pair(use.tactic)),
    )
    if not rules:
        return rules
    first = rules.ops[0]
    if not compat.has("EDITABLE_TIMING_CACHE", version):
        raise BuildFailure(
            f"TensorRT {version} has no editable timing cache, which the tactic of {first!r} is said for.",
            "It came with 10.8. For earlier versions write IMPLEMENTATION:TACTIC.",
        )
    if any(map(is_pair, [*(ban.tactic for ban in plan.bans), *(use.tactic for use in plan.uses)])):
        raise BuildFailure(
            f"the tactic of {first!r} is said for the timing cache, and others for the algorithm selector.",
            "A build takes only one of the two: TensorRT's selector works without a timing cache.",
        )
    if plan.settings.get("optimization_level") == "0":
        raise BuildFailure(
            f"at optimization_level 0 TensorRT ignores its timing cache, which is to choose the tactic of {first!r}.",
            "Take level 1 or more.",
        )
    return rules


def at_reading_level(plan: BuildPlan) -> tuple[BuildPlan, str]:
    """The plan at an optimisation level that reads timing caches, and a line about what was changed for it."""
    if plan.optimization_level != 0:
        return plan, ""
    return (
        replace(plan, optimization_level=None),
        "built at the default optimisation level: at level 0 TensorRT ignores the timing cache, which chooses tactics",
    )


class EditableCache:
    """Builds by rules for the timing cache.

    Args:
        log: where TensorRT's messages go.
        artifacts: folder for `CACHE_FILE` and `TABLES_FILE`; None = they are not kept.

    Attributes:
        built: the last build that came to an end; None before.
        told: what was written into the cache of the build under way, in words; empty before.
    """

    def __init__(self, rules: CacheRules, log: LogSink, artifacts: Path | None) -> None:
        self._rules = rules
        self._log = log
        self._artifacts = artifacts
        self.built: CacheBuild | None = None
        self.told = ""

    def build(self, config: Any, serialise: Callable[[], Any]) -> Any:
        """What the second of two builds gives, or the first where that keeps to the rules already.

        Args:
            config: trt.IBuilderConfig, without a timing cache.
            serialise: builds by `config`.

        Raises:
            BuildFailure: the rules cannot be kept in this build.
        """
        import tensorrt as trt

        self.built, self.told = None, ""
        config.set_flag(trt.BuilderFlag.EDITABLE_TIMING_CACHE)
        if not config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False):
            raise BuildFailure("TensorRT takes no new timing cache.")
        serialised, ops = self._listened(serialise)
        cache = config.get_timing_cache()
        self._keep(TABLES_FILE, dumps(ops, indent=1).encode())
        entries = planned_entries(self._rules, ops, contents(cache))
        again: tuple[AutotunedOp, ...] = ()
        written = [entry for entry in entries if entry.written]
        if written:
            for entry in written:
                write(cache, entry)
            self.told = ", ".join(entry.told for entry in written)
            serialised, again = self._listened(serialise)
        self.built = CacheBuild(self._rules, ops, entries, again, contents(cache))
        with cache.serialize() as content:
            self._keep(CACHE_FILE, bytes(content))
        return serialised

    def _listened(self, serialise: Callable[[], Any]) -> tuple[Any, tuple[AutotunedOp, ...]]:
        reader = AutotuningReader()
        with self._log.heard(reader.read):
            serialised = serialise()
        return serialised, reader.result().ops

    def _keep(self, name: str, content: bytes) -> None:
        if self._artifacts is not None:
            self._artifacts.mkdir(parents=True, exist_ok=True)
            (self._artifacts / name).write_bytes(content)


def contents(cache: Any) -> Mapping[str, str]:
    """Tactic by key, both as the autotuning log writes them: what a trt.ITimingCache holds.

    Raises:
        BuildFailure: it does not tell.
    """
    try:
        return {str(key).lower(): normalised(hex(cache.query(key).tacticHash)) for key in cache.queryKeys()}
    except RuntimeError as error:
        raise BuildFailure(
            f"TensorRT's timing cache does not tell what it holds: {clean(str(error))}"
        ) from error


def write(cache: Any, entry: Entry) -> None:
    """Writes an entry into a trt.ITimingCache.

    Raises:
        BuildFailure: it does not take the entry.
    """
    import tensorrt as trt

    value = trt.TimingCacheValue(int(entry.choice.tactic, 16), entry.choice.cost_ms)
    if not cache.update(trt.TimingCacheKey.parse(entry.key), value):
        raise BuildFailure(f"TensorRT's timing cache does not take the entry {entry.told} (key {entry.key}).")
