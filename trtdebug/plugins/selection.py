"""Which plugins may load: by the command line and the environment. Imports next to nothing: it is needed first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """Which plugins may load.

    Attributes:
        disabled: names of plugins or distributions, normalised.
        only: distributions, normalised; None = all.
    """

    disabled: frozenset[str]
    only: frozenset[str] | None
    third_party: bool

    @classmethod
    def of(cls, disabled: Iterable[str], third_party: bool = True) -> Selection:
        """These arguments and the environment: TRTDEBUG_{LOAD,DISABLED,NO}_PLUGINS."""
        only = os.environ.get("TRTDEBUG_LOAD_PLUGINS")
        return cls(
            disabled=_names([*disabled, *os.environ.get("TRTDEBUG_DISABLED_PLUGINS", "").split(",")]),
            only=None if only is None else _names(only.split(",")),
            third_party=third_party and os.environ.get("TRTDEBUG_NO_PLUGINS", "") in ("", "0"),
        )

    def left_out(self, name: str, distribution: str, builtin: bool = False) -> str:
        """What to do so that it loads; empty where it may.

        Built-ins share one distribution: only their own name disables them.
        """
        if not (builtin or self.third_party):
            return "drop --no-plugins or TRTDEBUG_NO_PLUGINS"
        if not builtin and self.only is not None and normalise(distribution) not in self.only:
            return "name it in TRTDEBUG_LOAD_PLUGINS"
        for known in (name,) if builtin else (name, distribution):
            if normalise(known) in self.disabled:
                return f"`trtdebug ext enable {known}`, or drop -p no:{known} or TRTDEBUG_DISABLED_PLUGINS"
        return ""

    def to_env(self) -> dict[str, str]:
        """Environment variables that give a worker process the same selection."""
        env = {
            "TRTDEBUG_DISABLED_PLUGINS": ",".join(sorted(self.disabled)),
            "TRTDEBUG_NO_PLUGINS": "" if self.third_party else "1",
        }
        return env if self.only is None else {**env, "TRTDEBUG_LOAD_PLUGINS": ",".join(sorted(self.only))}


def normalise(name: str) -> str:
    """Name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(normalise(name) for name in names if name.strip())
