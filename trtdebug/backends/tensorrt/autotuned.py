"""What a build log tells of autotuning: which tactics an op could have, and what each costs."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One tactic that an op could have.

    Attributes:
        tactic: "0x" and its 64-bit hash (of a runner: the two's complement of its id), lower case, no leading zeros.
        cost_ms: milliseconds; None = TensorRT could not time it.
        kernel: its name; empty where the log does not tell.
        runner: what implements it, such as "CaskConvolution"; empty in Myelin's tables.
        implementation: number of that runner, where the log tells.
    """

    tactic: str
    cost_ms: float | None
    kernel: str = ""
    runner: str = ""
    implementation: int | None = None


@dataclass(frozen=True)
class AutotunedOp:
    """One op, or layer, in one combination of formats, and what it could be computed by. Names repeat.

    Attributes:
        name: as the log prints it; of the engine layer where runners were timed.
        key: of its entry in an editable timing cache, "0x" and 32 hex digits; None = the log tells none.
        nodes: ONNX nodes; empty where the log does not tell.
        candidates: in the log's order: Myelin's from the cheapest on. None, and nothing unknown: TensorRT has no tactic
            for these formats, or one that it did not time.
        selected: the chosen tactic, as `Candidate.tactic`; None = the log does not tell.
        runner: what implements the chosen one; empty in Myelin's tables.
        formats: of inputs and outputs, where runners were timed: "Float(784,28,1) -> Half(784,28,1)".
        unknown: what the log does not tell of this op but should, one line each.
    """

    name: str
    key: str | None = None
    nodes: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    selected: str | None = None
    runner: str = ""
    formats: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class AutotuningLog:
    """What a log tells. `unread`: lines of a table that fit no op, at most 20 of them."""

    ops: tuple[AutotunedOp, ...]
    unread: tuple[str, ...] = ()


def normalised(tactic: str) -> str:
    """A tactic's hex text in lower case, without leading zeros. Raises ValueError where it is none."""
    return f"{int(tactic, 16):#x}"


def cost_of(text: str) -> float | None:
    """Milliseconds; None for what is no finite, positive time."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
