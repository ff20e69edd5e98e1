"""Runs a model file with custom operators once, for scripts in folders that trtdebug wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtdebug.backends.base import BuildRequest, Feeds, Tensor
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions, OperatorSource
from trtdebug.core.errors import TrtdebugError as RefusedError

__all__ = ["RefusedError", "run_file"]


def run_file(
    model: Path, folder: Path, operators: Sequence[Mapping[str, str]], feeds: Feeds
) -> tuple[str, dict[str, Tensor]]:
    """The version of what ran it, and its outputs.

    Args:
        folder: what the names of operators' files are relative to.
        operators: `OperatorSource`s as JSON has them.

    Raises:
        RefusedError: it does not run, or a file of operators is not what it was.
    """
    from trtdebug.plugins.builtin import load_plugins

    sources = []
    for entry in operators:
        in_file = entry["kind"] != "extension"
        name = str((folder / entry["name"]).resolve()) if in_file else entry["name"]
        sources.append(OperatorSource(entry["kind"], name, entry["content"]))  # type: ignore[arg-type]
    extensions = {found.value.name: found.value for found in load_plugins().collect("operators")}
    with tempfile.TemporaryDirectory(prefix="trtdebug-") as work:
        options = BuildOptions(operators=tuple(sources))
        engine = OnnxruntimeBackend().build(BuildRequest(model, options, Path(work), extensions=extensions))
        try:
            return f"onnxruntime {engine.info().version}", engine.run(feeds)
        finally:
            engine.close()
