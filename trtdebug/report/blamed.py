"""What a culprit of a report names: nodes; or marks, where it is these that are not built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def blamed(culprit: Mapping[str, Any]) -> Sequence[str]:
    """Names of its nodes, or of the tensors that the user marks: of the nodes that write these nothing is known."""
    names: Sequence[str] = culprit.get("tensors") or culprit["nodes"]
    return names


def counted(culprits: Iterable[Mapping[str, Any]]) -> str:
    """How many names they have: "2 node(s)", "1 mark(s)"."""
    found = {"node": 0, "mark": 0}
    for culprit in culprits:
        found["mark" if culprit.get("tensors") else "node"] += len(blamed(culprit))
    return ", ".join(f"{number} {what}(s)" for what, number in found.items() if number)
