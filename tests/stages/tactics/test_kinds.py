"""Of hundreds of tactics a few are looked at, and no guess is made of what was not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trtdebug.core.outcome import OfferedTactic
from trtdebug.stages.tactics.kinds import Divided, first_looks, kinds

_offered = st.lists(
    st.tuples(st.sampled_from(["0x1", "0x2"]), st.sampled_from(["FLOAT", "HALF"]), st.floats(0, 1)),
    max_size=80,
).map(lambda rows: tuple(OfferedTactic(f"{i}:{n:#x}", t, ms) for n, (i, t, ms) in enumerate(rows)))


@given(_offered)
def test_the_fastest_of_each_kind_are_looked_at_and_its_slowest(offered: tuple[OfferedTactic, ...]) -> None:
    looks = first_looks(offered)
    assert len(set(looks)) == len(looks)
    for kind in kinds(offered):
        own = [t for t in looks if t in kind]
        assert len(own) == min(len(kind), 12)
        assert set(kind[:6]) <= set(own)
        assert kind[-1] in own
    assert {t for kind in kinds(offered) for t in kind} == {one.tactic for one in offered}


@given(_offered, st.data())
def test_what_is_left_is_known_to_be_good_or_of_a_kind_all_of_whose_looks_were(
    offered: tuple[OfferedTactic, ...], data: st.DataObject
) -> None:
    verdicts = {t: data.draw(st.sampled_from(["good", "bad", "unseen"])) for t in first_looks(offered)}
    found = Divided(
        offered,
        {t: None for t, v in verdicts.items() if v == "good"},
        {t: None for t, v in verdicts.items() if v == "bad"},
        frozenset(t for t, v in verdicts.items() if v == "unseen"),
    )
    banned = set(found.banned())
    assert not found.good.keys() & banned
    assert found.bad.keys() <= banned
    assert found.unseen <= banned
    assert not set(found.next_looks()) & verdicts.keys()
    for kind in kinds(offered):
        seen = {verdicts[t] for t in kind if t in verdicts} - {"unseen"}
        rest = [t for t in kind if t not in verdicts]
        assert all((t in banned) == (seen != {"good"}) for t in rest)
        assert set(rest) & set(found.next_looks()) == set() or seen in ({"good", "bad"}, set())
    gone = [one.tactic for one in offered if one.tactic in banned]
    assert list(found.banned()) == gone
