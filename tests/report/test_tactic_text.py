"""Autotuning tables for people."""

from __future__ import annotations

from dataclasses import replace

from autotuning_logs import EDITABLE, KEY_A, KEY_B, RTX, RUNNERS

from trtdebug.backends.tensorrt.autotuned import AutotuningLog, Candidate
from trtdebug.backends.tensorrt.autotuning import parse_log
from trtdebug.report.tactic_text import render_tables


def test_tables_of_an_editable_cache() -> None:
    assert render_tables(parse_log(EDITABLE)).splitlines() == [
        "2 autotuned, 4 tactics; 0 reformats, 0 not timed anew, 0 without a tactic",
        "fc1",
        "  nodes fc1, relu1",
        f"  key {KEY_A}",
        "  *   0.010000 ms    1.00x  0x665ded9abbf88  gemm_tf32_32x32",
        "      0.012500 ms    1.25x  0x93e4ef8ad243  gemm_f32_64x32",
        "      0.020000 ms    2.00x  0x2ad3a182fb05c  gemm_f32_64x64",
        "fc2",
        f"  key {KEY_B}",
        "  no choice: only this implementation",
        "  *   0.030000 ms    1.00x  0x1  gemm_f32_64x32",
    ]


def test_runners_are_written_as_in_a_ban() -> None:
    assert render_tables(parse_log(RUNNERS)).splitlines() == [
        "1 autotuned, 3 tactics; 1 reformats, 1 not timed anew, 1 without a tactic",
        "conv1 + relu1 [Float(784,784,28,1) -> Half(6272,784:8,28,1)]",
        "  *   0.005578 ms    1.00x  0x80000009:0x0a143be7a52f301a  sm90_fprop_b",
        "      0.006414 ms    1.15x  0x80000009:0x967f94e9db2001a8  sm90_fprop_a",
        "      0.024100 ms    4.32x  0x80000000:0x0000000000000002  CudnnConvolution",
    ]
    assert render_tables(parse_log(RTX)).splitlines()[2] == "  no choice that the log tells"


def test_of_many_the_first_ones_and_the_chosen_one() -> None:
    [op, _] = parse_log(EDITABLE).ops
    many = tuple(Candidate(hex(number), number / 100) for number in range(1, 40))
    text = render_tables(AutotuningLog((replace(op, candidates=many, selected="0x20"),), ("a row",)))
    assert [line.split()[-1] for line in text.splitlines() if " ms " in line] == [
        *(hex(number) for number in range(1, 9)),
        "0x20",
    ]
    assert "    and 30 more (--json lists them)" in text
    assert text.endswith("fits no op: a row\n")


def test_what_cannot_be_used_comes_last_and_names_cannot_act_on_the_terminal() -> None:
    [op, _] = parse_log(EDITABLE).ops
    lost = (Candidate("0x5", None, "\x1b[31mred"), *op.candidates)
    text = render_tables(AutotuningLog((replace(op, candidates=lost, unknown=("a row",)),)))
    assert text.splitlines()[-1].split()[:3] == ["not", "usable", "0x5"]
    assert "\x1b" not in text
    assert "  unknown: a row" in text
