"""Assertions about checks and fixes. Each raises `AssertionError` that shows what was found instead."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.core.intervention import PinPrecision
from trtdebug.plugins.lending import Loan, fingerprint
from trtdebug.plugins.testing import run_check, run_fix
from trtdebug.plugins.types import Check, CheckContext, FixContext, FixProposer


def assert_finds(check: Check, context: CheckContext, *nodes: str | None, id: str | None = None) -> None:
    """The check's findings are about exactly these nodes (None: the whole model), in any order.

    Args:
        id: that all of them have; None: any.
    """
    found = run_check(check, context)
    about = [finding.node for finding in found]
    lines = "\n".join(f"  {f.id} {f.node}: {f.message}" for f in found) or "  nothing"
    assert sorted(about, key=str) == sorted(nodes, key=str), f"expected {list(nodes)}; it finds\n{lines}"
    assert id is None or all(f.id == id for f in found), f"expected the id {id!r}; it finds\n{lines}"


def assert_pins(proposer: FixProposer, context: FixContext, *pins: Iterable[str]) -> None:
    """The proposer pins exactly these sets of nodes to FP32, one a proposal, in this order; without any, none."""
    proposed = run_fix(proposer, context)
    found = [
        sorted(node for i in p.interventions if isinstance(i, PinPrecision) for node in i.nodes)
        for p in proposed
    ]
    wanted = [sorted(nodes) for nodes in pins]
    lines = "\n".join(f"  {p.kind}: {p.summary}" for p in proposed) or "  nothing"
    assert found == wanted, f"expected pins of {wanted}; it proposes\n{lines}"


def assert_unchanged(check: Check, context: CheckContext) -> None:
    """The check leaves the model as it is; arrays can't be written to, as in a session."""
    before = fingerprint(context.model)
    run_check(check, Loan(context.model, context.path).to_check(context))
    assert fingerprint(context.model) == before, f"{check.name} changes the model"
