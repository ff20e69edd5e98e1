"""Equal rows in, equal rows out: a candidate that contradicts itself, whatever the tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import reference_again


def uneven_rows(ctx: Context, natural: Sequence[Outcome]) -> tuple[Finding, ...]:
    """`rows-differ` for outputs of a build that differ from row to row where all rows of the inputs are equal.

    The reference is asked only then: rows may have a meaning of their own (a mask, positions by row).
    """
    differing = list(dict.fromkeys(o for n in natural for o in n.uneven or ()))
    if not differing:
        return ()
    again = reference_again(ctx, "reference with equal rows", {o: o for o in differing})
    excused = ctx.session.run(replace(again, equal_rows=True)).uneven
    return tuple(
        Finding(
            "rows-differ",
            "error",
            f"Output {output!r} of the candidate differs from row to row where all rows of the inputs are equal: "
            "it contradicts itself.",
            ctx.index.producer.get(output, output),
            "No precision explains it: try a batch of one, and report it.",
        )
        for output in differing
        if excused is not None and output not in excused
    )
