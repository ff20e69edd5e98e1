"""What the user takes for untestable: trials, and nodes that stay in FP32."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from trtdebug.core.jsonable import dumps
from trtdebug.core.outcome import Outcome
from trtdebug.session.files import write_text
from trtdebug.session.stored import read_stored

FILE = "skips.json"
SKIPPED = Outcome("untestable", reason="skipped by the user (trtdebug skip)")


@dataclass(frozen=True)
class Skips:
    """Trials by hash, and ONNX nodes by name."""

    trials: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    def more(self, other: Skips) -> Skips:
        """These and others, each once."""
        trials, nodes = (*self.trials, *other.trials), (*self.nodes, *other.nodes)
        return Skips(tuple(dict.fromkeys(trials)), tuple(dict.fromkeys(nodes)))

    def without(self, other: Skips) -> Skips:
        return replace(
            self,
            trials=tuple(t for t in self.trials if t not in other.trials),
            nodes=tuple(n for n in self.nodes if n not in other.nodes),
        )


def read_skips(folder: Path) -> Skips:
    """Of a session's folder. Raises `UserError` where the file is damaged."""
    path = folder / FILE
    if not path.exists():
        return Skips()
    return read_stored(path, Skips, "Delete it, and skip again.")


def store_skips(folder: Path, skips: Skips) -> None:
    write_text(folder / FILE, dumps(skips, indent=2))
