"""Runs a plan of models one after the other on onnxruntime, and compares the end with the whole model's outputs.

    python run_plan.py [plan.json] [inputs.npz]

Needs onnxruntime and numpy, nothing else. `trtdebug capability` copies this file beside the plans that it writes. Where
a part is to run elsewhere (its "backend"), replace `run_part`.

Exit codes: 0 the same outputs, 1 others, 2 a file cannot be read, 4 the whole model or a part does not run on
onnxruntime.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Tensors = dict[str, Any]
RunPart = Callable[[Path, Mapping[str, Any], "list[str]"], Tensors]
"""Outputs of a model by name: (model, value by name of what it may read, names of the outputs). Raises `NotRun`."""

_RELATIVE = 1e-5
"""Largest ||part - whole|| / ||whole|| that passes: the same kernels on the same values give nearly always 0."""


class NotRun(Exception):
    """onnxruntime does not take or run a model. `args[0]` says which and why, on one line."""


def run_part(model: Path, feeds: Mapping[str, Any], outputs: list[str]) -> Tensors:
    """These outputs of a model, for the inputs among `feeds`. Raises `NotRun`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        named = {value.name: feeds[value.name] for value in session.get_inputs()}
        return dict(zip(outputs, session.run(outputs, named), strict=True))
    except Exception as error:
        raise NotRun(f"onnxruntime does not run {model.name}: {' '.join(str(error).split())}") from error


def run_plan(
    plan: Mapping[str, Any], folder: Path, feeds: Mapping[str, Any], run: RunPart = run_part
) -> Tensors:
    """The plan's outputs, its parts run in order.

    Args:
        folder: where the parts' model files lie.
        feeds: value by name of the whole model's inputs.

    Raises:
        NotRun: a part does not run.
    """
    known = dict(feeds)
    for part in plan["parts"]:
        known |= run(folder / part["model"], known, part["outputs"])
    return {name: known[name] for name in plan["outputs"]}


def differences(whole: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, str]:
    """What differs, in words by output; empty where nothing does."""
    found = {}
    for name, expected in whole.items():
        given = parts[name]
        if isinstance(expected, list):
            words = "" if _same_list(expected, given) else "another sequence"
        else:
            words = _difference(np.asarray(expected), np.asarray(given))
        if words:
            found[name] = words
    return found


def _same_list(expected: list[Any], given: Any) -> bool:
    return len(expected) == len(given) and not any(
        _difference(np.asarray(e), np.asarray(g)) for e, g in zip(expected, given, strict=True)
    )


def _difference(expected: Any, given: Any) -> str:
    if (expected.shape, expected.dtype) != (given.shape, given.dtype):
        return f"{given.dtype}{list(given.shape)} instead of {expected.dtype}{list(expected.shape)}"
    if expected.dtype.kind != "f":
        return "" if np.array_equal(expected, given) else "other values"
    finite = np.isfinite(expected)
    if (
        not np.array_equal(expected[~finite], given[~finite], equal_nan=True)
        or not np.isfinite(given[finite]).all()
    ):
        return "NaN or Inf at other places"
    off = expected[finite].astype(np.float64) - given[finite].astype(np.float64)
    norm = float(np.linalg.norm(expected[finite].astype(np.float64)))
    error = float(np.linalg.norm(off)) / norm if norm else float(np.abs(off).max(initial=0.0))
    return f"relative RMS error {error:.3g}" if error > _RELATIVE else ""


def compare(
    plan: Mapping[str, Any], folder: Path, model: Path, feeds: Mapping[str, Any], run: RunPart = run_part
) -> dict[str, str]:
    """What of the plan's outputs differs from the whole model's, in words by output. Raises `NotRun`."""
    whole = run(model, feeds, list(plan["outputs"]))
    return differences(whole, run_plan(plan, folder, feeds, run))


def main(arguments: list[str]) -> int:
    """Reads plan and inputs, runs, prints. Returns the exit code."""
    here = Path(__file__).resolve().parent
    path = Path(arguments[0]) if arguments else here / "plan.json"
    inputs = Path(arguments[1]) if len(arguments) > 1 else here / "inputs.npz"
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        with np.load(inputs, allow_pickle=False) as file:
            feeds = dict(file)
    except (OSError, ValueError) as error:
        print(f"cannot read the plan or its inputs: {error}")
        return 2
    try:
        found = compare(plan, path.resolve().parent, Path(plan["model"]), feeds)
    except NotRun as error:
        print(error)
        return 4
    for name, words in found.items():
        print(f"{name}: {words}")
    print(
        f"{len(plan['parts'])} parts: {len(found)} of {len(plan['outputs'])} outputs differ from the whole model's"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
