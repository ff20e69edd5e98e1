"""A worker process as its parent sees it: asked by one pipe, answering by another, watched all the while."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from trtdebug.session.limits import WorkerLimits, held_memory

_START = 180.0  # seconds to get ready; importing TensorRT from a cold disk and starting CUDA took 6 s
_LOOK = 0.1  # seconds between two looks at the child's memory
_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Large pages for the heap: TensorRT 8.6 unpacks 3 GB of kernels when it starts, in 5.3 s instead of 5.9."""
_LAST_BREATH = 5.0  # seconds from the end of its pipe to the end of the process


class TookTooLong(Exception):
    """No answer in time."""


class HeldTooMuch(Exception):
    """It and its children held more memory than they may. `args[0]`: bytes."""


class Died(Exception):
    """It ended, or closed its pipe. `args[0]`: `Popen.returncode`, None where it still runs."""


class Child:
    """A worker process, `python -m trtdebug.session.worker`. Returns at once; the process gets ready by itself.

    It dies with the *thread* that made this object (Linux), so make it in the main thread.

    Args:
        environment: for the child, beside this process's own.
        warm: backend to make ready before the first job; "" = none.
    """

    def __init__(self, environment: Mapping[str, str], warm: str = "") -> None:
        self.warm = warm
        self.used = False
        self._startup = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        read, write = os.pipe()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "trtdebug.session.worker",
                str(write),
                warm,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._startup,
            pass_fds=(write,),
            env={**_ALLOCATOR, **os.environ, **_import_path(), **environment},
        )
        os.close(write)
        self._answers = read
        assert self._process.stdin is not None
        self._requests = self._process.stdin.fileno()
        os.set_blocking(self._requests, False)  # one that hangs before it reads must not hang this process

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """`Popen.returncode` where it has ended; None while it lives."""
        return self._process.poll()

    def ask(self, request: str, limits: WorkerLimits) -> str:
        """Sends a line, waits for one. Raises `TookTooLong`, `HeldTooMuch`, `Died`; then it is to be ended.

        The time that it takes to get ready is none of the trial's: it is allowed at least three minutes.
        """
        self.used = True
        deadline = time.monotonic() + max(limits.seconds, _START)
        look = time.monotonic() + _LOOK
        unsent, received = memoryview(request.encode() + b"\n"), bytearray()
        while received.count(b"\n") < 2:  # an empty one when it begins, and the answer
            now = time.monotonic()
            if now >= deadline:
                raise TookTooLong
            if now >= look:
                look = now + _LOOK
                self._watch(limits)
            wait = min(look, deadline) - now
            readable, writable, _ = select.select(
                [self._answers], [self._requests] if unsent else [], [], wait
            )
            if writable:
                unsent = unsent[self._send(unsent) :]
            if readable:
                chunk = os.read(self._answers, 1 << 20)
                if not chunk:
                    raise Died(self._code())
                if not received:
                    deadline = time.monotonic() + limits.seconds
                received += chunk
        return received.decode()

    def startup_log(self) -> str:
        """What it printed before its first job."""
        self._startup.seek(0)
        return self._startup.read().decode("utf-8", errors="replace")

    def kill(self) -> None:
        """Kills it and all that it started, and waits for nothing."""
        self._process.kill()
        with contextlib.suppress(ProcessLookupError):  # it makes a process group of its own when it starts
            os.killpg(self.pid, signal.SIGKILL)

    def end(self, patience: float | None = None) -> None:
        """Kills it and all that it started; on return its memory is free, that on a GPU too.

        Args:
            patience: seconds to wait for that, at most. A worker with a TensorRT in it takes most of a second.
        """
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._startup.close()
        os.close(self._answers)

    def _send(self, unsent: memoryview) -> int:
        try:
            return os.write(self._requests, unsent)
        except BrokenPipeError:  # it has died: the end of its other pipe says so
            return len(unsent)

    def _watch(self, limits: WorkerLimits) -> None:
        held = held_memory(self.pid)
        if held > limits.memory:
            raise HeldTooMuch(held)
        if self.ended() is not None:  # ... while a process that it started keeps the pipe open
            raise Died(self.ended())

    def _code(self) -> int | None:
        try:
            return self._process.wait(_LAST_BREATH)
        except subprocess.TimeoutExpired:
            return None


def _import_path() -> dict[str, str]:
    """Lets the child import what this process can, also when trtdebug is run from a source folder."""
    return {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
