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

    @property
    def maker(self) -> str:
        """Version and device in one, as trials keep whose they are."""
        return f"{self.version} {self.device}".strip()
