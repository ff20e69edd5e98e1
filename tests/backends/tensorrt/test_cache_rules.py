"""What is written into a timing cache for bans, and when a build is said not to keep them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from autotuning_logs import EDITABLE, KEY_A, KEY_B, RTX, RUNNERS
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.backends.tensorrt.autotuned import AutotunedOp, Candidate
from trtdebug.backends.tensorrt.autotuning import parse_log
from trtdebug.backends.tensorrt.cache_rules import CacheBuild, CacheRules, planned_entries
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, UseTactic
from trtdebug.core.outcome import LayerInfo, LayerTactics, OfferedTactic

OPS = parse_log(EDITABLE).ops
CACHE = {KEY_A: "0x665ded9abbf88", KEY_B: "0x1"}
FASTEST, SECOND, THIRD = (c.tactic for c in OPS[0].candidates)


def rules(*tactics: str, op: str = "fc1", use: str | None = None) -> CacheRules:
    return CacheRules.of([BanTactic(op, t) for t in tactics], [UseTactic(op, use)] if use else [])


def built(wanted: CacheRules, **changed: object) -> CacheBuild:
    """A build that did what its cache says, but for what is `changed`."""
    entries = planned_entries(wanted, OPS, CACHE)
    cache = CACHE | {entry.key: entry.choice.tactic for entry in entries}
    return replace(CacheBuild(wanted, OPS, entries, (), cache), **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("banned", "becomes"),
    [((FASTEST,), SECOND), ((FASTEST, SECOND), THIRD), ((THIRD,), None), (("0x0",), None)],
)
def test_the_cheapest_tactic_that_is_not_banned(banned: tuple[str, ...], becomes: str | None) -> None:
    [entry] = planned_entries(rules(*banned), OPS, CACHE)
    assert (entry.key, entry.written) == (KEY_A, becomes is not None)
    assert entry.choice.tactic == (becomes or FASTEST)


def test_a_tactic_to_be_used_comes_before_the_cheapest_unless_it_is_banned() -> None:
    assert planned_entries(rules(use=THIRD), OPS, CACHE)[0].choice.tactic == THIRD
    assert not planned_entries(rules(use=FASTEST), OPS, CACHE)[0].written
    assert planned_entries(rules(FASTEST, THIRD, use=THIRD), OPS, CACHE)[0].choice.tactic == SECOND


@given(st.data())
def test_never_a_banned_tactic_and_never_a_dearer_one(data: st.DataObject) -> None:
    hashes = data.draw(st.lists(st.integers(0, 2**64 - 2).map(hex), min_size=1, max_size=6, unique=True))
    costs = st.one_of(st.none(), st.floats(0.001, 9))
    op = AutotunedOp("op", KEY_A, (), tuple(Candidate(h, data.draw(costs)) for h in hashes))
    banned = data.draw(st.sets(st.sampled_from(hashes), min_size=1))
    present = data.draw(st.sampled_from(hashes))
    free = {c.tactic: c.cost_ms for c in op.candidates if c.tactic not in banned and c.cost_ms is not None}
    wanted = CacheRules({"op": frozenset(banned)})
    if present in banned and not free:
        with pytest.raises(BuildFailure):
            planned_entries(wanted, (op,), {KEY_A: present})
        return
    [entry] = planned_entries(wanted, (op,), {KEY_A: present})
    assert entry.choice.tactic not in banned
    assert entry.written == (present in banned)
    assert not entry.written or free[entry.choice.tactic] == min(free.values())


def test_ops_of_one_name_are_each_seen_to() -> None:
    """In FP32 and in FP16, say: Myelin times an op of a weakly typed network in both."""
    other = replace(OPS[1], name="fc1", candidates=(Candidate(FASTEST, 0.2, "a"), Candidate("0x9", 0.3, "b")))
    found = planned_entries(rules(FASTEST), (OPS[0], other), {KEY_A: FASTEST, KEY_B: FASTEST})
    assert [(e.key, e.choice.tactic) for e in found] == [(KEY_A, SECOND), (KEY_B, "0x9")]
    again = replace(OPS[0], candidates=OPS[0].candidates[::2])  # timed twice: the cache holds the last
    assert [e.choice.tactic for e in planned_entries(rules(FASTEST), (OPS[0], again), CACHE)] == [THIRD]


def test_a_layer_without_key_is_refused_only_where_it_would_be_banned() -> None:
    [block] = parse_log(RTX).ops
    assert planned_entries(rules("0x5", op=block.name), (block,), {}) == ()
    with pytest.raises(BuildFailure, match="has no key in the build log"):
        planned_entries(rules("0x0", op=block.name), (block,), {})
    with pytest.raises(BuildFailure, match=f"no entry {KEY_A} of 'fc1'"):
        planned_entries(rules(FASTEST), OPS, {})


def test_runners_whose_tactics_the_cache_writes_otherwise_are_left_alone() -> None:
    [conv, *_] = parse_log(RUNNERS.replace("1) ***", f"1) {{key: {KEY_A}}} ***", 1)).ops
    wanted = rules("0xa143be7a52f301a", op="conv1 + relu1")
    [entry] = planned_entries(wanted, (conv,), {KEY_A: "0xa143be7a52f301a"})
    assert (entry.choice.tactic, entry.choice.kernel) == ("0x967f94e9db2001a8", "sm90_fprop_a")
    with pytest.raises(BuildFailure, match="what is to be written there is not known"):
        planned_entries(wanted, (conv,), {KEY_A: "0x77"})


@pytest.mark.parametrize("tactic", ["", "0x", "5", "0xg", "0x80000009:0x1", "0x" + "1" * 17, "0x" + "f" * 16])
def test_what_is_no_hash(tactic: str) -> None:
    with pytest.raises(BuildFailure, match="is no tactic of a timing cache"):
        rules(tactic)


# afterwards ---------------------------------------------------------------------------------------------------

SHOWN = LayerInfo("fc1_myl0_0", ("fc1", "relu1"), tactic="gemm_f32_64x32")


def test_the_engine_shows_the_kernel() -> None:
    result = built(rules(FASTEST))
    assert result.ignored([SHOWN]) == ()
    assert result.notes([SHOWN]) == (f"in the timing cache: 'fc1': {SECOND} (gemm_f32_64x32)",)
    elsewhere = replace(SHOWN, name="__myl_fused_myl0_1", nodes=("fc1", "relu1", "add"))
    assert result.ignored([elsewhere]) == ()
    assert result.tactics([SHOWN]) == (
        LayerTactics(
            "fc1", tuple(OfferedTactic(c.tactic, "", c.cost_ms or 0) for c in OPS[0].candidates), SECOND
        ),
        LayerTactics("fc2", (OfferedTactic("0x1", "", 0.03),), "0x1"),
    )


def test_the_engine_shows_another_kernel() -> None:
    told = built(rules(FASTEST)).ignored([replace(SHOWN, tactic="gemm_tf32_32x32")])
    assert told == ("the engine computes 'fc1' by gemm_tf32_32x32, and not by gemm_f32_64x32",)


@pytest.mark.parametrize("layer", [LayerInfo("fc11_myl0_0", tactic="x"), replace(SHOWN, tactic=None)])
def test_what_the_engine_does_not_show_is_said(layer: LayerInfo) -> None:
    result = built(rules(FASTEST))
    assert result.ignored([layer]) == ()
    assert "the tactic of 'fc1' is told by the timing cache only" in result.notes([layer])[1]


def test_a_cache_that_tensorrt_did_not_keep_to() -> None:
    result = built(rules(FASTEST), held=CACHE)
    assert result.ignored([SHOWN])[0].endswith(f"(gemm_f32_64x32) became {FASTEST}")
    assert built(rules(FASTEST), held={}).ignored([SHOWN])[0].endswith("is gone")
    assert "is banned" in built(rules(SECOND), held=CACHE | {KEY_A: SECOND}).ignored([])[0]
    assert built(rules(FASTEST), again=OPS).ignored([SHOWN]) == (
        f"TensorRT timed 'fc1' once more and chose {FASTEST}, which is banned",
    )


def test_a_table_that_is_not_whole_is_said() -> None:
    broken = (replace(OPS[0], unknown=("the cheapest tactics are missing",)),)
    result = CacheBuild(rules(THIRD), broken, planned_entries(rules(THIRD), broken, CACHE), (), CACHE)
    assert result.notes([SHOWN]) == ("'fc1' in the build log: the cheapest tactics are missing",)
