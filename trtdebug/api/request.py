"""From options, as texts and paths, to a request; and to the command line that repeats it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtdebug.api.tolerances import tolerance
from trtdebug.backends.tensorrt.knobs import KNOBS
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import EVERY_TENSOR
from trtdebug.stages.opening.preflight import CaseRequest


def request_of(model: Path, options: Mapping[str, Any], before: Sequence[str] = ()) -> CaseRequest:
    """The request of these options.

    Args:
        options: by the names and with the values of `trtdebug.cli.options.CaseOptions`; what is left out, or None,
            has its default. Names that do not concern the case are passed over.
        before: options of `trtdebug` itself, which stand before `run` in the command that repeats the case.

    Raises:
        UserError: options that exclude each other, or a value that is none.
    """
    given = {name: value for name, value in options.items() if value is not None}
    take = given.get
    cache = take("calibration_cache")
    return CaseRequest(
        model=model,
        options=BuildOptions(
            precision=precision_of(**{name: take(name, False) for name in ("fp16", "bf16", "int8")}),
            tf32=not take("no_tf32"),
            plugins=tuple(str(p.resolve()) for p in take("plugins", ())),
            optimization_level=take("opt_level"),
            calibration_cache=str(cache.resolve()) if cache else None,
            marks=_marks(take("mark"), take("mark_all", False)),
            tactic_sources=_tactic_sources(take("tactic_sources")),
        ),
        tolerance=tolerance(take("atol"), take("rtol"), take("rms")),
        reference=take("reference", "onnxruntime"),
        candidate=take("candidate", "auto"),
        candidate_model=take("candidate_model"),
        operators=take("operators", ()),
        inputs=take("inputs") or None,
        input_shapes=take("input_shapes", ()),
        min_shapes=take("min_shapes", ()),
        opt_shapes=take("opt_shapes", ()),
        max_shapes=take("max_shapes", ()),
        ranges=take("val_range", ()),
        seed=take("seed", 0),
        builds=take("builds", 2),
        fix_builds=take("fix_builds", 2),
        command=command_line(model, given, before),
        max_memory=take("max_memory"),
        good_tactics=take("good_tactics"),
        localizer=take("localizer") or "",
    )


RUNNING = ("timeout", "worker_memory", "executor", "gpus", "workers")
_NOT_OF_THE_CASE = ("model", "session", *RUNNING, "max_memory", "json", "quiet")


def command_line(model: Path, options: Mapping[str, Any], before: Sequence[str]) -> str:
    """`trtdebug run MODEL ...`, which repeats the case in a new session; a list repeats its option."""
    words = ["trtdebug", *before, "run", str(model)]
    for name, value in options.items():
        if name in _NOT_OF_THE_CASE or value is None or value is False:
            continue
        if name == "builds" and value == 0:  # a failure taken for granted, which no option says
            continue
        flag = f"--{name.replace('_', '-')}"
        values = value if isinstance(value, (list, tuple)) else [value]
        words += [flag] if value is True else [w for v in values for w in (flag, str(v))]
    return shlex.join(words)


def precision_of(**wanted: bool) -> Any:
    """The one precision that is wanted, "fp32" where none is. Raises `UserError` for two."""
    chosen = [name for name, given in wanted.items() if given]
    if len(chosen) > 1:
        raise UserError(
            f"--{chosen[0]} and --{chosen[1]} exclude each other.",
            f"Give one precision. For a build with both, debug --{chosen[1]} first, then --{chosen[0]}.",
        )
    return chosen[0] if chosen else "fp32"


def _marks(tensors: list[str] | None, every: bool) -> tuple[str, ...]:
    """What to mark, as in `BuildOptions.marks`. Raises `UserError` for both at once."""
    if tensors and every:
        raise UserError("--mark and --mark-all exclude each other.", "Give one of them.")
    return (EVERY_TENSOR,) if every else tuple(dict.fromkeys(tensors or ()))


def _tactic_sources(given: str | None) -> str | None:
    """As in `BuildOptions.tactic_sources`. Raises `UserError` for what is no list of names."""
    if given is None:
        return None
    value, knob = re.sub(r"\s*,\s*", ",", given.strip()), KNOBS["tactic_sources"]
    if re.fullmatch(knob.pattern, value) is None:
        raise UserError(
            f"--tactic-sources takes {knob.takes}, not {given!r}.",
            "For instance: --tactic-sources=-CUBLAS,-CUDNN",
        )
    return value
