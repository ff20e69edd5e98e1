"""Doubt: what was seen to fail beside a node that fails by itself, where the engine does not show that one in FP32.

Inside of a block that the builder compiles as a whole a pin may be ignored, and nobody sees it. Then the case fails
of the node that is pinned, whatever else is in low precision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.words import NAMED, listed
from trtdebug.stages.context import Context
from trtdebug.stages.localising.drift import Failure
from trtdebug.stages.observing.shortcut import FORESEER


def doubted(
    ctx: Context, culprits: Sequence[Culprit], convicted: Collection[str], failure: Failure
) -> Iterator[Culprit]:
    """The culprits; proven no more are those whose failure the pin of another node explains, had it no effect.

    What fails on the emulator, too, with just these nodes in low precision, needs no such explanation.

    Args:
        convicted: nodes that were seen to make the case fail by themselves, by substitution.
    """
    for culprit in culprits:
        hidden = _hidden(culprit, convicted, failure) if culprit.proven else []
        if not hidden or _fails_emulated(ctx, culprit.nodes):
            yield culprit
        else:
            evidence = (
                f"the case fails with these nodes in low precision, and so it would if the pin of "
                f"{listed(hidden, NAMED)} had no effect there, which the engine does not show"
            )
            yield replace(culprit, evidence=evidence, proven=False)


def _hidden(culprit: Culprit, convicted: Collection[str], failure: Failure) -> list[str]:
    """Convicted nodes that were pinned when these were seen to fail, and whose precision the engine does not show."""
    if not convicted or not set(culprit.nodes).isdisjoint(convicted):
        return []
    engine = failure(culprit.nodes).engine
    return [n for n in engine.unverified if n in convicted] if engine is not None else []


def _fails_emulated(ctx: Context, nodes: Collection[str]) -> bool:
    if FORESEER not in ctx.plugins.backends():
        return False
    job = ctx.low_job(nodes, fast=False)
    foreseen = replace(
        job,
        purpose=f"{job.purpose}, foreseen",
        backend=FORESEER,
        version=ctx.maker(FORESEER),
        role="reference",
    )
    return ctx.session.run(foreseen).status == "fail"
