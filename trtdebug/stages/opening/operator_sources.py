"""Where implementations of a model's custom operators come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from trtdebug.core.case import OperatorSource
from trtdebug.core.finding import Finding
from trtdebug.graph.custom import custom_kinds, kind_name
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.operators import IN_FILES, operator_source, operators_of


def operator_sources(
    files: Sequence[Path], model: onnx.ModelProto, plugins: PluginManager
) -> tuple[OperatorSource, ...]:
    """The user's files; and what extensions have of what is missing still.

    Raises:
        UserError: a file does not exist, or cannot be used.
    """
    sources = [operator_source(path) for path in files]
    named = {each.name for source in sources if source.kind in IN_FILES for each in operators_of(source)}
    wanted = {kind_name(kind) for kind in custom_kinds(model)} - named
    for found in plugins.collect("operators"):
        if found.value.name in wanted:
            content = f"{found.provider.distribution} {found.provider.version}"
            sources.append(OperatorSource("extension", found.value.name, content))
    return tuple(sources)


def same_implementation(candidate: str, sources: Sequence[OperatorSource]) -> tuple[Finding, ...]:
    """Says that a candidate on onnxruntime computes custom operators just as the reference does."""
    if candidate not in ("emulator", "onnxruntime") or not sources:
        return ()
    files = ", ".join(dict.fromkeys(source.name.rpartition("/")[2] for source in sources))
    return (
        Finding(
            "operator-emulated",
            "info",
            f"{candidate} computes custom operators by the reference's own implementation ({files}), in full precision "
            "and rounded around it: it says nothing of a plugin",
            mitigation="Give --plugins and --candidate tensorrt on a machine with a GPU to test the plugin itself.",
        ),
    )
