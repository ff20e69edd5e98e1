"""onnxruntime tells its maker nothing of what runs here."""

from __future__ import annotations

import os


def keep_to_ourselves() -> None:
    """Has onnxruntime send nothing, in this process and in those that it starts. Call it before the first import.

    From 1.29 on it reports each model that it loads (file name, graph name, hashes of graph and weights), unless this
    variable is set. Whoever has set it already has decided.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
