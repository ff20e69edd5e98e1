"""Which layer's tactic is to blame, and which of its tactics: found, banned, and the ban holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tactical import IMPLEMENTATION, Tactic, Tactical, debugger, graded, tower

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.tensorrt.tactic_replay import write_replay
from trtdebug.core.intervention import BanTactic, ForcePrecision, Precision

EXACT = graded(6, 1e-6)


def _ids(bans: tuple[object, ...]) -> set[int]:
    """Signed ids of the banned tactics."""
    found = set()
    for ban in bans:
        assert isinstance(ban, BanTactic)
        implementation, _, tactic = ban.tactic.partition(":")
        assert int(implementation, 16) == IMPLEMENTATION
        unsigned = int(tactic, 16)
        found.add(unsigned - 2**64 if unsigned >= 2**63 else unsigned)
    return found


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_one_layer_all_of_its_tactics_in_one_build(precision: Precision, tmp_path: Path) -> None:
    tactics = graded(60, 5e-2)
    backend = Tactical(lambda layer: tactics, moods=0.2)
    diagnosis = debugger(tower(1), backend, tmp_path, rms=3e-3, precision=precision).run()
    [culprit] = diagnosis.culprits
    assert (culprit.kind, culprit.proven, culprit.nodes) == ("tactic", True, ("mm0",))
    assert "kernel_" in culprit.evidence
    [fix] = diagnosis.fixes
    assert fix.builds_passed == (5, 5)
    assert _ids(fix.interventions) == {t.id for t in tactics if t.error > 3e-3}
    assert diagnosis.trials.builds <= 12


def test_one_of_many_layers(tmp_path: Path) -> None:
    worse = graded(20, 5e-2)
    backend = Tactical(lambda layer: worse if layer == "mm3 + relu3" else EXACT, moods=0.1)
    diagnosis = debugger(tower(8), backend, tmp_path, rms=3e-3).run()
    [culprit] = diagnosis.culprits
    assert culprit.nodes == ("mm3", "relu3")
    [fix] = diagnosis.fixes
    assert {ban.layer for ban in fix.interventions if isinstance(ban, BanTactic)} == {"mm3 + relu3"}
    assert fix.verified
    assert diagnosis.trials.builds <= 12


def test_layers_that_fail_only_together_are_found_between_a_good_and_a_bad_build(tmp_path: Path) -> None:
    """Either of two layers is off by less than allowed; both together are not."""
    two = (Tactic(1, 1e-7, 1.0), Tactic(2, 2e-3, 1.05))
    backend = Tactical(lambda layer: two if layer in ("mm1 + relu1", "mm4 + relu4") else EXACT, moods=1.0)
    diagnosis = debugger(tower(6), backend, tmp_path, rms=3e-3, builds=8).run()
    assert 0 < diagnosis.failed_builds < diagnosis.builds
    [culprit] = diagnosis.culprits
    assert set(culprit.nodes) <= {"mm1", "relu1", "mm4", "relu4"}  # the good build may have one of the two
    assert "in an engine that passes otherwise" in culprit.evidence
    assert diagnosis.fixes[-1].verified


def test_hundreds_of_tactics_are_looked_at_by_kind(tmp_path: Path) -> None:
    """As a convolution on an H200: 81 exact ones, 154 that accumulate in low precision, and those are faster."""
    exact = tuple(Tactic(i, 1e-6, 2 + i * 1e-3) for i in range(81))
    rough = tuple(Tactic(1000 + i, 2e-3, 1 + i * 1e-3, "HALF") for i in range(154))
    backend = Tactical(lambda layer: (*exact, *rough), moods=0.3)
    diagnosis = debugger(tower(1), backend, tmp_path, rms=1e-3).run()
    assert _ids(diagnosis.fixes[-1].interventions) == {t.id for t in rough}
    assert diagnosis.fixes[-1].builds_passed == (5, 5)
    assert "142 more of the same kinds" in diagnosis.culprits[0].evidence
    assert diagnosis.trials.builds <= 12


def test_a_kind_that_is_not_even_is_looked_at_again_and_never_trusted_unseen(tmp_path: Path) -> None:
    mixed = tuple(Tactic(i, 2e-2 if i % 3 else 1e-6, 1 + i * 1e-3) for i in range(100))
    diagnosis = debugger(tower(1), Tactical(lambda layer: mixed, moods=0.3), tmp_path, rms=3e-3).run()
    banned = _ids(diagnosis.fixes[-1].interventions)
    assert {t.id for t in mixed if t.error > 3e-3} <= banned
    assert 15 < len(mixed) - len(banned) < 34  # 60 of 100 were looked at, a third of them are good
    assert diagnosis.fixes[-1].verified


def test_what_is_not_offered_alone_stays_as_it_is(tmp_path: Path) -> None:
    tactics = graded(10, 5e-2)
    backend = Tactical(lambda layer: tactics, alone=lambda layer: (*tactics[:4], *tactics[5:]))
    diagnosis = debugger(tower(1), backend, tmp_path, rms=3e-3).run()
    assert diagnosis.fixes[-1].verified
    assert tactics[4].id not in _ids(
        diagnosis.fixes[-1].interventions
    )  # it was never offered, so nobody knows of it


def test_a_tactic_that_does_not_build_spoils_only_itself(tmp_path: Path) -> None:
    tactics = graded(10, 5e-2)
    backend = Tactical(lambda layer: tactics, broken=frozenset({tactics[4].id}))
    diagnosis = debugger(tower(1), backend, tmp_path, rms=3e-3).run()
    assert tactics[4].error < 3e-3
    assert _ids(diagnosis.fixes[-1].interventions) == {tactics[4].id} | {
        t.id for t in tactics if t.error > 3e-3
    }
    assert "1 could not be told" in diagnosis.culprits[0].evidence
    assert diagnosis.trials.builds <= 2 + 1 + 2 + 5
    assert diagnosis.fixes[-1].verified


def test_where_no_copy_can_be_built_the_search_ends_soon(tmp_path: Path) -> None:
    backend = Tactical(lambda layer: graded(6, 5e-2), broken=frozenset(t.id for t in graded(6, 5e-2)))
    diagnosis = debugger(tower(12), backend, tmp_path, rms=3e-3).run()
    [tried] = [s.trials for s in diagnosis.stages if s.name == "tactics"]
    assert tried <= 12
    assert not any(c.kind == "tactic" for c in diagnosis.culprits)


def test_where_no_tactic_is_good_there_is_nothing_to_ban(tmp_path: Path) -> None:
    backend = Tactical(lambda layer: graded(5, 5e-2, 1e-2))
    diagnosis = debugger(tower(1), backend, tmp_path, rms=3e-3).run()
    assert not any(c.kind == "tactic" for c in diagnosis.culprits)
    assert not any(f.kind == "tactic" for f in diagnosis.fixes)


def test_a_ban_that_does_not_hold_stands_among_the_fixes(tmp_path: Path) -> None:
    """In the network every tactic is as bad as the worst one is alone."""
    alone = graded(6, 5e-2)
    backend = Tactical(lambda layer: tuple(replace(t, error=5e-2) for t in alone), alone=lambda layer: alone)
    diagnosis = debugger(tower(1), backend, tmp_path, rms=3e-3).run()
    [ban] = [f for f in diagnosis.fixes if f.kind == "tactic"]
    assert (ban.verified, ban.builds_passed) == (False, (0, 1))
    assert ban.reason
    assert any(
        u.startswith("tactics are in doubt, but banning them does not hold: ") for u in diagnosis.unknown
    )


class WrongWhenForced(Tactical):
    """Off in low precision only, whatever is pinned."""

    def build(self, request: BuildRequest) -> Engine:
        forced = any(isinstance(i, ForcePrecision) for i in request.interventions)
        self.of_layer = lambda layer: graded(6, 5e-2, 5e-2) if forced else EXACT
        return super().build(request)


def test_where_no_build_of_the_users_fails_it_says_that_tactics_were_not_searched(tmp_path: Path) -> None:
    diagnosis = debugger(tower(2), WrongWhenForced(lambda layer: EXACT), tmp_path, rms=3e-3).run()
    assert diagnosis.verdict == "fragile"
    assert any(u.startswith("tactics were not searched: ") for u in diagnosis.unknown)
    assert "tactics" not in {s.name for s in diagnosis.stages}


def test_a_good_build_of_the_users_own_is_the_other_side(tmp_path: Path) -> None:
    """Both builds fail; a recording of good tactics tells which layers to go over."""
    bad = (Tactic(1, 1e-7, 1.0), Tactic(2, 2e-3, 0.5))
    backend = Tactical(lambda layer: bad if layer in ("mm1 + relu1", "mm4 + relu4") else EXACT)
    recording = {f"mm{k} + relu{k}": bad[0].choice for k in (1, 4)}
    write_replay(tmp_path / "good.json", recording)
    diagnosis = debugger(tower(6), backend, tmp_path, rms=3e-3, good_tactics=tmp_path / "good.json").run()
    [culprit] = diagnosis.culprits
    assert set(culprit.nodes) == {"mm1", "relu1", "mm4", "relu4"}
    assert "together" in culprit.evidence
    assert diagnosis.fixes[-1].verified


def test_a_healthy_case_costs_no_search(tmp_path: Path) -> None:
    backend = Tactical(lambda layer: EXACT)
    diagnosis = debugger(tower(3), backend, tmp_path, rms=3e-3).run()
    assert diagnosis.verdict == "matches"
    assert "tactics" not in {s.name for s in diagnosis.stages}


def test_a_ban_that_is_not_honoured_says_nothing_of_the_case(tmp_path: Path) -> None:
    ctx = debugger(tower(1), Tactical(lambda layer: EXACT), tmp_path, rms=3e-3).ctx
    ctx.record()
    outcome = ctx.session.run(ctx.candidate_job("ban", [BanTactic("no such layer", EXACT[0].choice.name)]))
    assert outcome.status == "untestable"
    assert "there is no such layer" in outcome.reason
    outcome = ctx.session.run(ctx.candidate_job("ban", [BanTactic("mm0", t.choice.name) for t in EXACT]))
    assert outcome.status == "untestable"
    assert "all 6 tactics" in outcome.reason
