"""Whether something works on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Availability:
    """Whether a backend works on this machine, and why not."""

    ok: bool
    version: str = ""
    device: str = ""
    reason: str = ""
