"""What stands in the place of the cause where nodes are ill-conditioned and no kernel was found at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_MOST = 3


def no_cause(report: Mapping[str, Any], shown: Callable[[str], str]) -> str:
    """One line without a full stop; empty where there are culprits, or nothing is ill-conditioned.

    Args:
        shown: a node's name as the format shows it.
    """
    nodes = _ill_conditioned(report)
    if not nodes:
        return ""
    names = ", ".join(map(shown, nodes[:_MOST]))
    names += f" and {len(nodes) - _MOST} more" if len(nodes) > _MOST else ""
    why = f"{names} {'is' if len(nodes) == 1 else 'are'} ill-conditioned (see findings)"
    pins = _pins(report)
    if not pins:
        return f"no kernel is known to be at fault: {why}"
    return f"none of the kernels: {why}; pinning {pins} node{'' if pins == 1 else 's'} helps"


def no_repro(report: Mapping[str, Any]) -> str:
    """Why there is none in such a case; empty where there is one, or it is no such case."""
    if report["repro"] is not None or not _ill_conditioned(report):
        return ""
    return "no repro: there is no fault to show, only rounding that is amplified"


def _ill_conditioned(report: Mapping[str, Any]) -> list[str]:
    if report["culprits"]:
        return []
    return [f["node"] for f in report["findings"] if f["id"] == "ill-conditioned" and f["node"]]


def _pins(report: Mapping[str, Any]) -> int:
    """How many nodes the pins hold that were seen to help; 0 where none were."""
    holding = [f["interventions"] for f in report["fixes"] if f["verified"]]
    pinned = [i for i in holding if i and all(x["kind"] == "PinPrecision" for x in i)]
    return min((sum(len(x["nodes"]) for x in i) for i in pinned), default=0)
