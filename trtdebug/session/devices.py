"""Where several workers of one machine work: each on a GPU of its own, or all on the CPU."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from trtdebug.backends.tensorrt.device import device_count
from trtdebug.core.errors import UserError
from trtdebug.session.files import WORK_VARIABLE
from trtdebug.session.limits import GPUS_VARIABLE, WORKERS_VARIABLE

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def own_environments(environment: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """The environment of each worker beside that of all of them.

    Raises:
        UserError: a GPU that does not exist, or what is no list of GPUs, or no number of workers.
    """
    gpus, workers = environment.get(GPUS_VARIABLE), environment.get(WORKERS_VARIABLE, "1")
    if gpus is not None and WORKERS_VARIABLE in environment:
        raise UserError("--gpus and --workers exclude each other.", "--gpus makes one worker a GPU.")
    if gpus is not None:
        return tuple({_VISIBLE: device} | _work_of(number) for number, device in enumerate(chosen_gpus(gpus)))
    if not (workers.isdecimal() and int(workers)):
        raise UserError(
            f"--workers takes a number of at least 1, not {workers!r}.", "For instance: --workers 4"
        )
    return tuple(_work_of(number) for number in range(int(workers)))


def chosen_gpus(text: str) -> tuple[str, ...]:
    """Values of CUDA_VISIBLE_DEVICES, one for each GPU of a list as --gpus takes it."""
    there = _visible()
    if text == "all":
        if not there:
            raise _no_gpu(text)
        return there
    if re.fullmatch(r"\d+(,\d+)*", text) is None:
        raise UserError(
            f"--gpus takes numbers such as 0,1, or all; not {text!r}.", "So does the variable TRTDEBUG_GPUS."
        )
    numbers = [int(word) for word in text.split(",")]
    twice = next((n for n in numbers if numbers.count(n) > 1), None)
    if twice is not None:
        raise UserError(f"--gpus {text} names GPU {twice} twice.", "One worker has a GPU of its own.")
    if not there:
        raise _no_gpu(text)
    missing = next((n for n in numbers if n >= len(there)), None)
    if missing is not None:
        known = "only GPU 0" if len(there) == 1 else f"GPUs 0 to {len(there) - 1}"
        raise UserError(
            f"there is no GPU {missing}: CUDA sees {known} here.", "`--gpus all` takes all of them."
        )
    return tuple(there[n] for n in numbers)


def _visible() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that this process may use."""
    count = device_count()
    given = os.environ.get(_VISIBLE)
    return tuple(given.split(","))[:count] if given else tuple(str(n) for n in range(count))


def _work_of(number: int) -> dict[str, str]:
    """The first worker writes where a single one does."""
    return {WORK_VARIABLE: f"worker{number}"} if number else {}


def _no_gpu(text: str) -> UserError:
    return UserError(
        f"--gpus {text}: CUDA sees no GPU here.",
        "The emulator needs none: --workers N runs N trials at once on the CPU.",
    )
