"""CUDA events: how long the GPU works on what is put into a stream between two of them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable


class EventTimer:
    """A pair of events of the CUDA runtime that Polygraphy has loaded.

    Raises:
        PolygraphyException: in each method, and when made, where CUDA fails.
    """

    def __init__(self) -> None:
        from polygraphy.cuda import wrapper

        self._cuda = wrapper()
        self._start, self._end = ctypes.c_void_p(), ctypes.c_void_p()
        for event in (self._start, self._end):
            self._cuda.check(self._cuda.handle.cudaEventCreate(ctypes.byref(event)))

    def milliseconds(self, stream: int, enqueue: Callable[[], None]) -> float:
        """Of what `enqueue` puts into the stream; waits until it is done."""
        cuda, handle = self._cuda, self._cuda.handle
        cuda.check(handle.cudaEventRecord(self._start, ctypes.c_void_p(stream)))
        enqueue()
        cuda.check(handle.cudaEventRecord(self._end, ctypes.c_void_p(stream)))
        cuda.check(handle.cudaEventSynchronize(self._end))
        elapsed = ctypes.c_float()
        cuda.check(handle.cudaEventElapsedTime(ctypes.byref(elapsed), self._start, self._end))
        return elapsed.value

    def free(self) -> None:
        """Gives the events back."""
        for event in (self._start, self._end):
            self._cuda.check(self._cuda.handle.cudaEventDestroy(event))
