"""What a build may choose of the tactics it is offered: never nothing, never too much, and never what is banned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.backends.tensorrt.tactics import (
    Choice,
    TacticChoice,
    TacticRules,
    TensorFormat,
    layer_name,
    parse_tactic,
    tactic_name,
)
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, UseTactic
from trtdebug.core.outcome import LayerInfo, OfferedTactic

CASK = 0x80000009
FAST, SLOW, EXACT = Choice(CASK, 1), Choice(CASK, -2), Choice(CASK, 3)

_ids = st.integers(-(2**63), 2**63 - 1)
_choices = st.lists(
    st.builds(Choice, st.integers(0, 5) | _ids, st.integers(-3, 3) | _ids), min_size=1, max_size=12
)


def choosing(*rules: BanTactic | UseTactic) -> TacticChoice:
    bans = [r for r in rules if isinstance(r, BanTactic)]
    return TacticChoice(TacticRules.of(bans, [r for r in rules if isinstance(r, UseTactic)]))


def built(
    choice: TacticChoice, offered: list[Choice], chosen: Choice | None, layer: str = "conv"
) -> TacticChoice:
    choice.select(layer, offered)
    if chosen is not None:
        choice.chosen[layer] = chosen
    return choice


def test_ids_are_written_unsigned() -> None:
    """As TensorRT's own log and its inspector write the signed 64 bits that its API gives."""
    assert tactic_name(2147483657, 6596631851832846809) == "0x80000009:0x5b8bf1b8028629d9"
    assert tactic_name(2147483657, -2) == "0x80000009:0xfffffffffffffffe"


@given(_ids, _ids)
def test_a_name_is_read_back(implementation: int, tactic: int) -> None:
    name = tactic_name(implementation, tactic)
    assert Choice(implementation, tactic).is_a(parse_tactic(name))
    assert Choice(implementation, tactic).is_a(parse_tactic("*:" + name.partition(":")[2]))
    assert not Choice(implementation, tactic ^ 1).is_a(parse_tactic(name))


@pytest.mark.parametrize(
    "text", ["", "0x1", "1:2", "0x1:2", "0x1:0x", ":0x1", "0x1:0x11111111111111111", "0x1:0x2 "]
)
def test_what_is_no_tactic_is_refused(text: str) -> None:
    with pytest.raises(BuildFailure, match="no tactic"):
        TacticRules.of([BanTactic("conv", text)], ())


@given(_choices, st.lists(st.integers(0, 11), max_size=12), st.none() | st.integers(0, 11))
def test_a_selection_is_within_range_without_doubles_and_never_empty(
    offered: list[Choice], banned: list[int], used: int | None
) -> None:
    """TensorRT copies the list into a buffer of its own length, and takes an empty one for "as you like"."""
    bans = [BanTactic("conv", offered[i].name) for i in banned if i < len(offered)]
    uses = [UseTactic("conv", offered[used].name)] if used is not None and used < len(offered) else []
    choice = TacticChoice(TacticRules.of(bans, uses))
    selected = choice.select("conv", offered)
    assert selected
    assert sorted(set(selected)) == sorted(selected)
    assert set(selected) <= set(range(len(offered)))
    allowed = [c for c in offered if c.name not in {b.tactic for b in bans}]
    if allowed:
        assert all(offered[i] in allowed for i in selected)
        choice.check()
        if uses and any(c.name == uses[0].tactic for c in allowed):
            assert {offered[i].name for i in selected} == {uses[0].tactic}
    else:
        with pytest.raises(BuildFailure):
            choice.check()


def test_a_ban_takes_all_formats_of_the_tactic_and_leaves_other_layers_alone() -> None:
    nchw, nhwc = (Choice(CASK, 1, (TensorFormat("HALF", (1,), 1, n),)) for n in (1, 8))
    choice = choosing(BanTactic("conv", FAST.name))
    assert choice.select("conv", [nchw, SLOW, nhwc]) == [1]
    assert choice.select("conv2", [nchw, SLOW, nhwc]) == [0, 1, 2]


def test_the_same_tactic_of_another_implementation_is_not_banned() -> None:
    choice = choosing(BanTactic("conv", "0x80000001:0x1"))
    assert choice.select("conv", [FAST, SLOW]) == [0, 1]


@pytest.mark.parametrize(
    ("layer", "offered", "words"),
    [
        ("conv", [FAST], "the only implementation that TensorRT offers for 'conv'"),
        ("conv", [FAST, SLOW], "all 2 tactics that TensorRT offers for 'conv' are banned"),
        ("{ForeignNode[a...z]}", [FAST], "compiled by Myelin as a whole"),
        ("conv", [], "lets nobody choose"),
    ],
)
def test_bans_that_leave_nothing_are_said_with_ways_out(
    layer: str, offered: list[Choice], words: str
) -> None:
    choice = choosing(*(BanTactic(layer, c.name) for c in (FAST, SLOW)))
    assert choice.select(layer, offered) == list(range(len(offered)))
    with pytest.raises(BuildFailure, match=words) as failure:
        choice.check()
    assert layer in failure.value.message
    for way in ("Pin", "mark", "rewrite"):
        assert way in failure.value.hint


def test_an_attempt_forgets_the_one_before() -> None:
    choice = built(choosing(BanTactic("conv", FAST.name)), [FAST], None)
    choice.begin()
    choice.check()
    assert choice.tactics() == ()


def test_rules_that_are_kept_leave_nothing_to_say() -> None:
    choice = built(choosing(BanTactic("conv", FAST.name)), [FAST, SLOW], SLOW)
    assert choice.ignored([LayerInfo("conv", tactic_id="0xfffffffffffffffe")]) == ()
    assert choice.ignored([LayerInfo("conv")]) == ()  # the inspector need not show it


@pytest.mark.parametrize(
    ("rule", "chosen", "shown", "words"),
    [
        (BanTactic("other", FAST.name), SLOW, None, "no such layer"),
        (BanTactic("conv", FAST.name), None, None, "not in the engine"),
        (BanTactic("conv", FAST.name), FAST, None, "which is banned"),
        (BanTactic("conv", FAST.name), SLOW, "0x0000000000000001", "its engine shows 0x0000000000000001"),
        (UseTactic("conv", FAST.name), SLOW, None, "has the tactic"),
        (UseTactic("conv", EXACT.name), SLOW, None, "the one to be used is not offered"),
    ],
)
def test_what_is_not_kept_is_said(
    rule: BanTactic | UseTactic, chosen: Choice | None, shown: str | None, words: str
) -> None:
    choice = built(choosing(rule), [FAST, SLOW], chosen)
    [line] = choice.ignored([LayerInfo("conv", tactic_id=shown)])
    assert words in line


def test_what_was_offered_is_kept_once_a_tactic_in_its_fastest_formats() -> None:
    half = (TensorFormat("HALF"),)
    slow = Choice(CASK, 1, half, half, 2.0)
    fast = Choice(CASK, 1, (*half, *half), half, 1.0)
    choice = built(choosing(UseTactic("conv", FAST.name)), [slow, fast, SLOW], fast)
    [told] = choice.tactics()
    assert told.chosen == FAST.name
    assert told.offered == (
        OfferedTactic(FAST.name, "HALF, HALF -> HALF", 1.0),
        OfferedTactic(SLOW.name, " -> "),
    )


def test_a_layer_has_one_name_in_all_profiles() -> None:
    assert layer_name("conv + relu [profile 1]") == "conv + relu"
    assert layer_name("conv [profile]") == "conv [profile]"
