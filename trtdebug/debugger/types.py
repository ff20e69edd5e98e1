"""How far the pipeline goes, and what each of its branches ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trtdebug.core.diagnosis import Fix
from trtdebug.stages.localising.localise import Located
from trtdebug.stages.observing.observe import Observation
from trtdebug.stages.observing.propagate import Propagated
from trtdebug.stages.unbuilt.unbuildable import Unbuildable
from trtdebug.stages.verdicts.sanity import Sanity

Until = Literal["localise", "fix", "repro"]
"""How far the pipeline goes."""


@dataclass(frozen=True)
class Answer:
    """What a branch of the pipeline found.

    Attributes:
        located: None where nothing was searched.
        fixes: all that were tried.
        observation: nodes by themselves; None where they were not looked at.
        propagated: tensors of the whole candidate; None where they were not looked at.
        unbuilt: the smallest pieces that the candidate does not build.
    """

    sane: Sanity
    located: Located | None = None
    fixes: tuple[Fix, ...] = ()
    observation: Observation | None = None
    propagated: Propagated | None = None
    unbuilt: tuple[Unbuildable, ...] = ()
