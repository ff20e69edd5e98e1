"""The autotuning tables in every form that a verbose build log has, whole, cut off and mixed up."""

from __future__ import annotations

import random

import pytest
from autotuning_logs import EDITABLE, FOREIGN, HEADER, KEY_A, KEY_B, RTX, RUNNERS, render
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdebug.backends.tensorrt.autotuned import AutotunedOp, AutotuningLog, Candidate
from trtdebug.backends.tensorrt.autotuning import AutotuningReader, parse_log

FC1 = AutotunedOp(
    "fc1",
    KEY_A,
    ("fc1", "relu1"),
    (
        Candidate("0x665ded9abbf88", 0.01, "gemm_tf32_32x32"),
        Candidate("0x93e4ef8ad243", 0.0125, "gemm_f32_64x32"),
        Candidate("0x2ad3a182fb05c", 0.02, "gemm_f32_64x64"),
    ),
    "0x665ded9abbf88",
)
FC2 = AutotunedOp("fc2", KEY_B, (), (Candidate("0x1", 0.03, "gemm_f32_64x32"),), "0x1")
FORMATS = "Float(784,784,28,1) -> Half(6272,784:8,28,1)"


def test_an_editable_cache_tells_keys_and_choices() -> None:
    found = parse_log(EDITABLE)
    assert found.ops == (FC1, FC2)
    assert found.unread == ()


def test_without_it_neither_is_told_and_columns_may_be_new() -> None:
    [op] = parse_log(FOREIGN).ops
    rows = (
        Candidate("0x49175fa8b00a3", 0.005136, "conv_a"),
        Candidate("0x513f502151b20", 0.0052448, "conv_b"),
    )
    assert op == AutotunedOp("fc1", None, ("fc1", "relu1"), rows)


def test_runners_with_their_numbers_reformats_and_what_was_cached() -> None:
    conv, none, reformat, cached = parse_log(RUNNERS).ops
    assert conv.name == "conv1 + relu1"
    assert conv.formats == FORMATS
    assert (conv.runner, conv.selected) == ("CaskConvolution", "0xa143be7a52f301a")
    assert conv.candidates == (
        Candidate("0x967f94e9db2001a8", 0.00641429, "sm90_fprop_a", "CaskConvolution", 0x80000009),
        Candidate("0xa143be7a52f301a", 0.00557795, "sm90_fprop_b", "CaskConvolution", 0x80000009),
        Candidate("0x2", 0.0241, "", "CudnnConvolution", 0x80000000),
    )
    assert [c.cost_ms for c in reformat.candidates] == [0.0021, None]
    assert (reformat.name, reformat.selected) == ("Optimizer Reformat(x -> <out>)", "0x3e8")
    assert (cached.name, cached.selected) == ("conv1 + relu1 [profile 1]", "0xa143be7a52f301a")
    assert (none.candidates, none.selected) == ((), None)
    assert [op.unknown for op in (conv, none, reformat)] == [(), (), ()]
    assert cached.unknown == ("it was not timed anew: the other tactics are not listed",)


def test_runners_have_keys_where_the_cache_is_editable() -> None:
    text = RUNNERS.replace("1) ***", f"1) {{key: {KEY_B}}} ***")
    assert [op.key for op in parse_log(text).ops[:2]] == [KEY_B, KEY_B]
    assert parse_log(text).ops[0].formats == FORMATS
    [block] = parse_log(RTX).ops
    assert (block.name, block.key) == ("{ForeignNode[head.bias...logits]}", None)
    assert (block.candidates, block.selected, block.runner) == ((), "0x0", "Myelin")


def test_tables_within_the_timing_of_a_runner() -> None:
    """Myelin autotunes its ops while its block is timed as a runner."""
    before, _, after = RTX.partition("[VERBOSE] >>>")
    block, fc1, fc2 = parse_log(f"{before}{EDITABLE}[VERBOSE] >>>{after}").ops
    assert (fc1, fc2) == (FC1, FC2)
    assert block.selected == "0x0"


def test_the_separators_of_nodes_do_not_end_a_line() -> None:
    text = EDITABLE.replace("\x1f", "\x1e").replace("\n", "\r\n")
    assert parse_log(text).ops == (FC1, FC2)


def test_tables_of_two_threads_line_by_line() -> None:
    """Rows tell by themselves to which table they belong; whose the first one is, has to be plain."""
    first, second = render(FC1).splitlines(), render(FC2).splitlines()
    other = "[V] [TRT] Serialized 3 bytes of compilation cache"
    mixed = [*first[:4], second[0], first[4], other, *second[1:4], first[5], second[4], first[6]]
    assert parse_log("\n".join(mixed)) == AutotuningLog((FC1, FC2))


@pytest.mark.parametrize("order", ["ABABAB", "ABBAAB", "ABABBA", "AABBAB"])
def test_tables_that_begin_at_once_are_not_told_apart(order: str) -> None:
    """Op, head and columns, first row: of two threads in all orders that leave a doubt."""
    parts = {"A": _parts(FC1), "B": _parts(FC2)}
    text = "".join(parts[thread].pop(0) for thread in order)
    found = parse_log(text)
    assert [op.candidates for op in found.ops] == [(), ()]
    assert ["alternate" in op.unknown[0] for op in found.ops] == [True, True]


