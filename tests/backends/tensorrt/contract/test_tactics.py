"""Recordings of tactics are Polygraphy's, and the selector is TensorRT's: run with the real bindings of 10.16."""

from __future__ import annotations

import json
from pathlib import Path

from trtdebug.backends.tensorrt.tactic_replay import read_replay, write_replay
from trtdebug.backends.tensorrt.tactics import Choice, TensorFormat

VERSION = "10.16.1.11"
HALF = TensorFormat("HALF", (25088, 49, 7, 1), 1, 8)
GOOD = {
    "conv + relu": Choice(0x80000009, -5, (HALF,), (HALF,)),
    "pool": Choice(0x8000002F, 7, (HALF,), (HALF,)),
}
BAD = {**GOOD, "conv + relu": Choice(0x80000009, 6, (HALF,), (HALF,))}

_PLAYED = """
import sys
from types import SimpleNamespace as S
import tensorrt as trt
from polygraphy.backend.trt import TacticReplayData, TacticReplayer, TacticRecorder
told = S(dtype=trt.float16, strides=(25088, 49, 7, 1), vectorized_dim=1, components_per_element=8)
def offer(tactic):
    return S(algorithm_variant=S(implementation=0x80000009, tactic=tactic), get_algorithm_io_info=lambda i: told)
asked = S(name="conv + relu", num_inputs=1, num_outputs=1)
assert TacticReplayer(sys.argv[1]).select_algorithms(asked, [offer(6), offer(-5)]) == [1]
TacticRecorder(sys.argv[2]).report_algorithms([asked], [offer(-5)])
"""

_SELECTED = """
from types import SimpleNamespace as S
import tensorrt as trt
from trtdebug.backends.tensorrt.selector import make_selector
from trtdebug.backends.tensorrt.tactics import TacticChoice, TacticRules
from trtdebug.core.intervention import BanTactic
choice = TacticChoice(TacticRules.of([BanTactic("conv", "0x80000009:0x6")], ()))
selector = make_selector(choice)
assert isinstance(selector, trt.IAlgorithmSelector)
told = S(dtype=trt.float16, strides=(25088, 49, 7, 1), vectorized_dim=1, components_per_element=8)
def offer(tactic):
    variant = S(implementation=0x80000009, tactic=tactic)
    return S(algorithm_variant=variant, get_algorithm_io_info=lambda i: told, timing_msec=0.1)
asked = S(name="conv", num_inputs=1, num_outputs=1)
assert selector.select_algorithms(asked, [offer(6), offer(-5)]) == [1]
choice.check()
assert choice.offered["conv"][1].types == "HALF -> HALF"
"""


def test_polygraphy_plays_what_we_recorded_and_we_read_what_it_records(child, tmp_path: Path) -> None:
    write_replay(tmp_path / "ours.json", GOOD)
    theirs = tmp_path / "theirs.json"
    child(VERSION).run("-c", _PLAYED, str(tmp_path / "ours.json"), str(theirs))
    assert read_replay(theirs) == {"conv + relu": GOOD["conv + relu"]}
    assert json.loads(theirs.read_text())["polygraphy_class"] == "TacticReplayData"


def test_polygraphy_tells_good_tactics_from_bad_ones(child, tmp_path: Path) -> None:
    write_replay(tmp_path / "good" / "tactics.json", GOOD)
    write_replay(tmp_path / "bad" / "tactics.json", BAD)
    command = "from polygraphy.tools import main; main()"
    done = child(VERSION).run("-c", command, "inspect", "diff-tactics", "--dir", str(tmp_path))
    assert "Layer: conv + relu" in done.stdout + done.stderr
    assert "Tactic: 6" in done.stdout + done.stderr
    assert "pool" not in done.stdout + done.stderr


def test_the_selector_is_one_of_tensorrts(child) -> None:
    child(VERSION).run("-c", _SELECTED)
