"""The algorithm selector: TensorRT 8.6 to 10 ask it, layer by layer, which of their tactics they may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trtdebug.backends.tensorrt.tactics import Choice, TacticChoice, TensorFormat, layer_name


def make_selector(choice: TacticChoice) -> Any:
    """A trt.IAlgorithmSelector that chooses by `choice` and writes there what it sees.

    What it raises is kept in `choice.broke`: TensorRT would print it and go on, or fail without a word of it.
    """
    import tensorrt as trt

    class Selector(trt.IAlgorithmSelector):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IAlgorithmSelector.__init__(self)  # without it the first call crashes the process

        def select_algorithms(self, asked: Any, offered: Any) -> list[int]:
            found = _kept(choice, lambda: _select(choice, asked, offered))
            return found if found is not None else list(range(len(offered)))

        def report_algorithms(self, asked: Any, used: Any) -> None:
            _kept(choice, lambda: _report(choice, asked, used))

    return Selector()


def _select(choice: TacticChoice, asked: Any, offered: Any) -> list[int]:
    return choice.select(layer_name(asked.name), [_copied(asked, one) for one in offered])


def _report(choice: TacticChoice, asked: Any, used: Any) -> None:
    for layer, one in zip(asked, used, strict=True):
        choice.chosen[layer_name(layer.name)] = _copied(layer, one)


def _copied(asked: Any, offered: Any) -> Choice:
    """A trt.IAlgorithm in plain data: TensorRT's objects are gone when the callback returns."""
    variant = offered.algorithm_variant
    inputs, total = asked.num_inputs, asked.num_inputs + asked.num_outputs
    formats = [_format(offered.get_algorithm_io_info(position)) for position in range(total)]
    return Choice(
        variant.implementation,
        variant.tactic,
        tuple(formats[:inputs]),
        tuple(formats[inputs:]),
        offered.timing_msec,
    )


def _format(told: Any) -> TensorFormat:
    return TensorFormat(
        told.dtype.name, tuple(told.strides), told.vectorized_dim, told.components_per_element
    )


def _kept(choice: TacticChoice, work: Callable[[], list[int] | None]) -> list[int] | None:
    """What `work` gives; None where it raises, which is kept."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - raised again after the build, by `TacticChoice.check`
        choice.broke = choice.broke or error
        return None