def _parts(op: AutotunedOp) -> list[str]:
    lines = render(op).splitlines(keepends=True)
    return [lines[0], "".join(lines[1:3]), lines[3]]


def test_a_log_that_ends_within_a_table() -> None:
    whole = render(FC1)
    [op] = parse_log(whole[: whole.index("0x2ad3a182fb05c")]).ops
    assert op.candidates == FC1.candidates[:2]
    assert op.selected is None
    assert len(op.unknown) == 2
    assert op.unknown[0].startswith("a row was not understood: 2, 0.02")
    assert op.unknown[1] == "the log does not tell the choice; more tactics may be missing"
    [nothing] = parse_log(whole[: whole.index("   0,")]).ops
    assert nothing.unknown == ("the log holds no tactics of it",)


def test_missing_rows_are_told() -> None:
    lines = render(FC1).splitlines()
    [first_missing] = parse_log("\n".join([*lines[:3], *lines[4:]])).ops
    assert first_missing.candidates == FC1.candidates[1:]
    assert first_missing.unknown == (
        "the cheapest tactics are missing",
        "the row of the chosen tactic is missing",
    )
    [no_header] = parse_log("\n".join([*lines[:2], *lines[3:]])).ops
    assert no_header == FC1


def test_rows_without_a_table_are_left() -> None:
    found = parse_log(EDITABLE[EDITABLE.index("[V] [TRT] tactic_id") :])
    assert found.ops == (FC2,)
    assert found.unread[0] == HEADER
    assert "0x665ded9abbf88" in found.unread[1]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "1, 2, 3", "Autotuning op ", "Tactic: 0x1 Time: 0.1", "\x00\x1e"]
)
def test_what_is_no_table(text: str) -> None:
    assert parse_log(text).ops == ()


def test_messages_come_one_by_one_or_all_at_once() -> None:
    reader = AutotuningReader()
    for line in EDITABLE.splitlines():
        reader.read(line)
    assert reader.result() == parse_log(EDITABLE)


words = st.text("abcXYZ012_./{}[]+ ", min_size=1, max_size=20).map(str.strip).filter(bool)
names = words.map(lambda word: f"op{word}").filter(lambda name: "key:" not in name)
kernels = st.from_regex(r"sm90_[a-z0-9_]{1,30}", fullmatch=True)
hashes = st.integers(0, 2**64 - 1).map(lambda number: f"{number:#x}")
keys = st.integers(0, 2**128 - 1).map(lambda number: f"0x{number:032x}")


@st.composite
def tables(draw: st.DrawFn) -> AutotunedOp:
    fastest = draw(st.integers(10_000, 10_000_000))
    more = draw(st.lists(st.integers(0, 10_000_000), max_size=8))
    costs = sorted([fastest, *(fastest + extra for extra in more)])
    found = draw(st.lists(hashes, min_size=len(costs), max_size=len(costs), unique=True))
    rows = tuple(Candidate(h, c / 1e7, draw(kernels)) for h, c in zip(found, costs, strict=True))
    nodes = tuple(draw(st.lists(st.from_regex(r"[a-z]{1,5}_[0-9]", fullmatch=True), max_size=3, unique=True)))
    return AutotunedOp(draw(names), draw(keys), nodes, rows, draw(st.sampled_from(found)))


@st.composite
def timings(draw: st.DrawFn) -> AutotunedOp:
    costs = st.one_of(st.none(), st.floats(1e-6, 1e3))
    runners = draw(
        st.lists(
            st.tuples(st.from_regex(r"[A-Z][a-z]{2,9}", fullmatch=True), st.integers(0, 2**32)),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    rows = [
        Candidate(draw(hashes), draw(costs), draw(st.one_of(st.just(""), kernels)), runner, number)
        for runner, number in runners
        for _ in range(draw(st.integers(1, 4)))
    ]
    chosen = draw(st.sampled_from(rows))
    key = draw(st.one_of(st.none(), keys))
    formats = draw(st.sampled_from((FORMATS, "Float(1) -> Float(1)")))
    return AutotunedOp(draw(names), key, (), tuple(rows), chosen.tactic, chosen.runner, formats)


@given(st.lists(st.one_of(tables(), timings()), max_size=5))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read(ops: list[AutotunedOp]) -> None:
    found = parse_log("".join(map(render, ops)))
    assert found.ops == tuple(ops)
    assert found.unread == ()


@given(st.text(max_size=300), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_nothing_is_an_error(text: str, chance: random.Random) -> None:
    """Any text; and a real one, whose characters and lines were lost, doubled and moved about."""
    parse_log(text)
    damaged = list((EDITABLE + FOREIGN + RUNNERS).split("\n"))
    chance.shuffle(damaged)
    damaged = [line[chance.randrange(len(line) + 1) :] if chance.random() < 0.2 else line for line in damaged]
    damaged = [line[: chance.randrange(len(line) + 1)] if chance.random() < 0.2 else line for line in damaged]
    found = parse_log("\n".join([text, *damaged]))
    known = {c.tactic for op in parse_log(EDITABLE + FOREIGN + RUNNERS).ops for c in op.candidates}
    whole = [c for op in found.ops for c in op.candidates if c.tactic in known]
    assert len(whole) <= sum(len(op.candidates) for op in parse_log(EDITABLE + FOREIGN + RUNNERS).ops)
