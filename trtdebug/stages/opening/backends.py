"""Backends by name, with a word on why one is not there, or does not work here."""

from __future__ import annotations

from trtdebug.backends.base import Availability, Backend
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.core.words import did_you_mean
from trtdebug.plugins.absent import why_absent
from trtdebug.plugins.manager import PluginManager

_IN_EXTENSIONS = {"tensorrt-rtx": "trtdebug-rtx"}
"""First-party backends that are packages of their own."""


def find_backend(name: str, plugins: PluginManager, role: str) -> Backend:
    """The backend of this name. Raises `UserError` where there is none, with what may have been meant."""
    backends = plugins.backends()
    if name in backends:
        return backends[name]
    package = _IN_EXTENSIONS.get(name)
    if package is not None and not any(info.distribution == package for info in plugins.plugins()):
        raise UserError(
            f"there is no backend {name!r} for --{role}: the extension {package} has it.",
            f"`trtdebug ext install {package}`",
        )
    absent = why_absent(plugins, "backends", package or "")
    hint = did_you_mean(name, backends, f"There are: {', '.join(sorted(backends))}.")
    raise UserError(f"there is no backend {name!r} for --{role}.{absent}", hint)


def choose_candidate(name: str, plugins: PluginManager) -> tuple[Backend, tuple[Finding, ...]]:
    """The candidate; `auto` takes tensorrt where it works, else the emulator, and says so.

    Raises:
        UserError: no such backend, or one that does not work here.
    """
    if name != "auto":
        return working_backend(name, plugins, "candidate"), ()
    tensorrt = plugins.backends().get("tensorrt")
    available = tensorrt.probe() if tensorrt is not None else Availability(False, reason="it is disabled")
    if tensorrt is not None and available.ok:
        return tensorrt, ()
    note = Finding(
        "candidate-emulated",
        "info",
        f"TensorRT does not work here ({available.reason}); its low-precision kernels are emulated",
        mitigation="Run on a machine with a GPU for the real engine; `trtdebug doctor` says what is missing.",
    )
    return working_backend("emulator", plugins, "candidate"), (note,)


def working_backend(name: str, plugins: PluginManager, role: str) -> Backend:
    """The backend of this name. Raises `UserError` where there is none, or it does not work here."""
    backend = find_backend(name, plugins, role)
    require(backend)
    return backend


def require(backend: Backend) -> Availability:
    """What the backend says of itself. Raises `UserError` where it does not work here."""
    available = backend.probe()
    if not available.ok:
        raise UserError(f"{backend.name} does not work here: {available.reason}.", "See `trtdebug doctor`.")
    return available


def need_backends(plugins: PluginManager, **by_role: str) -> None:
    """Raises `UserError` where one of a session's is not there, since the extension that had it is gone, say."""
    backends = plugins.backends()
    for role, name in by_role.items():
        if name not in backends:
            package = _IN_EXTENSIONS.get(name, "")
            absent, which = why_absent(plugins, "backends", package), package or "the extension that has it"
            raise UserError(
                f"the {role} of this session, the backend {name!r}, is not there.{absent}",
                f"Install or enable {which} again: `trtdebug ext list` shows what loads, and what fails.",
            )
