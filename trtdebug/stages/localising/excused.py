"""Who is excused of what was seen to fail: nodes that do no more than round, as the precision does.

Two kinds: an ill-conditioned node amplifies the rounding before it (see trtdebug.stages.observing.conditioning), and
where the tolerance is tight, healthy nodes break it (see trtdebug.stages.localising.drift). Each set that was seen to
fail is judged by itself: what is at fault stays at fault beside them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.finding import Finding
from trtdebug.stages.context import Context
from trtdebug.stages.localising.drift import Drift, Failure
from trtdebug.stages.observing import conditioning
from trtdebug.stages.observing.conditioning import amplified, ill_conditioned
from trtdebug.stages.observing.observe import Observation


@dataclass(frozen=True)
class Excused:
    """What is left of what was suspected.

    Attributes:
        culprits: those that are not excused.
        unknown: one line each.
        findings: who is excused, and why.
    """

    culprits: tuple[Culprit, ...]
    unknown: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def excuse(
    ctx: Context,
    culprits: Sequence[Culprit],
    evidence: Collection[str],
    seen: Observation,
    failure: Failure,
) -> Excused:
    """Excuses who only rounds, or amplifies rounding.

    Args:
        evidence: nodes that were seen to make the case fail by themselves, by substitution.
    """
    suspects = {*evidence, *(n for c in culprits if c.proven for n in c.nodes)}
    ill = ill_conditioned(ctx, suspects, seen)
    feeding = [
        c for c in culprits if ill and c.proven and amplified(ctx, c.nodes, ill, seen, failure(c.nodes))
    ]
    left = [c for c in culprits if c not in feeding]
    drift = Drift(ctx, seen, failure, aside=frozenset(ill).union(*(c.nodes for c in feeding)))
    drifting = drift.among(left)
    named = tuple(c for c in left if c not in drifting)
    unknown, findings = [], [conditioning.finding(ctx, s) for s in ill.values()]
    if ill:
        are = "node is" if len(ill) == 1 else "nodes are"
        unknown.append(
            f"{len(ill)} {are} ill-conditioned (see the findings): rounding before that is enough to fail"
        )
    if drifting:
        unknown.append(drift.line(drifting, named))
        findings.append(drift.finding(drifting, named))
    return Excused(named, tuple(unknown), tuple(findings))
