"""The console script: starts what is slow, then imports and runs the command line."""

from __future__ import annotations

import gc
import sys

from trtdebug.cli.early import start_early

_USAGE, _INTERRUPTED = 2, 130
_NO_DOCSTRINGS = """\
error: Python runs without docstrings (-OO, or PYTHONOPTIMIZE=2), and Polygraphy cannot be imported so.
hint: Start it without; -O and PYTHONOPTIMIZE=1 do no harm.
"""


def main() -> None:
    """`trtdebug ...`, and `python -m trtdebug ...`."""
    if sys.flags.optimize > 1:
        sys.stderr.write(_NO_DOCSTRINGS)
        sys.exit(_USAGE)
    try:
        start_early(sys.argv[1:])
        from trtdebug.cli.app import main as run
        from trtdebug.session.ahead import end_waiting

        try:
            run()
        finally:
            end_waiting()
            gc.freeze()  # else Python looks through all there is once more at its end: a tenth of a second
    except KeyboardInterrupt:  # before a command had begun
        sys.exit(_INTERRUPTED)
