"""Whether the outputs are right on the CPU with some layers in float, by the case's own tolerance."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from trtdebug.oracle.tolerance import Limits
from trtdebug.plugins.types import Sample
from trtdebug_quant.bench import Bench
from trtdebug_quant.layers import Layer
from trtdebug_quant.pairs import Array
from trtdebug_quant.sqnr import Sqnr


class Trial:
    """Holds models with some layers in float against the one with all."""

    def __init__(self, bench: Bench, samples: Sequence[Sample], allowed: Limits) -> None:
        self.bench, self.samples, self.allowed = bench, samples, allowed
        self._floats = [bench.run(sample, (), bench.ends) for sample in samples]

    def is_right(self, floating: Collection[Layer]) -> bool:
        """Whether every float output is within the tolerance on every sample, with these layers in float."""
        left = {layer.node for layer in floating}
        on = {layer.node for layer in self.bench.layers} - left
        for sample, floats in zip(self.samples, self._floats, strict=True):
            found = self.bench.run(sample, on, self.bench.ends)
            if not all(_agree(self.allowed.of(end), floats[end], found[end]) for end in self.bench.ends):
                return False
        return True


def _agree(allowed: Limits, reference: Array, found: Array) -> bool:
    if allowed.elementwise:
        bound = (allowed.atol or 0.0) + (allowed.rtol or 0.0) * np.abs(reference)
        return bool(np.all(np.abs(found - reference) <= bound))
    sqnr = Sqnr()
    sqnr.add(reference, found)
    return sqnr.noise <= allowed.rms**2 * sqnr.signal
