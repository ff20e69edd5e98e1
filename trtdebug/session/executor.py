"""Executors: where jobs run. In a worker process (default), or in this one (tests, embedding)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from trtdebug.backends.base import Backend
from trtdebug.core.jsonable import loads, to_data
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.job import Job
from trtdebug.session.perform import Metrics, perform

_TAIL = 20
_TAIL_BYTES = 1 << 16


class InProcess:
    """Runs jobs right here: no protection from crashes, no start-up time."""

    def __init__(self, folder: Path, backends: Mapping[str, Backend], metrics: Metrics | None = None) -> None:
        self.folder, self.backends, self.metrics = folder, backends, metrics

    def run(self, job: Job) -> Outcome:
        return perform(job, self.backends[job.backend], self.folder, self.metrics)

    def close(self) -> None:
        pass


class WorkerProcess:
    """One warm child process. When it crashes or hangs, the trial is untestable; the next job gets a new one.

    Args:
        folder: the session's folder.
        timeout: seconds a job may take.
        environment: passed to the child beside this process's own (which plugins are off, ...).
    """

    def __init__(self, folder: Path, timeout: float, environment: Mapping[str, str] | None = None) -> None:
        self.folder, self.timeout, self.environment = folder, timeout, dict(environment or {})
        self.process: subprocess.Popen[str] | None = None
        self.answers = -1

    def run(self, job: Job) -> Outcome:
        if job.fresh_process:
            self._kill()
        log = self.folder / "trials" / job.sha256 / "log.txt"
        log.unlink(missing_ok=True)
        warm = self.process is not None
        outcome = self._attempt(job, log)
        if warm and outcome.signature == Signature("crash") and not log.exists():
            return self._attempt(
                job, log
            )  # the warm worker was gone before it took the job: not the job's fault
        return outcome

    def _attempt(self, job: Job, log: Path) -> Outcome:
        started = time.perf_counter()
        process = self._running()
        request = json.dumps({"job": to_data(job), "log": str(log)})
        line = ""
        try:
            assert process.stdin is not None
            process.stdin.write(request + "\n")
            process.stdin.flush()
            line = self._receive()
        except BrokenPipeError:
            pass  # it died before it read the job: told below as a crash
        except TimeoutError:
            self._kill()
            return Outcome(
                "untestable",
                Signature("timeout"),
                f"no answer within {self.timeout:g} s",
                log_tail=_tail(log),
                build_seconds=time.perf_counter() - started,
            )
        except BaseException:
            self._kill()  # interrupted: its answer must not be taken for that of the next job
            raise
        if not line:
            return self._crashed(log, time.perf_counter() - started)
        outcome = loads(line, Outcome)
        return replace(outcome, log_tail=_tail(log)) if outcome.status == "untestable" else outcome

    def close(self) -> None:
        if self.process is not None:
            self._kill()

    def _running(self) -> subprocess.Popen[str]:
        if self.process is not None and self.process.poll() is None:
            return self.process
        self._kill()
        read, write = os.pipe()
        with (self.folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "trtdebug.session.worker", str(write), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=(write,),
                env=os.environ | _import_path() | self.environment,
                text=True,
                encoding="utf-8",
            )
        os.close(write)
        self.answers = read
        return self.process

    def _receive(self) -> str:
        """One line of the answer pipe; "" when the worker died. Raises TimeoutError."""
        deadline = time.monotonic() + self.timeout
        received = b""
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([self.answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            chunk = os.read(self.answers, 1 << 20)
            if not chunk:
                return ""
            received += chunk
        return received.decode()

    def _crashed(self, log: Path, seconds: float) -> Outcome:
        assert self.process is not None
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        tail = _tail(log) or _tail(self.folder / "worker.log")
        self._kill()
        reason = f"the worker died: {how}"
        return Outcome("untestable", Signature("crash"), reason, log_tail=tail, build_seconds=seconds)

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            os.close(self.answers)
        self.process = None


def _import_path() -> dict[str, str]:
    """Lets the child import what this process can, also when trtdebug is run from a source folder."""
    return {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))  # verbose builders write gigabytes
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_TAIL:])
