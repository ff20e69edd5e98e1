"""What a backend is: builds a model with interventions, runs it, reads the engine back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.availability import Availability as Availability
from trtdebug.core.build_error import BuildError
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.intervention import Intervention, Knob
from trtdebug.core.outcome import EngineInfo, LayerInfo

if TYPE_CHECKING:
    from trtdebug.plugins.types import Operator

Tensor = NDArray[np.generic]
Feeds = Mapping[str, Tensor]


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
        values: smallest, first and largest values (element by element) of integer inputs that may hold shapes.
        workdir: folder for the build's own files (timing cache, logs); exists.
        timing_cache: file to read and to update, where the backend has such a thing.
        artifacts: folder for what is worth keeping of this build (the engine's layers in the builder's own terms);
            need not exist. None = nothing is kept.
        max_memory: bytes of outputs to hold at once, where the engine can hand them over one by one (see
            `Streams`); None = what the backend thinks fit.
        engine_file: where to write the serialized engine, for a backend that can, and that takes such a file as
            `model`; None = nowhere. Its folder need not exist.
        extensions: by name, what installed extensions have of custom operators; those that `options.operators` names
            are used.
        sample: gives the first sample, for a backend that has to compute to know types; None where there is none.
    """

    model: Path
    options: BuildOptions
    workdir: Path
    interventions: tuple[Intervention, ...] = ()
    outputs: tuple[str, ...] | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    values: Mapping[str, Profile] = field(default_factory=dict)
    timing_cache: Path | None = None
    artifacts: Path | None = None
    max_memory: int | None = None
    engine_file: Path | None = None
    extensions: Mapping[str, Operator] = field(default_factory=dict)
    sample: Callable[[], Feeds] | None = None


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


@runtime_checkable
class Streams(Protocol):
    """An engine that hands its outputs over one by one, and so need not hold all of them."""

    def stream(self, feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        """As `Engine.run`; each array is valid until the next one is asked for, and must not be written to."""
        ...


@runtime_checkable
class StreamsSome(Protocol):
    """An engine that can leave out what is not asked for."""

    def stream_some(self, outputs: Collection[str], feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        """As `Streams.stream`, of these of its outputs at least."""
        ...


@runtime_checkable
class TimesLayers(Protocol):
    """An engine that can tell how long each of its layers takes."""

    def profile(self, feeds: Feeds, runs: int) -> tuple[LayerInfo, ...]:
        """The engine's layers with their median time over `runs` inferences.

        Args:
            feeds: empty = the engine makes up its inputs.

        Raises:
            BuildFailure: the engine refuses these feeds, or cannot make up any.
        """
        ...


@runtime_checkable
class TimesInference(Protocol):
    """An engine that can tell how long its device works on an inference, without the copies to it and from it."""

    def stopwatch(self, feeds: Feeds) -> Callable[[], float]:
        """Makes ready for these feeds. Each call of the result gives the milliseconds of one inference.

        Raises:
            BuildFailure: the engine refuses these feeds; the result raises it where the device fails.
        """
        ...


class Backend(Protocol):
    """A way to run ONNX models.

    Attributes:
        name: as given to --reference and --candidate.
        summary: one line for `trtdebug doctor`.
        realises: class names of the interventions that `build` can realise; a property is asked only when it matters.
        deterministic: two builds of the same request give the same numbers.
    """

    name: str
    summary: str
    deterministic: bool

    @property
    def realises(self) -> frozenset[str]: ...

    def probe(self) -> Availability:
        """Tells whether the backend works here. Never raises; never crashes the process."""
        ...

    def build(self, request: BuildRequest) -> Engine:
        """Builds.

        Raises:
            BuildFailure: the model can't be built so; names the node where the builder does.
        """
        ...


@runtime_checkable
class TriesOut(Protocol):
    """A backend whose `probe` only looks whether it is there, since a real try takes long."""

    def try_out(self) -> Availability:
        """Makes sure that it works. Takes seconds; never raises, never crashes the process."""
        ...


@runtime_checkable
class BoundsMemory(Protocol):
    """A backend whose engines are `Streams`, and hold no more than `BuildRequest.max_memory` of outputs at once.

    Others get one build a batch of outputs where the user sets a limit.
    """

    bounds_memory: Literal[True]


@runtime_checkable
class StandsIn(Protocol):
    """A backend that may be none of the builders that models are made for: it imitates one, or runs models as written.

    Attributes:
        stands_in: whether it is so. What it can't build is then a limit of its own, and says nothing of any builder;
            and nodes that its engines call unverified it did not imitate.
    """

    stands_in: bool


@runtime_checkable
class KeepsEngines(Protocol):
    """A backend that writes `BuildRequest.engine_file`, and loads what it wrote where it is given as the model."""

    keeps_engines: Literal[True]


@runtime_checkable
class ChecksOptions(Protocol):
    """A backend that can tell, before anything is built, which build options it cannot take."""

    def check_options(self, options: BuildOptions, model: Path) -> None:
        """Checks options for this model. Only called where `probe` says that the backend works.

        Raises:
            UserError: an option that this backend, in its version here, cannot realise.
        """
        ...


@runtime_checkable
class OwnsTensors(Protocol):
    """A backend whose network may have tensors beside those of the model, which the user may mark, too."""

    @property
    def owns_tensors(self) -> bool:
        """Whether it has. `build` then refuses a mark of a tensor that is neither the model's nor its own."""
        ...


@runtime_checkable
class HasKnobs(Protocol):
    """A backend with global switches that may change what it computes."""

    def knobs(self, options: BuildOptions, operators: Collection[str]) -> tuple[Knob, ...]:
        """Settings worth a try, other than these options; those that cost the least in production come first.

        Only what this version has. Needs no device: it is asked outside of workers.

        Args:
            operators: types of the model's nodes, in bodies too.
        """
        ...


@runtime_checkable
class Warmable(Protocol):
    """A backend that takes long to start, and can do it ahead of its first build."""

    def warm_up(self) -> None:
        """Loads libraries, starts devices. Called once a process, in a worker, while others still work."""
        ...


@dataclass(frozen=True)
class Subgraph:
    """Nodes that a parser puts together. What it says of them is its own word, and may be wrong."""

    nodes: tuple[str, ...]
    supported: bool


@dataclass(frozen=True)
class Support:
    """What a backend's own parser says of a model.

    Attributes:
        parsed: it takes the whole model; None: there was no answer, and `errors` say why.
        errors: everything it complains of, the first thing first; there exactly where it does not take the model.
        subgraphs: how it cuts a model that it does not take; nodes in none of them are those that it refuses.
    """

    parsed: bool | None
    errors: tuple[BuildError, ...] = ()
    subgraphs: tuple[Subgraph, ...] = ()


@runtime_checkable
class TellsSupport(Protocol):
    """A backend that can tell, without building, which nodes of a model its parser takes."""

    def support(self, request: BuildRequest) -> Support:
        """Parses the model as it stands in its file; of the request, interventions and profiles do not matter.

        Raises:
            BuildFailure: there is no parser to be had.
        """
        ...


def read_only(value: Tensor) -> Tensor:
    """The same numbers, not to be written to."""
    view: Tensor = value.view()
    view.flags.writeable = False
    return view


def stands_in(backend: Backend) -> bool:
    """Whether this backend only stands for a builder (see `StandsIn`)."""
    return isinstance(backend, StandsIn) and backend.stands_in
