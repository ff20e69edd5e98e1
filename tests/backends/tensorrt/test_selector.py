"""The selector, driven as TensorRT drives it, with stand-ins for its objects; those of 10.16 in `contract`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from trtdebug.backends.tensorrt.selector import make_selector
from trtdebug.backends.tensorrt.tactics import Choice, TacticChoice, TacticRules, TensorFormat
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic


@pytest.fixture(autouse=True)
def _tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(IAlgorithmSelector=object))


def asked(name: str) -> Any:
    return SimpleNamespace(name=name, num_inputs=1, num_outputs=1)


def offer(tactic: int, dtype: str = "HALF", milliseconds: float = 0.5) -> Any:
    told = SimpleNamespace(
        dtype=SimpleNamespace(name=dtype), strides=[8, 1], vectorized_dim=1, components_per_element=8
    )
    variant = SimpleNamespace(implementation=0x80000009, tactic=tactic)
    return SimpleNamespace(
        algorithm_variant=variant, get_algorithm_io_info=lambda position: told, timing_msec=milliseconds
    )


def test_what_is_offered_and_reported_is_copied_out() -> None:
    choice = TacticChoice(TacticRules.of([BanTactic("conv", "0x80000009:0xffffffffffffffff")], ()))
    selector = make_selector(choice)
    assert selector.select_algorithms(asked("conv [profile 1]"), [offer(-1), offer(2, "FLOAT")]) == [1]
    selector.report_algorithms([asked("conv [profile 1]")], [offer(2, "FLOAT", 0.0)])
    border = (TensorFormat("FLOAT", (8, 1), 1, 8),)
    assert choice.offered["conv"][1] == Choice(0x80000009, 2, border, border, 0.5)
    assert choice.chosen == {"conv": Choice(0x80000009, 2, border, border, 0.0)}
    choice.check()


def test_what_is_raised_in_a_callback_is_kept_and_raised_after_the_build() -> None:
    choice = TacticChoice(TacticRules())
    selector = make_selector(choice)
    broken = SimpleNamespace(timing_msec=0.0)
    assert selector.select_algorithms(asked("conv"), [broken, broken]) == [0, 1]
    selector.report_algorithms([asked("conv")], [])  # a second error does not hide the first
    with pytest.raises(BuildFailure, match=r"AttributeError.*algorithm_variant") as failure:
        choice.check()
    assert isinstance(failure.value.__cause__, AttributeError)
