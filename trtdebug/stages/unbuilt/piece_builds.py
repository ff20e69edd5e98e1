"""Builds pieces of the case's model in the candidate: nothing is run, and nothing has to be recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.core.build_error import BuildError
from trtdebug.core.case import Profile
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import MarkOutputs
from trtdebug.core.outcome import Outcome
from trtdebug.graph.load import external_files, load_skeleton, save_model
from trtdebug.graph.mapped import link_or_copy
from trtdebug.graph.types import TensorType, value_type
from trtdebug.graph.walk import fed_inputs
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context

Tensors = dict[str, NDArray[np.generic]]


def build_errors(outcome: Outcome) -> tuple[BuildError, ...]:
    """Why a build-only trial failed; empty where it passed, or where it says nothing of the model.

    A worker that dies or takes too long while it builds fails as well. Memory that is not there may be the next time.
    """
    if outcome.signature is not None and outcome.signature.kind == "memory":
        return ()
    if outcome.build_errors or outcome.signature is None or outcome.status != "untestable":
        return outcome.build_errors
    first = outcome.reason.partition(";")[0]
    if outcome.signature.kind == "crash":
        return (BuildError("crash", first, node=outcome.node),)
    return (BuildError("timeout", first),) if outcome.signature.kind == "timeout" else ()


@dataclass
class PieceBuilds:
    """Makes build-only trials of pieces.

    Attributes:
        fast: build with the settings for searching.
    """

    ctx: Context
    fast: bool = False
    _referable: bool = field(default=True, init=False)

    @cached_property
    def path(self) -> Path:
        """The candidate's model."""
        return Path(self.ctx.case.candidate_model or self.ctx.case.model)

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The candidate's model; large weights in other files stay there."""
        return load_skeleton(self.path)

    def whole(self) -> Outcome:
        """Builds the candidate as the user does, and runs nothing."""
        whole = self.ctx.candidate_job("the whole model, built only", self.ctx.as_built())
        return self.ctx.session.run(replace(whole, expected=None, build_only=True))

    def build(self, piece: onnx.ModelProto, purpose: str, marks: Sequence[str] = ()) -> Outcome:
        """Builds a piece at the user's options; dynamic inputs get the shapes that the case's own have.

        Args:
            marks: tensors to make outputs beside the piece's own.
        """
        return self.ctx.session.run(self.job(piece, self._write(piece), purpose, marks))

    def build_ahead(self, pieces: Sequence[tuple[onnx.ModelProto, str]], marks: Sequence[str] = ()) -> None:
        """Builds pieces, each with its purpose, that may be asked for next: see `Session.run_ahead`."""
        self.ctx.session.run_ahead(
            [
                self.job(piece, self._write(piece, n), purpose, marks)
                for n, (piece, purpose) in enumerate(pieces)
            ]
        )

    def job(self, piece: onnx.ModelProto, path: Path, purpose: str, marks: Sequence[str] = ()) -> Job:
        """The trial of a piece that was written to `path`."""
        case = self.ctx.case
        digest = hashlib.sha256(path.read_bytes())
        digest.update((case.candidate_sha256 or case.sha256).encode() if external_files(piece) else b"")
        recorded = [v.name for v in fed_inputs(piece.graph) if v.name in self.ctx.index.inputs]
        return Job(
            purpose=purpose,
            backend=case.candidate,
            version=self.ctx.maker(case.candidate),
            model=str(path),
            model_sha256=digest.hexdigest(),
            inputs_sha256=case.inputs_sha256,
            samples=case.samples,
            options=replace(case.options, profiles=self.profiles(piece)),
            limits=self.ctx.limits,
            interventions=(MarkOutputs(tuple(marks)),) if marks else (),
            feeds={n: TensorRef(n) for n in recorded},
            fast=self.fast,
            build_only=True,
        )

    def profiles(self, piece: onnx.ModelProto) -> dict[str, Profile]:
        """Of the piece's dynamic inputs: what the case says of dimensions of the same names."""
        found = {}
        for value in piece.graph.input:
            type_ = value_type(value)
            if value.name in self.ctx.case.options.profiles:
                found[value.name] = self.ctx.case.options.profiles[value.name]
            elif type_ is not None and type_.shape is not None and not type_.is_static:
                sizes = [(d, d, d) if isinstance(d, int) else self._sizes.get(d or "") for d in type_.shape]
                if None not in sizes:
                    low, opt, high = zip(*(s for s in sizes if s is not None), strict=True)
                    found[value.name] = Profile(low, opt, high)
        return found

    def learn(self, tensors: Iterable[str]) -> dict[str, TensorType]:
        """Types of tensors of the case's model as the reference sees them; of none where it cannot run."""
        return {n: TensorType(a.dtype.name, a.shape) for n, a in self.recall(tensors).items()}

    def recall(self, tensors: Iterable[str]) -> Mapping[str, NDArray[np.generic]]:
        """Values of tensors of the case's model, of the first sample; none where the reference cannot run."""
        wanted = [t for t in tensors if t in self.ctx.index.producer or t in self.ctx.index.inputs]
        if not wanted or not self._referable or self.ctx.case.candidate_model is not None:
            return {}
        try:
            return self.ctx.reference(wanted)
        except UserError:
            self._referable = False
            return {}

    @cached_property
    def _sizes(self) -> dict[str, tuple[int, int, int]]:
        """Smallest, tuned and largest size by name of a dynamic dimension."""
        sizes: dict[str, tuple[int, int, int]] = {}
        for value in self.model.graph.input:
            type_, profile = value_type(value), self._profile(value.name)
            if type_ is not None and profile is not None and len(type_.shape or ()) == len(profile.opt):
                spans = zip(profile.min, profile.opt, profile.max, strict=True)
                sizes |= {d: s for d, s in zip(type_.shape or (), spans, strict=True) if isinstance(d, str)}
        return sizes

    def _profile(self, name: str) -> Profile | None:
        """The user's profile of an input of the model; else what its samples span."""
        given = self.ctx.case.options.profiles.get(name)
        store, ref = self.ctx.session.tensors, TensorRef(name)
        samples = [s for s in self.ctx.case.samples if store.has(s, ref)]
        if given is not None or not samples:
            return given
        shapes = [store.get(s, ref).shape for s in samples]
        if len({len(shape) for shape in shapes}) > 1:
            return None
        return Profile.spanning(shapes)

    def _write(self, piece: onnx.ModelProto, number: int = 0) -> Path:
        path = self.ctx.session.folder / "work" / "pieces" / f"piece{number or ''}.onnx"
        save_model(piece, path)
        link_weights(external_files(piece), self.path.parent, path.parent)
        return path


def link_weights(files: Collection[str], source: Path, target: Path) -> None:
    """Gives the files that hold weights a second name in `target`; copies them, once, where that is impossible."""
    for name in files:
        link_or_copy(source / name, target / name)
