"""A job: everything a worker needs to build, run and compare once. Its hash names the trial."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import Intervention, ReplaceGraph
from trtdebug.core.jsonable import digest
from trtdebug.oracle.tolerance import Limits

Keep = Literal["none", "failing", "all"]
Role = Literal["candidate", "reference", "timing"]


@dataclass(frozen=True)
class TensorRef:
    """A stored tensor. `scope` is "" for the sample's own tensors, else the hash of the trial that kept it."""

    tensor: str
    scope: str = ""


@dataclass(frozen=True)
class ChoiceRef:
    """What an expected index tensor was chosen from: `values` of the reference, along `axis`.

    Attributes:
        keepdims: the index tensor has that axis, too.
    """

    values: TensorRef
    axis: int
    keepdims: bool


@dataclass(frozen=True)
class Turn:
    """One more run of the engine on each sample, in which isolated nodes stand for others that compute the same.

    Attributes:
        feeds: input name -> stored tensor to feed there in this turn; all other inputs are fed as in the first run.
        outputs: output of the engine -> the name that it goes by in this turn; the others are not looked at.
    """

    feeds: dict[str, TensorRef]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Job:
    """One build, run and compare.

    Attributes:
        purpose: what the trial is for, in two or three words; not part of its identity.
        version: the backend's version and device, so that after an upgrade nothing is taken for what another version
            built. Empty where that does not matter, as of a reference.
        role: whose run it is. The reference's own runs are no trials, and cost no build; nor does timing.
        model, model_sha256: the file to build, and what is in it.
        inputs_sha256: content of all samples.
        samples: names of the samples to run.
        feeds: input name -> stored tensor.
        turns: what is run after that, with other tensors.
        expected: output name -> reference tensor to compare with; None = compare nothing.
        choices: expected output that holds indices (ArgMax, TopK) -> what they were chosen from. Where the
            values are not stored, the indices have to be equal.
        outputs: tensors to ask the engine for; None = the graph's outputs.
        keep: which outputs to store (under the trial's hash; under the sample itself where `record`).
        record: this is the reference's own run: its outputs become the sample's tensors.
        fresh_process: run it in a worker that has done nothing before.
        repeat: distinguishes builds of the same request.
        fast: build with the settings for searching (cheap), not with the user's own.
        isolated: the model's nodes do not touch each other, so one whose precision the engine did not honour
            spoils only its own outputs, and not the trial.
        equal_rows: also run the first sample with all rows of the batch made equal (see trtdebug.oracle.rows).
        keep_engine: write the engine to the trial's folder, where the backend can; timing loads it from there.
        timed: trials whose kept engines are to be timed. Such a job builds nothing (see trtdebug.session.timing).
        time_runs: how often each of them runs the first sample.
        profile_runs: how often to run it for the time of each layer; 0 = not measured.
        max_memory: bytes of outputs to hold at once (see `BuildRequest`). The result does not depend on it.
        build_only: build, and run nothing: it passes where there is an engine. The samples of `feeds` only say what
            shapes and values it has to take.
    """

    purpose: str
    backend: str
    model: str
    model_sha256: str
    inputs_sha256: str
    samples: tuple[str, ...]
    options: BuildOptions
    limits: Limits
    feeds: dict[str, TensorRef]
    interventions: tuple[Intervention, ...] = ()
    expected: dict[str, TensorRef] | None = None
    outputs: tuple[str, ...] | None = None
    keep: Keep = "none"
    record: bool = False
    fresh_process: bool = False
    repeat: int = 0
    fast: bool = False
    isolated: bool = False
    time_runs: int = 0
    profile_runs: int = 0
    role: Role = "candidate"
    equal_rows: bool = False
    choices: dict[str, ChoiceRef] = field(default_factory=dict)
    build_only: bool = False
    version: str = ""
    keep_engine: bool = False
    timed: tuple[str, ...] = ()
    max_memory: int | None = None
    turns: tuple[Turn, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Hash of what the result depends on: not the purpose, the places of files, or the memory."""
        placeless = tuple(
            replace(i, model="") if isinstance(i, ReplaceGraph) else i for i in self.interventions
        )
        return digest(
            replace(
                self,
                purpose="",
                model="",
                max_memory=None,
                interventions=placeless,
                options=self.options.placeless,
            )
        )
