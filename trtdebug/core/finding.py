"""Finding: what a check reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One observation of a check.

    Attributes:
        id: stable, unique id of the rule, kebab case ("output-constant").
        node: ONNX node or tensor it is about; None for the whole model.
        message: what is the case, in one line.
        mitigation: what the user can do; empty when there is nothing to do.
    """

    id: str
    severity: Severity
    message: str
    node: str | None = None
    mitigation: str = ""
