"""Runs the plans of `trtdebug capability`: does the whole come out of the parts?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtdebug.backends.base import Feeds
from trtdebug.backends.run_plan import NotRun, RunPart, compare, run_part
from trtdebug.core.errors import BuildFailure
from trtdebug.stages.capability.files import REST, Saved, save_inputs
from trtdebug.stages.opening.reference_run import ReferenceRun


@dataclass(frozen=True)
class Ran:
    """A plan's run on onnxruntime.

    Attributes:
        same: its outputs are those of the whole model; None: the one or the other does not run.
        detail: what differs, or what does not run.
    """

    same: bool | None
    detail: str = ""


def run_plans(feeds: Feeds | str, saved: Saved, reference: ReferenceRun | None) -> dict[str, Ran]:
    """What came of each plan, by file name.

    By onnxruntime alone, as the file beside the plans does it, unless there are custom operators.

    Args:
        feeds: inputs, or why there are none.
    """
    run = _with_operators(reference) if reference is not None and reference.operators else run_part
    if isinstance(feeds, str):
        return {name: Ran(None, feeds) for name in saved.plans}
    save_inputs(feeds, saved.folder)
    runs = {}
    for name in saved.plans:
        plan = json.loads((saved.folder / name).read_text(encoding="utf-8"))
        try:
            differing = compare(plan, saved.folder, Path(plan["model"]), feeds, run)
        except NotRun as reason:
            runs[name] = Ran(None, str(reason))
            continue
        runs[name] = Ran(not differing, "; ".join(f"{tensor}: {how}" for tensor, how in differing.items()))
    return runs


def _with_operators(reference: ReferenceRun) -> RunPart:
    def run(model: Path, feeds: Mapping[str, Any], outputs: list[str]) -> dict[str, Any]:
        try:
            return reference(model, feeds, outputs)
        except BuildFailure as failure:
            raise NotRun(f"{REST} does not run {model.name}: {' '.join(str(failure).split())}") from failure

    return run
