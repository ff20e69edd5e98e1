"""Runs all checks, built-in and third-party, and gathers what they find."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from trtdebug.core.errors import TrtdebugError
from trtdebug.core.finding import Finding
from trtdebug.plugins import returned
from trtdebug.plugins.lending import Loan
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.types import CheckContext
from trtdebug.session.job import TensorRef
from trtdebug.stages.context import Context


def run_checks(ctx: Context, with_reference: bool) -> tuple[Finding, ...]:
    """Findings of all checks, built-in and third-party; a check that raises is disabled and reported.

    Args:
        with_reference: checks may ask for reference values (the reference is known to run).
    """
    sample = {n: ctx.session.tensors.get(ctx.case.samples[0], TensorRef(n)) for n in ctx.index.inputs}
    context = CheckContext(
        path=Path(ctx.case.model),
        model=ctx.model,
        index=ctx.index,
        precision=ctx.case.options.precision,
        sample=sample,
        reference=ctx.reference if with_reference else None,
        case=ctx.case,
        plugins=ctx.case.options.plugins,
    )
    return collect_findings(ctx.plugins, context)


def collect_findings(plugins: PluginManager, context: CheckContext) -> tuple[Finding, ...]:
    """All findings of all checks, in the order of the plugins."""
    findings: list[Finding] = []
    loan = Loan(context.model, context.path)
    for found in plugins.collect("checks"):
        check, own = found.value, found.provider.builtin
        allow = (TrtdebugError,) if own else ()
        with plugins.guard(found.provider, f"check {check.name}", allow, check.seconds):
            with nullcontext() if own else loan.watched():
                seen = context if own else loan.to_check(context)
                given = returned.findings(check.name, check.run(seen))
            findings += given
    return tuple(findings)
