"""Every kind of shape and type is parsed and built for real by TensorRT-RTX, without a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import bindings
from shape_cases import SHAPE_CASES

SCRIPT = Path(bindings.__file__).with_name("rtx_shapes.py")

NOT_IN_RTX = {
    "outputs of a size that the data decides": "NonZero plugin creator version 1 was not found",
    "an empty tensor inside": "NonZero plugin creator version 1 was not found",
    "boxes that are left over": "nms_0 has no runners that implement it",
}
"""Cases that TensorRT-RTX lacks something for -> what it says."""


def test_all_that_rtx_has_is_built(child) -> None:
    done = child(bindings.RTX).run(str(SCRIPT))
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case"')]
    assert [line["case"] for line in lines] == list(SHAPE_CASES)
    failures = {line["case"]: line["failure"] for line in lines if not line["size"]}
    assert failures.keys() == NOT_IN_RTX.keys(), failures
    for case, said in NOT_IN_RTX.items():
        assert said in failures[case]
