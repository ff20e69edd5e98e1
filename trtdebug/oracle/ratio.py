"""How much of an error is rounding, measured by what a reference of another precision makes.

After torch._dynamo.utils.same: an error up to m times the reference's own, both against a result of higher
precision, is rounding; m = 2, and 3 in half precision.
"""

from __future__ import annotations

RATIO = {"fp32": 2.0, "fp16": 3.0, "bf16": 3.0}


def rounding_limit(own: float, precision: str) -> float:
    """Relative RMS error between candidate and reference that rounding explains.

    The candidate may be off by m times the reference's own error, and lies then up to m + 1 times of it from the
    reference.

    Args:
        own: relative RMS error of the reference against the result of higher precision.
        precision: that the reference computes in: fp32, fp16 or bf16.
    """
    return (RATIO[precision] + 1.0) * own
