"""What is asked of the CUDA runtime. `Runtime` stands for it, since there is none without a GPU."""

from __future__ import annotations

import ctypes
from typing import Any

import polygraphy.cuda
import polygraphy.exception
import pytest

from trtdebug.backends.tensorrt.events import EventTimer


class Runtime:
    """libcudart: hands out events 1 and 2, and tells 0.25 ms between them."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def cudaEventCreate(self, event: Any) -> int:
        event._obj.value = len(self.said) + 1
        self.said.append(("create", event._obj.value))
        return 0

    def cudaEventRecord(self, event: Any, stream: Any) -> int:
        self.said.append(("record", event.value, stream.value))
        return 0

    def cudaEventSynchronize(self, event: Any) -> int:
        self.said.append(("wait", event.value))
        return 0

    def cudaEventElapsedTime(self, elapsed: Any, start: Any, end: Any) -> int:
        assert isinstance(elapsed._obj, ctypes.c_float)
        elapsed._obj.value = 0.25
        self.said.append(("elapsed", start.value, end.value))
        return 700 if self.said.count(("elapsed", 1, 2)) > 1 else 0

    def cudaEventDestroy(self, event: Any) -> int:
        self.said.append(("destroy", event.value))
        return 0


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Polygraphy's own wrapper around it."""
    wrapper = polygraphy.cuda.Cuda.__new__(polygraphy.cuda.Cuda)
    wrapper.handle = Runtime()
    monkeypatch.setattr(polygraphy.cuda, "wrapper", lambda: wrapper)
    return wrapper.handle


def test_the_time_between_two_events(runtime: Runtime) -> None:
    timer = EventTimer()
    assert timer.milliseconds(9, lambda: runtime.said.append(("work",))) == 0.25
    timer.free()
    assert runtime.said == [
        ("create", 1),
        ("create", 2),
        ("record", 1, 9),
        ("work",),
        ("record", 2, 9),
        ("wait", 2),
        ("elapsed", 1, 2),
        ("destroy", 1),
        ("destroy", 2),
    ]


def test_what_cuda_refuses_is_raised(runtime: Runtime) -> None:
    timer = EventTimer()
    timer.milliseconds(9, lambda: None)
    with pytest.raises(polygraphy.exception.PolygraphyException, match="700"):
        timer.milliseconds(9, lambda: None)
