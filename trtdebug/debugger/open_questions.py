"""What the first builds leave open, said in so many words."""

from __future__ import annotations

from collections.abc import Sequence

from trtdebug.core.diagnosis import Culprit, Fix
from trtdebug.debugger.notes import Notes
from trtdebug.stages.fixing.evidence import pinned
from trtdebug.stages.verdicts.sanity import Sanity


def say_that_it_was_not_built(notes: Notes) -> None:
    notes.unknown.append("not built as you build it: whether your own builds fail is not known (--builds N)")


def say_what_was_not_tested(notes: Notes, sane: Sanity) -> None:
    untestable = [o for o in sane.natural if o.status == "untestable"]
    if untestable:
        count = f"{len(untestable)} of {len(sane.natural)}"
        notes.unknown.append(
            f"{count} builds, made as you make them, could not be tested: {untestable[0].reason}"
        )
    if sane.forced is not None and sane.forced.status == "untestable":
        notes.unknown.append(f"low precision could not be forced everywhere: {sane.forced.reason}")
    if sane.verdict == "matches":
        notes.unknown.extend(
            f"the output {name!r} is empty in every sample: that it matches shows nothing of what feeds it "
            "(other inputs may fill it: --inputs, --val-range)"
            for name in _empty_outputs(sane)
        )


def _empty_outputs(sane: Sanity) -> tuple[str, ...]:
    """Outputs that have no element in any sample."""
    errors = [e for o in (*sane.natural, *filter(None, [sane.forced])) for e in o.tensors]
    filled = {e.tensor for e in errors if e.elements}
    return tuple(dict.fromkeys(e.tensor for e in errors if e.tensor not in filled))


def say_why_not_searched(notes: Notes, sane: Sanity) -> None:
    """Why the nodes that have to be in FP32 are not searched for."""
    if sane.pinned is not None and sane.pinned.status != "pass":
        told = (
            "fails, too: precision is not the only cause"
            if sane.pinned.status == "fail"
            else f"can't be tested ({sane.pinned.reason}): whether precision is the only cause is not known"
        )
        notes.unknown.append(f"with every node pinned to FP32 the candidate {told}")
    elif sane.forced is not None and sane.forced.status == "pass":
        notes.unknown.append(
            "forced into low precision everywhere the candidate passes: the cause lies elsewhere"
        )
    elif sane.forced is not None and sane.forced.status == "untestable":
        notes.unknown.append(f"low precision could not be forced: {sane.forced.reason}")


def say_that_there_is_more(notes: Notes, culprits: Sequence[Culprit], fixes: Sequence[Fix]) -> None:
    """Where builds as the user makes them fail with all that is at fault pinned, and no other fix holds."""
    named = {n for c in culprits if c.proven for n in c.nodes}
    failing = [f for f in fixes if f.builds_passed[0] < f.builds_passed[1] and not f.untestable]
    if not named or any(f.verified for f in fixes):
        return
    for fix in failing:
        if named <= pinned(fix.interventions):
            notes.unknown.append(
                "as you build it the candidate fails with all culprits pinned to FP32, too: they are not the only "
                "cause, or the pins have no effect there"
            )
            return
