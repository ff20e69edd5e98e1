"""How a process ended, in words."""

from __future__ import annotations

import signal

_IN_WORDS = {
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error; a full disk or /dev/shm, perhaps",
    signal.SIGFPE: "arithmetic error",
    signal.SIGILL: "illegal instruction",
    signal.SIGKILL: "killed from outside; for want of memory, perhaps",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGTERM: "terminated from outside",
}


def exit_words(code: int) -> str:
    """How a process ended, from `Popen.returncode`: its exit code, or the signal by name and in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        number = signal.Signals(-code)
    except ValueError:  # most real-time signals have no names
        return f"signal {-code}"
    return f"{number.name} ({_IN_WORDS[number]})" if number in _IN_WORDS else number.name
