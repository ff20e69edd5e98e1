"""What a backend is: builds a model with interventions, runs it, reads the engine back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.intervention import Intervention
from trtdebug.core.outcome import EngineInfo

Tensor = NDArray[np.generic]
Feeds = Mapping[str, Tensor]


@dataclass(frozen=True)
class Availability:
    """Whether a backend works on this machine, and why not."""

    ok: bool
    version: str = ""
    device: str = ""
    reason: str = ""


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        model: ONNX file. Its nodes are named (see trtdebug.graph.names).
        options: the user's build options.
        interventions: to be realised; a backend raises `BuildFailure` for a kind that it can't realise.
        outputs: tensors (ONNX names) to return; None = the graph's outputs. More than the graph's outputs
            means that tensors are marked.
        profiles: shapes per input that the engine has to take. Always complete for dynamic inputs.
        workdir: folder for the build's own files (timing cache, logs); exists.
        timing_cache: file to read and to update, where the backend has such a thing.
    """

    model: Path
    options: BuildOptions
    workdir: Path
    interventions: tuple[Intervention, ...] = ()
    outputs: tuple[str, ...] | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    timing_cache: Path | None = None


class Engine(Protocol):
    """A built model. Used by one thread."""

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        """Runs once. The arrays are the caller's: a later run does not change them.

        Raises:
            BuildFailure: the engine refuses these feeds.
        """
        ...

    def info(self) -> EngineInfo:
        """What was built, read back from the engine."""
        ...

    def close(self) -> None:
        """Frees the engine's memory; the engine is not used afterwards."""
        ...


class Backend(Protocol):
    """A way to run ONNX models.

    Attributes:
        name: as given to --reference and --candidate.
        summary: one line for `trtdebug doctor`.
        realises: class names of the interventions that `build` can realise.
        deterministic: two builds of the same request give the same numbers.
    """

    name: str
    summary: str
    realises: frozenset[str]
    deterministic: bool

    def probe(self) -> Availability:
        """Tells whether the backend works here. Never raises; never crashes the process."""
        ...

    def build(self, request: BuildRequest) -> Engine:
        """Builds.

        Raises:
            BuildFailure: the model can't be built so; names the node where the builder does.
        """
        ...
