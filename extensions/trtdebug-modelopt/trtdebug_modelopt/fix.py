"""The fix `autocast`: what AutoCast keeps in FP32 as pins, or its model where the candidate knows no pins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trtdebug.plugins.proposals import pin_nodes
from trtdebug.plugins.rewrites import proposal
from trtdebug.plugins.types import FixContext, FixProposal
from trtdebug_modelopt.autocast import AutocastError, Mixed, convert
from trtdebug_modelopt.kept import kept_nodes, union

NAME = "AutoCast"
"""Whose these proposals are, in the report."""


def propose(context: FixContext) -> Iterator[FixProposal]:
    """AutoCast's pins; where AutoCast fused LayerNorms into one node in low precision, also with their statistics.

    Nothing where the failure is not one of low precision's values. Where AutoCast cannot be run, a proposal that
    says why.
    """
    precision = context.case.options.precision
    of_two_models = context.case.candidate_model is not None
    if precision not in ("fp16", "bf16") or of_two_models or context.signature.kind == "build-failure":
        return
    try:
        mixed = convert(context.model, context.samples(), precision)
    except AutocastError as error:
        yield _obstacle(str(error))
        return
    found = _pins(context, mixed) if "PinPrecision" in context.realises else _rewritten(context, mixed)
    for each in found:
        yield replace(each, beside=NAME)


def _pins(context: FixContext, mixed: Mixed) -> Iterator[FixProposal]:
    kept = kept_nodes(context.model, mixed.model)
    why = f"{NAME} {mixed.version}"
    if kept.nodes:
        yield pin_nodes(kept.nodes, why)
    if kept.statistics:
        every = union(kept.nodes, kept.statistics, context.index.order)
        yield pin_nodes(
            every, f"{why}, {len(kept.statistics)} of them the statistics of LayerNorms that it fuses"
        )
    if not kept.nodes and not kept.statistics:
        yield _obstacle(f"{why} keeps no node in FP32: it pins nothing.")


def _rewritten(context: FixContext, mixed: Mixed) -> Iterator[FixProposal]:
    nodes = len(context.index.nodes)
    for each in proposal(context, f"the mixed model of {NAME} {mixed.version}", mixed.model, nodes):
        yield replace(each, rounds=True)


def _obstacle(reason: str) -> FixProposal:
    return FixProposal("pin", f"{NAME} of NVIDIA ModelOpt", (), beside=NAME, obstacle=reason)
