"""Reverdict: other tolerances on a stored session. Nothing is built and nothing runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trtdebug.core.case import Tolerance
from trtdebug.core.diagnosis import Verdict
from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Outcome, Signature, TensorError
from trtdebug.oracle.quantiles import Quantile, quantiles
from trtdebug.oracle.rejudge import rejudge
from trtdebug.oracle.tolerance import Limits
from trtdebug.oracle.verdict import judge, worst
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.again import compared_again
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.session import Session
from trtdebug.session.trials import of_latest_version, stored_trials
from trtdebug.stages.context import Context
from trtdebug.stages.opening.backends import need_backends
from trtdebug.stages.opening.preflight import check_tolerance
from trtdebug.stages.verdicts.rounding import IN_FP64, finite_errors
from trtdebug.stages.verdicts.sanity import AS_BUILT, FORCED, overall


@dataclass(frozen=True)
class Rejudged:
    """A stored trial, judged again.

    Attributes:
        before, after: by the session's tolerances, and by the new ones.
    """

    job: Job
    before: Outcome
    after: Outcome

    @property
    def name(self) -> str:
        """Hash under which it is stored: another trtdebug may have computed it otherwise."""
        return self.before.trial or self.job.sha256


@dataclass(frozen=True)
class Reverdict:
    """The session's verdict by other tolerances.

    Attributes:
        rule: the new rule in words.
        before: the verdict by the session's own tolerances, from the same trials.
        trials: what it is made of: the builds as the user makes them and the forced one.
    """

    rule: str
    before: Verdict
    verdict: Verdict
    signature: Signature | None
    reason: str
    trials: tuple[Rejudged, ...]


def reverdict(session: Session, tolerance: Tolerance, plugins: PluginManager) -> Reverdict:
    """Judges the stored trials of a session again, from the stored tensors, else from the stored numbers.

    Where neither is enough, the trial is untestable.

    Raises:
        UserError: there is no session, no finished trial in it, or no such output.
    """
    case = session.case()
    need_backends(plugins, candidate=case.candidate)
    stored = _stored(session)
    natural = [t for t in stored if t[0].purpose == AS_BUILT]
    forced = [t for t in stored if t[0].purpose == FORCED]
    if not natural and not forced:
        raise UserError(
            f"{session.folder} has no finished trial of the whole model.",
            "`trtdebug resume` it, or `trtdebug run` with --builds.",
        )
    check_tolerance(tolerance, list((natural or forced)[0][0].expected or ()))
    natural.sort(key=lambda t: t[0].repeat)
    # the forced build with the user's own settings counts, where there is one that could be tested
    forced.sort(key=lambda t: (t[1].status == "untestable", t[0].fast))
    counted, first = (*natural, *forced[:1]), len(natural)
    own = {
        o: e for job, outcome in stored if job.purpose == IN_FP64 for o, e in finite_errors(outcome).items()
    }
    judged = []
    for chosen in (case.tolerance, tolerance):
        limits = Context(session, replace(case, tolerance=chosen), plugins, own_rounding=own).limits
        outcomes = tuple(_again(session, job, outcome, limits) for job, outcome in counted)
        judged.append((limits, outcomes, overall(outcomes[:first], outcomes[first] if forced else None)))
    (_, before, (old, _, _)), (limits, after, (verdict, signature, reason)) = judged
    trials = tuple(Rejudged(job, *pair) for (job, _), *pair in zip(counted, before, after, strict=True))
    return Reverdict(limits.describe(), old, verdict, signature, reason, trials)


def error_quantiles(session: Session, job: Job, trial: str, tensor: str) -> dict[str, tuple[Quantile, ...]]:
    """By sample, of a compared tensor of a stored trial; without the samples whose tensors were not kept."""
    store, expected = session.tensors, (job.expected or {}).get(tensor)
    kept = TensorRef(tensor, trial)
    if expected is None:
        return {}
    pairs = {s: (store.get(s, expected), store.get(s, kept)) for s in job.samples if store.has(s, kept)}
    return {s: quantiles(r, c) for s, (r, c) in pairs.items() if r.shape == c.shape}


def _stored(session: Session) -> list[tuple[Job, Outcome]]:
    """The finished trials of the whole candidate, in its latest version, and of the reference in double precision."""
    wanted = (AS_BUILT, FORCED, IN_FP64)
    trials = of_latest_version(stored_trials(session))
    return [(t.job, t.outcome) for t in trials if t.job.purpose in wanted]


def _again(session: Session, job: Job, outcome: Outcome, limits: Limits) -> Outcome:
    if not outcome.tensors:
        return outcome
    trial = outcome.trial or job.sha256
    errors = tuple(_error(session, job, trial, e, limits) for e in outcome.tensors)
    status, signature, reason = judge(errors)
    return replace(outcome, status=status, signature=signature, reason=reason, tensors=errors)


def _error(session: Session, job: Job, trial: str, stored: TensorError, limits: Limits) -> TensorError:
    errors = compared_again(session.tensors, job, trial, stored.tensor, limits)
    if errors is None:
        return rejudge(stored, limits, len(job.samples))
    [again] = worst(errors.values())
    return again
