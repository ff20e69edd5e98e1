"""Runs a model file on a backend, once, with custom operators: for who has no session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from trtdebug.backends.base import Backend, BuildRequest, Feeds, Tensor
from trtdebug.core.case import BuildOptions, OperatorSource
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.types import Operator
from trtdebug.stages.opening.operator_sources import operator_sources


@dataclass(frozen=True)
class ReferenceRun:
    """A backend, and the custom operators that it is given."""

    backend: Backend
    operators: tuple[OperatorSource, ...]
    extensions: Mapping[str, Operator]

    @classmethod
    def of(
        cls, backend: Backend, files: Iterable[Path], model: onnx.ModelProto, plugins: PluginManager
    ) -> ReferenceRun:
        """With the user's files, and what extensions have for this model. Raises `UserError` as `operator_sources`."""
        extensions = {found.value.name: found.value for found in plugins.collect("operators")}
        return cls(backend, operator_sources(tuple(files), model, plugins), extensions)

    def __call__(self, model: Path, feeds: Feeds, outputs: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Outputs by name; None: the model's own. Raises `BuildFailure` where it does not run."""
        wanted = tuple(outputs) if outputs is not None else None
        with tempfile.TemporaryDirectory(prefix="trtdebug-") as folder:
            options = BuildOptions(operators=self.operators)
            asked = BuildRequest(model, options, Path(folder), outputs=wanted, extensions=self.extensions)
            engine = self.backend.build(asked)
            try:
                return engine.run(feeds)
            finally:
                engine.close()
