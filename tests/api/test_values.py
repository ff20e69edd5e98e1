"""What an argument may be: all else is one error that names it and tells what is allowed, before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import jobs_run_here
from seed_models import clamped_gemm

import trtdebug
from trtdebug.api.arguments import KINDS, CaseArguments, as_options

NAN, INF = float("nan"), float("inf")
FLAG, TEXT, PATH = (
    ("no", 1, 0.0, [], b"yes"),
    (3, True, b"x", ["x"], NAN),
    (3, True, b"m.onnx", ["m.onnx"], NAN),
)
COUNT = (0, -1, 1.5, NAN, INF, -INF, "3", True, [1], b"1", np.ones(2))
SHAPE = (
    (1, 3),
    "x:1x3",
    {"x": 3},
    {"x": "13"},
    {"x": (1.5,)},
    {"x": (-1,)},
    {"x": (NAN,)},
    {"x": (INF,)},
    {"x": ("a",)},
    {"x": (True,)},
    {"x": None},
    {3: (1,)},
    5,
)
TOLERANCE = (-1, NAN, "0.1", "tight", True, [0.1], {"y": -1}, {"y": NAN}, {"y": "a"}, {3: 0.1}, {"y": None})

BAD: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("fp16", "bf16", "int8", "tf32"), FLAG),
    **dict.fromkeys(("reference", "candidate"), (*TEXT, "", "tensorflow")),
    "localizer": (*TEXT, "rightmost"),
    "executor": (*TEXT, "", "mars"),
    "tactic_sources": (*TEXT, "", "+CUBLAS", "CUBLAS;CUDNN"),
    **dict.fromkeys(("candidate_model", "good_tactics", "calibration_cache"), (*PATH, "nowhere", "")),
    **dict.fromkeys(
        ("plugins", "operators"), ("lib.so", [""], Path("lib.so"), b"lib.so", 3, [3], [b"x"], ["nowhere"])
    ),
    "inputs": (
        3,
        b"x",
        "nowhere",
        [],
        [3],
        {"tensor0": "a"},
        {"tensor0": np.full((64, 64), NAN, np.float32)},
    ),
    **dict.fromkeys(("input_shapes", "min_shapes", "opt_shapes", "max_shapes"), SHAPE),
    "val_range": (
        3,
        (1,),
        (1, 2, 3),
        (1, 0),
        (0, NAN),
        (0, INF),
        ("0", "1"),
        "01",
        {"x": 3},
        {3: (0, 1)},
        (True, 2),
    ),
    "seed": COUNT[1:],
    **dict.fromkeys(("atol", "rtol", "rms"), TOLERANCE),
    **dict.fromkeys(("builds", "fix_builds", "max_memory", "worker_memory", "workers"), COUNT),
    "opt_level": (*COUNT[1:], 6),
    "mark": ("y", 3, [3], [b"y"], ["nope"]),
    "timeout": (0, 0.5, -1, NAN, INF, 1e8, "60", True, [60]),
    "gpus": ("xyz", "", 0, [-1], [1.5], ["0"], [NAN], [True], b"0", [], [0, 0]),
}
CASES = [
    pytest.param(name, value, id=f"{name}={value!r}"[:60]) for name, values in BAD.items() for value in values
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with jobs_run_here():
        yield


def assert_refused(said: str, folder: Path, call: Callable[..., object], **arguments: Any) -> None:
    with pytest.raises(trtdebug.UserError) as error:
        call(clamped_gemm(), **arguments)
    named = (said, f"--{said.replace('_', '-')}", "nowhere")
    assert any(name in error.value.message.lower() for name in named), error.value
    assert error.value.hint
    assert "\n" not in str(error.value)
    pythons = (
        "unpack",
        "has no attribute",
        "not iterable",
        "has no len",
        "argument must be",
        "NoneType' object",
    )
    assert not [words for words in pythons if words in str(error.value)], error.value
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), CASES)
def test_what_is_not_allowed_is_refused_and_named(name: str, value: Any, tmp_path: Path) -> None:
    arguments = {"candidate": "emulator", "session": "s", name: value}
    said = "input" if name == "inputs" else name
    assert_refused(said, tmp_path, trtdebug.compare, **arguments)


def test_every_argument_is_checked_and_tried() -> None:
    assert set(KINDS) | {"inputs"} == set(CaseArguments.__annotations__) == set(BAD)


@pytest.mark.parametrize("call", [trtdebug.debug, trtdebug.assert_matches])
@pytest.mark.parametrize("until", ["xyz", "", "Fix", None, 3, ["fix"], np.ones(2)])
def test_a_stage_that_there_is_not_is_refused(
    call: Callable[..., object], until: Any, tmp_path: Path
) -> None:
    assert_refused("until", tmp_path, call, until=until)


@pytest.mark.parametrize("call", [trtdebug.debug, trtdebug.compare])
@pytest.mark.parametrize("progress", [3, "print", True, []])
def test_progress_is_a_function(call: Callable[..., object], progress: Any, tmp_path: Path) -> None:
    assert_refused("progress", tmp_path, call, progress=progress)


@pytest.mark.parametrize("fragile", ["no", 1, None, NAN])
def test_fragile_is_true_or_false(fragile: Any, tmp_path: Path) -> None:
    assert_refused("fragile", tmp_path, trtdebug.assert_matches, fragile=fragile)


@pytest.mark.parametrize("call", [trtdebug.debug, trtdebug.compare, trtdebug.assert_matches])
@pytest.mark.parametrize("session", [3, b"s", True, ["s"]])
def test_a_session_is_a_path(call: Callable[..., object], session: Any, tmp_path: Path) -> None:
    assert_refused("session", tmp_path, call, session=session)


def test_a_fix_folder_that_cannot_be_made_is_told_before_the_search(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        trtdebug.UserError, match=r"the fix cannot go to file/fix: .*file is no folder"
    ) as error:
        trtdebug.debug(clamped_gemm(), fix_folder="file/fix")
    assert error.value.hint == "Choose another fix_folder."
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_is_allowed_is_told() -> None:
    with pytest.raises(trtdebug.UserError) as error:
        trtdebug.debug(clamped_gemm(), until="xyz")  # type: ignore[arg-type]
    assert error.value.message == "until='xyz' is not understood: there is nothing of that name."
    assert error.value.hint == "Expected: one of 'localise', 'fix', 'repro'."
    with pytest.raises(trtdebug.UserError) as error:
        trtdebug.debug(clamped_gemm(), opt_level=6)
    assert error.value.hint == "Expected: a whole number from 0 to 5."


def test_numbers_of_numpy_are_numbers() -> None:
    given = {
        "seed": np.int64(3),
        "timeout": np.float32(60),
        "fp16": np.bool_(True),
        "rms": np.float64(0.5),
        "input_shapes": {"x": np.array([1, 3])},
        "gpus": np.arange(2),
        "builds": 2.0,
    }
    assert as_options(given) == {
        "seed": 3,
        "timeout": 60.0,
        "fp16": True,
        "rms": ["0.5"],
        "input_shapes": ["x:[1,3]"],
        "gpus": "0,1",
        "builds": 2,
    }
