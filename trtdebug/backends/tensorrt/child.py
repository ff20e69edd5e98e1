"""A short Python program in a child process of its own: what it says, or how it broke."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from trtdebug.core.exits import exit_words

_TIMEOUT = 180  # seconds; making a Builder of TensorRT 8.6 takes 6 to 10 s of the CPU


class NotRun(Exception):
    """It could not be started, or did not end in time. `args[0]` says so, as the end of a sentence."""


@dataclass(frozen=True)
class Ended:
    """A program that has ended. `code`: as `Popen.returncode`."""

    code: int
    stdout: str
    stderr: str

    @property
    def how(self) -> str:
        """The exit code or the signal, and the last thing it said on stderr."""
        last = self.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return f"ended with {exit_words(self.code)}: {last[0]}"


def run_python(program: str, *arguments: str) -> Ended:
    """Runs the program with these arguments by this Python. Raises `NotRun`."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotRun(f"did not end within {_TIMEOUT} s") from None
    except OSError as error:
        raise NotRun(f"could not be started: {error}") from error
    return Ended(done.returncode, done.stdout, done.stderr)
