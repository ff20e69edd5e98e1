"""Keeps a repro folder small: what is only handy is left out first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.repro.commands import (
    POLYGRAPHY_INPUTS,
    POLYGRAPHY_OUTPUTS,
    POLYGRAPHY_SCRIPT,
    TRTEXEC_SCRIPT,
)
from trtdebug.repro.manifest import MANIFEST, Manifest, read_manifest

_TEXTS = 64 << 10
"""Bytes for what is written last: README.md and repro.json."""


def within_budget(folder: Path, manifest: Manifest, max_size: int | None) -> Manifest:
    """Deletes what is handy and not needed until the folder is of `max_size` bytes at most (None: any size).

    Returns:
        The manifest without what is gone.

    Raises:
        UserError: what is needed is larger than that.
    """
    if max_size is None:
        return manifest
    for part, names in _parts(folder, manifest):
        if _size(folder) + _TEXTS <= max_size:
            return manifest
        for name in names:
            (folder / name).unlink(missing_ok=True)
        manifest = _without(manifest, part)
    size = _size(folder) + _TEXTS
    if size > max_size:
        largest = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
        raise UserError(
            f"the repro takes {size} bytes, most of them {largest.relative_to(folder)}, and --max-size is {max_size}.",
            "Give fewer --nodes, smaller inputs, or a larger --max-size.",
        )
    return manifest


def shrunk(folder: Path, max_size: int | None) -> None:
    """Shrinks a repro that is written already. Raises as `within_budget`."""
    manifest = read_manifest(folder)
    smaller = within_budget(folder, manifest, max_size)
    if smaller != manifest:
        (folder / MANIFEST).write_text(dumps(smaller, indent=2) + "\n", encoding="utf-8")
        left = ", ".join(smaller.left_out)
        with (folder / "README.md").open("a", encoding="utf-8") as readme:
            readme.write(f"\nLeft out later, to keep the folder small: {left}.\n")


def _parts(folder: Path, manifest: Manifest) -> list[tuple[str, list[str]]]:
    """What may go, in this order, and its files."""
    raw = [tensor.raw for tensor in manifest.inputs if tensor.raw]
    parts = [
        (POLYGRAPHY_SCRIPT, [POLYGRAPHY_SCRIPT, POLYGRAPHY_INPUTS, POLYGRAPHY_OUTPUTS]),
        (TRTEXEC_SCRIPT, [TRTEXEC_SCRIPT, *raw, *([manifest.marked] if manifest.marked else [])]),
    ]
    parts = [part for part in parts if (folder / part[0]).exists()]
    models = [(manifest.typed, "tensorrt"), (manifest.emulated, "emulator")]
    return parts + [(m, [m]) for m, user in models if m is not None and user != manifest.candidate]


def _without(manifest: Manifest, part: str) -> Manifest:
    manifest = replace(manifest, left_out=(*manifest.left_out, part))
    if part == TRTEXEC_SCRIPT:
        return replace(manifest, inputs=tuple(replace(t, raw=None) for t in manifest.inputs), marked=None)
    if part == manifest.typed:
        return replace(manifest, typed=None)
    return replace(manifest, emulated=None) if part == manifest.emulated else manifest


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
