"""Shows the failure that this folder holds. Needs numpy and onnxruntime, or numpy, TensorRT and cuda-python.

    python repro.py                       # the backend with which the failure was found
    python repro.py --backend tensorrt    # or emulator, onnxruntime
    python repro.py --outputs FILE        # runs nothing: judges what trtexec or Polygraphy wrote
    python repro.py --json                # one line of JSON

Runs the model on the recorded inputs and compares with the recorded reference outputs. Exit code: 1 the
failure shows, 0 it does not, 125 it can't be tested here (the reason is printed).
"""

# trtdebug puts this file together of small ones, so that it needs no trtdebug; those of this script come last.

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtdebug.repro.scripts.choosing import judge_choice
from trtdebug.repro.scripts.comparing import compare, judge
from trtdebug.repro.scripts.folder import existing, load_tensor
from trtdebug.repro.scripts.ort import run_emulated, run_reference_model
from trtdebug.repro.scripts.outputs_of_others import read_outputs
from trtdebug.repro.scripts.result import (
    GONE,
    SHOWS,
    UNTESTABLE,
    BuildFailed,
    Result,
    Row,
    Run,
    Tensor,
    Untestable,
    as_json,
    table,
)
from trtdebug.repro.scripts.trt_build import run_tensorrt
from trtdebug.scripts.words import one_line

BACKENDS: dict[str, Callable[[Path, Mapping[str, Any], Mapping[str, Tensor]], Run]] = {
    "emulator": run_emulated,
    "onnxruntime": run_reference_model,
    "tensorrt": run_tensorrt,
}


def reproduce(folder: Path, backend: str | None = None, outputs: Path | None = None) -> Result:
    """Runs the repro in `folder`.

    Args:
        backend: None = the one with which the failure was found.
        outputs: what trtexec or Polygraphy wrote, to be judged; then nothing is run.
    """
    chosen = outputs.name if outputs is not None else backend or "?"
    try:
        manifest = json.loads(existing(folder, "repro.json").read_text(encoding="utf-8"))
        expected = {entry["name"]: load_tensor(folder, entry["file"]) for entry in manifest["expected"]}
        choices = [(c, load_tensor(folder, c["values"]["file"])) for c in manifest.get("choices", [])]
        if outputs is not None:
            run = Run("", _typed(read_outputs(outputs), expected))
        else:
            chosen = backend or manifest["candidate"]
            if chosen not in BACKENDS:
                raise Untestable(
                    f"{chosen} is a backend of a trtdebug extension, so it takes `trtdebug repro check {folder}`; "
                    f"this script has {', '.join(BACKENDS)} (--backend)"
                )
            feeds = {entry["name"]: load_tensor(folder, entry["file"]) for entry in manifest["inputs"]}
            run = BACKENDS[chosen](folder, manifest, feeds)
    except BuildFailed as failure:
        known = (manifest["signature"] or {}).get("kind") == "build-failure"
        signature = "build-failure" if known else None
        return Result(SHOWS if known else UNTESTABLE, chosen, signature, str(failure))
    except Untestable as why:
        return Result(UNTESTABLE, chosen, reason=str(why))
    except Exception as error:  # noqa: BLE001 - Python would exit 1, and that means: it shows
        return Result(UNTESTABLE, chosen, reason=f"{type(error).__name__}: {one_line(error)}")
    rule = manifest["limit"], manifest.get("atol"), manifest.get("rtol")
    rows = {n: compare(n, r, run.outputs.get(n), *rule) for n, r in expected.items()}
    for choice, values in choices:
        name = choice["output"]
        if name in run.outputs:
            rows[name] = judge_choice(rows[name], expected[name], run.outputs[name], values, choice)
    return _judged(chosen, run, list(rows.values()))


def _judged(backend: str, run: Run, rows: list[Row]) -> Result:
    signature, unsure = judge(rows), next((row for row in rows if row.unsure), None)
    if signature is not None:
        code, reason = SHOWS, ""
    elif unsure is not None:
        code, reason = UNTESTABLE, f"{unsure.name}: {unsure.note}"
    else:
        code, reason = (GONE, "") if rows else (UNTESTABLE, "there is no output to compare")
    return Result(code, backend, signature, reason, run.version, rows, list(run.notes))


def _typed(outputs: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Printed numbers in the types that are expected; those that would change by it stay as they are."""
    typed = {}
    for name, value in outputs.items():
        dtype = expected[name].dtype if name in expected else value.dtype
        with np.errstate(invalid="ignore", over="ignore"):
            cast = value.astype(dtype)
        same = dtype.kind == "f" or np.array_equal(cast.astype(value.dtype), value)
        typed[name] = cast if same else value
    return typed


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", choices=sorted(BACKENDS), help="default: where the failure was found")
    parser.add_argument(
        "--outputs",
        type=Path,
        metavar="FILE",
        help="judge what trtexec (--exportOutput) or Polygraphy (--save-outputs) wrote",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    result = reproduce(Path(__file__).resolve().parent, arguments.backend, arguments.outputs)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may hold what the terminal can't show
    print(as_json(result) if arguments.json else table(result))
    return result.exit


if __name__ == "__main__":
    sys.exit(main())
