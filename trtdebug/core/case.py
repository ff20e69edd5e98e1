"""The case: what is debugged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from trtdebug.core.intervention import Precision

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Profile:
    """Optimisation profile of one input: the smallest, the tuned and the largest shape."""

    min: Shape
    opt: Shape
    max: Shape

    @classmethod
    def spanning(cls, shapes: Sequence[Sequence[int]]) -> Profile:
        """The smallest one that takes all of these, of one rank; tuned for the first."""
        sizes = list(zip(*shapes, strict=True))
        return cls(tuple(map(min, sizes)), tuple(shapes[0]), tuple(map(max, sizes)))


@dataclass(frozen=True)
class OperatorSource:
    """Where the reference's implementations of custom operators come from.

    Attributes:
        kind: a Python file, a model file with ONNX functions, an onnxruntime library, or an installed extension.
        name: absolute path of the file; of an extension's operator "domain::type".
        content: SHA-256 of the file; of an extension its distribution and version.
    """

    kind: Literal["python", "functions", "library", "extension"]
    name: str
    content: str


@dataclass(frozen=True)
class BuildOptions:
    """How the user builds the candidate.

    Attributes:
        precision: the lowest float precision that the builder may use.
        tf32: whether TensorRT may use TF32 (its own default is yes).
        profiles: per input; empty = every dynamic input gets the shapes of the samples.
        plugins: plugin libraries to load, paths.
        optimization_level: 0..5; None = the builder's default.
        workspace: bytes; None = the builder's default.
        tactic_sources: as the knob of this name: "-NAME" drops one, plain names are all there are, with commas and no
            blanks; None = the builder's default.
        calibration_cache: file with INT8 scales, for a model that is not quantised itself; None = no such file.
        marks: tensors that the user makes outputs beside the model's own, as in `MarkOutputs`.
        operators: implementations of custom operators for backends that have no plugins (onnxruntime, emulator).
        contents: SHA-256 by path of `plugins` and `calibration_cache`, so that a trial is of what they held.
    """

    precision: Precision = "fp32"
    tf32: bool = True
    profiles: dict[str, Profile] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    optimization_level: int | None = None
    workspace: int | None = None
    calibration_cache: str | None = None
    marks: tuple[str, ...] = ()
    operators: tuple[OperatorSource, ...] = ()
    contents: dict[str, str] = field(default_factory=dict)
    tactic_sources: str | None = None

    @property
    def for_reference(self) -> BuildOptions:
        """What of these options a reference takes, too: plugins, and implementations of operators."""
        contents = {path: self.contents[path] for path in self.plugins if path in self.contents}
        return BuildOptions(plugins=self.plugins, operators=self.operators, contents=contents)

    @property
    def placeless(self) -> BuildOptions:
        """The same options with contents in the place of paths: equal wherever the files lie."""

        def content(path: str) -> str:
            return self.contents.get(path, path)

        return replace(
            self,
            plugins=tuple(map(content, self.plugins)),
            calibration_cache=self.calibration_cache and content(self.calibration_cache),
            operators=tuple(s if s.kind == "extension" else replace(s, name="") for s in self.operators),
            contents={},
        )


@dataclass(frozen=True)
class OutputTolerance:
    """The tolerance of one output; what is None is as for all (see `Tolerance`)."""

    atol: float | None = None
    rtol: float | None = None
    rms_rel: float | None = None

    def __post_init__(self) -> None:
        _check_limits(self.atol, self.rtol, self.rms_rel)


@dataclass(frozen=True)
class Tolerance:
    """When is an output wrong. `None` = the default of the precision (see trtdebug.oracle.tolerance).

    Attributes:
        atol, rtol: element rule |c - r| <= atol + rtol * |r|, used as soon as one of them is given.
        rms_rel: relative RMS error allowed, ||c - r|| / ||r||.
        outputs: by output name, where it differs from the rest.
    """

    atol: float | None = None
    rtol: float | None = None
    rms_rel: float | None = None
    outputs: dict[str, OutputTolerance] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_limits(self.atol, self.rtol, self.rms_rel)


def _check_limits(*limits: float | None) -> None:
    """Raises `ValueError` for a limit that is NaN, which no error breaks, or negative, which every error does."""
    wrong = [limit for limit in limits if limit is not None and not limit >= 0]
    if wrong:
        raise ValueError(f"a tolerance of {wrong[0]!r} is none: it has to be at least 0")


@dataclass(frozen=True)
class Case:
    """Model, inputs, build options, tolerances, reference and candidate.

    Attributes:
        model: absolute path of the ONNX file; `sha256` names its content (external data included).
        candidate_model: another model file for the candidate side; None = the same.
        samples: names of the recorded input samples in the session's tensors/ folder.
        inputs_sha256: content hash of all samples.
        builds: how often the candidate is built as the user does; 0 = that it fails is taken for granted.
        fix_builds: fresh builds in which a fix has to hold. Neither count is part of the case's identity.
        command: the command line that repeats the case; no part of its identity.
        max_memory: bytes of tensors to hold at once where many are observed; None = what each backend thinks
            fit. No part of its identity.
        good_tactics: by engine layer the tactic, as in `BanTactic`, of a build that is known to be right; empty =
            none is known. No part of its identity.
        localizer: an extension's search strategy; empty = the built-in ones. No part of its identity.
    """

    model: str
    sha256: str
    nodes: int
    options: BuildOptions
    tolerance: Tolerance
    reference: str
    candidate: str
    samples: tuple[str, ...]
    inputs_sha256: str
    seed: int = 0
    builds: int = field(default=2, compare=False)
    fix_builds: int = field(default=2, compare=False)
    candidate_model: str | None = None
    candidate_sha256: str | None = None
    command: str = field(default="", compare=False)
    max_memory: int | None = field(default=None, compare=False)
    good_tactics: dict[str, str] = field(default_factory=dict, compare=False)
    localizer: str = field(default="", compare=False)

    @property
    def placeless(self) -> Case:
        """The same case, equal wherever its files lie."""
        return replace(self, model="", candidate_model="", options=self.options.placeless)
