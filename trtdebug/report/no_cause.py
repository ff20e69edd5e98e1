"""What stands in the place of the cause where nodes only round, or amplify that, and no kernel was found at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trtdebug.core.words import listed

_MOST = 3
_EXCUSES = ("ill-conditioned", "only-rounding", "tolerance-below-rounding")


def no_cause(report: Mapping[str, Any], shown: Callable[[str], str]) -> str:
    """One line without a full stop; empty where there are culprits, or rounding is not what breaks the case.

    Args:
        shown: a node's name as the format shows it.
    """
    found = _excuses(report)
    if not found:
        return ""
    nodes, why = found.get("ill-conditioned", []), []
    if nodes:
        why.append(f"{listed(map(shown, nodes), _MOST)} {'is' if len(nodes) == 1 else 'are'} ill-conditioned")
    if "tolerance-below-rounding" in found:
        why.append("the tolerance lies below one rounding")
    elif "only-rounding" in found:
        why.append("nodes that only round break the tolerance")
    told = f"{', and '.join(why)} (see findings)"
    pins = _pins(report)
    if not pins:
        return f"no kernel is known to be at fault: {told}"
    return f"none of the kernels: {told}; pinning {pins} node{'' if pins == 1 else 's'} helps"


def no_repro(report: Mapping[str, Any]) -> str:
    """Why there is none in such a case; empty where there is one, or it is no such case."""
    found = _excuses(report)
    if report["repro"] is not None or not found:
        return ""
    only = "only rounding that is amplified" if "ill-conditioned" in found else "only rounding"
    return f"no repro: there is no fault to show, {only}"


def _excuses(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """Findings that say why no node is at fault: id -> the nodes that they name. None where there are culprits."""
    found: dict[str, list[str]] = {}
    for finding in () if report["culprits"] else report["findings"]:
        if finding["id"] in _EXCUSES:
            found.setdefault(finding["id"], []).append(finding["node"])
    return found


def _pins(report: Mapping[str, Any]) -> int:
    """How many nodes the pins hold that were seen to help; 0 where none were."""
    holding = [f["interventions"] for f in report["fixes"] if f["verified"]]
    pinned = [i for i in holding if i and all(x["kind"] == "PinPrecision" for x in i)]
    return min((sum(len(x["nodes"]) for x in i) for i in pinned), default=0)
