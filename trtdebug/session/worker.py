"""The worker process: sets itself up, makes a backend ready, then serves jobs (trtdebug.session.serve).

What a backend takes to get ready comes first, since a parent may be waiting for nothing else.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import logging
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """`python -m trtdebug.session.worker ANSWER_FD BACKEND`; BACKEND is made ready first, "" = none."""
    _die_with_parent()
    gc.disable()  # until it is ready: what imports make is there to stay, and to look through it is a tenth of a start
    os.setpgid(0, 0)  # what it starts ends with it
    descriptor, warm = int(sys.argv[1]), sys.argv[2]
    faulthandler.enable()  # a crash in a library leaves a traceback in the log
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # ... and does not lose what was printed
    logging.basicConfig(format="%(message)s")  # to stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the session handles Ctrl-C
    os.set_inheritable(descriptor, False)  # else a process that a backend starts could hold the pipe
    answers = os.fdopen(descriptor, "w", encoding="utf-8")
    from trtdebug.plugins.builtin import load_plugins

    plugins = load_plugins()
    backends = plugins.backends()
    if warm in backends:
        _warm_up(backends[warm])
    from trtdebug.session.measuring import Metrics
    from trtdebug.session.serve import serve

    metrics = Metrics({m.name: m.compute for m in plugins.metrics().values()})
    operators = {found.value.name: found.value for found in plugins.collect("operators")}
    gc.freeze()
    gc.enable()
    serve(sys.stdin, answers, backends, metrics, operators)


def _warm_up(backend: object) -> None:
    """Where it raises, this process ends: what it started may be half done."""
    from trtdebug.backends.base import Warmable

    if isinstance(backend, Warmable):
        backend.warm_up()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
