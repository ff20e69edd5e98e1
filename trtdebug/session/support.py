"""Asks a backend's parser, in a worker: what it does to its process is an answer, too."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trtdebug.backends.base import Backend, BuildRequest, Support, TellsSupport
from trtdebug.core.build_error import BuildError, BuildErrorKind
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.jsonable import loads, to_data
from trtdebug.core.outcome import Outcome
from trtdebug.session.child import Child, Died, HeldTooMuch, TookTooLong
from trtdebug.session.death import held_too_much, of_death, took_too_long
from trtdebug.session.files import end_of
from trtdebug.session.limits import WorkerLimits


@dataclass(frozen=True)
class SupportQuestion:
    """Which nodes of a model file does a backend's parser take?"""

    backend: str
    model: str
    options: BuildOptions


def tell_support(question: SupportQuestion, backends: Mapping[str, Backend], folder: Path) -> Support:
    """Asks right here. An error of the backend is no answer (`parsed` None); its traceback is logged."""
    backend = backends[question.backend]
    assert isinstance(backend, TellsSupport), f"{question.backend} tells no support"
    try:
        return backend.support(BuildRequest(Path(question.model), question.options, folder))
    except BuildFailure as failure:
        return Support(None, failure.errors or (BuildError("build", str(failure)),))
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is an answer
        traceback.print_exc()
        return _silent("crash", f"{type(error).__name__}: {error}")


class SupportWorker:
    """Asks in a worker process. One that breaks is replaced for the next question.

    Args:
        folder: where the worker may write; exists.
        environment: for the worker, beside this process's own (which plugins are off, ...).
    """

    def __init__(
        self, backend: str, folder: Path, limits: WorkerLimits, environment: Mapping[str, str] | None = None
    ) -> None:
        self.backend, self.folder, self.limits = backend, folder, limits
        self.environment = dict(environment or {})
        self._child: Child | None = None

    def __call__(self, question: SupportQuestion) -> Support:
        """What the parser says. No answer (`parsed` None) where it breaks its process, which is named in `errors`."""
        child = self._child = self._child or Child(self.environment, self.backend)
        log = self.folder / "parser-log.txt"
        log.unlink(missing_ok=True)
        request = {"question": to_data(question), "folder": str(self.folder), "log": str(log)}
        try:
            return loads(child.ask(json.dumps(request), self.limits), Support)
        except TookTooLong:
            broken = _silent("timeout", took_too_long(self.limits).reason)
        except HeldTooMuch as held:
            broken = _silent("crash", held_too_much(held.args[0], self.limits).reason)
        except Died as died:
            broken = _of(of_death(died.args[0], end_of(log) or child.startup_log()))
        except BaseException:
            self.close()  # interrupted: its answer must not be taken for the next one
            raise
        self.close()
        return broken

    def close(self) -> None:
        if self._child is not None:
            self._child.end()
        self._child = None


def _of(death: Outcome) -> Support:
    return _silent("crash", death.reason)


def _silent(kind: BuildErrorKind, message: str) -> Support:
    return Support(None, (BuildError(kind, " ".join(message.split())),))
