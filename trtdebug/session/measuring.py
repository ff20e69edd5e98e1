"""Extra numbers by metrics of extensions: one that goes wrong costs its own number only."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trtdebug.backends.base import Tensor, read_only
from trtdebug.core.time_limit import TookTooLong
from trtdebug.plugins.contained import Contained, seconds


@dataclass(frozen=True)
class Metrics:
    """The metrics of extensions in this process, for all its trials.

    Attributes:
        compute: the number for reference and candidate, by metric.
        too_slow: those that took too long in a trial, and what is said of them: no other trial waits for them.
    """

    compute: Mapping[str, Callable[[Tensor, Tensor], float]] = field(default_factory=dict)
    too_slow: dict[str, str] = field(default_factory=dict)


@dataclass
class Measuring:
    """The metrics of a trial.

    Attributes:
        faults: what went wrong, by metric; one line each.
    """

    metrics: Metrics
    faults: dict[str, str] = field(default_factory=dict)

    def measure(self, reference: Tensor, candidate: Tensor) -> dict[str, float]:
        """The numbers for a pair of float tensors; NaN where a metric goes wrong, and from then on."""
        return {name: self._number(name, reference, candidate) for name in self.metrics.compute}

    def _number(self, name: str, reference: Tensor, candidate: Tensor) -> float:
        if name in self.metrics.too_slow:
            self.faults[name] = self.metrics.too_slow[name]
        if name in self.faults:
            return math.nan
        try:
            with Contained(seconds()).working():
                return _float(self.metrics.compute[name](read_only(reference), read_only(candidate)))
        except KeyboardInterrupt:
            raise
        except TookTooLong:
            self.faults[name] = self.metrics.too_slow[name] = f"took more than {seconds():g} s"
        except BaseException as error:  # noqa: BLE001 - an extension may raise anything
            traceback.print_exc()  # into the trial's log
            self.faults[name] = " ".join(f"{type(error).__name__}: {error}".split())
        return math.nan


def _float(value: Any) -> float:
    """Python's own `float` also reads texts, and numpy's complex numbers give their real parts."""
    if isinstance(value, str | bytes | bytearray) or np.iscomplexobj(value):
        raise TypeError(f"it has to give a number; it gives {type(value).__name__}")
    return float(value)
