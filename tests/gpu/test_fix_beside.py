"""A set of pins from elsewhere, tried on TensorRT beside the fewest: both hold, and what each costs is told.

The pins are those of NVIDIA ModelOpt's AutoCast 0.47.0, as extensions/trtdebug-modelopt reads them off its model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
NORM = ("mean", "centre", "pow", "var", "eps", "sqrt", "div", "mul", "add")
AUTOCAST = (
    *(
        "b2_down",
        "b2_down_bias",
        "b2_stream",
        "b3_out",
        "b3_attended",
        "b3_down",
        "b3_down_bias",
        "b3_stream",
    ),
    *(f"{norm}_{part}" for norm in ("b3_ln1", "b3_ln2", "lnf") for part in NORM),
)
EXTENSION = f"""
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixProposal, FixProposer, PinPrecision

def propose(context):
    yield FixProposal("pin", "theirs", (PinPrecision({AUTOCAST!r}),), 35.0, beside="AutoCast")

@hookimpl
def trtdebug_fixes():
    yield FixProposer("canned", "for this test", propose=propose)
"""


def test_autocasts_pins_of_the_attention_sample_beside_ours(tmp_path: Path) -> None:
    info = tmp_path / "trtdebug_canned-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-canned\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\ncanned = trtdebug_canned\n")
    (tmp_path / "trtdebug_canned.py").write_text(EXTENSION)
    model = tmp_path / "attn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    options = (
        "--fp16",
        "--json",
        "--quiet",
        "--candidate",
        "tensorrt",
        "--session",
        str(tmp_path / "session"),
    )
    done = subprocess.run(
        [sys.executable, "-m", "trtdebug", "fix", str(model), *options],
        env={**os.environ, "PYTHONPATH": path, "TRTDEBUG_LOAD_PLUGINS": "trtdebug-canned"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    fixes = json.loads(done.stdout)["fixes"]
    for fix in fixes:
        print(
            fix["summary"],
            fix["verified"],
            fix["builds_passed"],
            fix["latency_ms"],
            fix["reason"],
            fix["note"],
        )
    [theirs] = [f for f in fixes if f["beside"]]
    assert (theirs["summary"], theirs["builds_passed"]) == ("theirs", [2, 2]), theirs["reason"]
    assert fixes[-1]["verified"]
    assert not fixes[-1]["beside"]
    for fix in (theirs, fixes[-1]):
        assert all(0.001 < fix["latency_ms"][key] < 1000 for key in ("natural", "fixed", "fp32"))
