"""The knob `tactic_sources` as flags of command lines, which say it otherwise than the builder does."""

from __future__ import annotations

from trtdebug.backends.tensorrt.compat import ALWAYS, members
from trtdebug.backends.tensorrt.knobs import signed_names

_ENUM = "TacticSource"
_FIRST = "8.6.0"  # 10 has the same tactic sources


def trtexec_sources(value: str, version: str) -> str:
    """Value of trtexec's --tacticSources, which adds to the default (+) and takes from it (-); empty = leave it out.

    Args:
        value: of the knob.
        version: of TensorRT; a dropped source that it lacks is not named, as trtexec would refuse the name.
    """
    last, known = dict(signed_names(value)), members(_ENUM, version)
    wanted = [name for name, on in last.items() if on]
    names = [n for n in last if n in known or last[n]]
    if _is_whole(value):
        names = list(dict.fromkeys([*wanted, *known]))
    return ",".join(f"{'+' if last.get(name) else '-'}{name}" for name in names)


def polygraphy_sources(value: str) -> tuple[str, ...] | None:
    """The names behind Polygraphy's --tactic-sources, which lists those to use, for TensorRT 8.6 to 10.

    None where it can't be listed: of the sources that are left, some are on by default in one version and off in
    another (those of cuBLAS and cuDNN).
    """
    last = dict(signed_names(value))
    if _is_whole(value):
        return tuple(name for name, on in last.items() if on)
    left = tuple(name for name in members(_ENUM, _FIRST) if name not in last)
    return left if set(left) <= set(ALWAYS[_ENUM]) else None


def _is_whole(value: str) -> bool:
    """A plain name makes it the whole list."""
    return any(on for _, on in signed_names(value))
