"""Repros of models that are not built, without what is private in them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from trtdebug.core.build_error import BuildError, nameless
from trtdebug.graph.anonymous import Names, Spread, anonymous, random_like
from trtdebug.graph.fresh import names_in
from trtdebug.graph.load import save_model
from trtdebug.graph.walk import fed_inputs
from trtdebug.repro.manifest import MANIFEST, Manifest
from trtdebug.repro.marked_models import save_marked
from trtdebug.repro.of_build import fill
from trtdebug.repro.tensors import Tensor, store
from trtdebug.repro.verify import verify
from trtdebug.session.files import whole_folder
from trtdebug.stages.unbuilt.marked_piece import is_of_model

_SEEDS = 3


@dataclass(frozen=True)
class Anonymised:
    """What came of it. `reason`: why the folder was not written; empty where it was, and fails as the other does."""

    reason: str = ""
    tries: int = 0


def draws() -> Iterator[tuple[int, Spread]]:
    """Seeds and spreads of the random numbers to try."""
    for seed in range(_SEEDS):
        yield seed, "uniform"
        yield seed, "normal"


def unbuilt_anonymised(
    folder: Path, manifest: Manifest, model: onnx.ModelProto, inputs: Mapping[str, Tensor], target: Path
) -> Anonymised:
    """Writes the repro to `target`, where it is not built for the same reason; names in that are left out.

    Raises:
        UserError: `target` cannot be written.
    """
    if not is_of_model(model, manifest.options.marks):
        return Anonymised("tensors of the builder's own are marked, whose names belong to it")
    versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    for tried, (seed, spread) in enumerate(draws(), start=1):
        names, rng = Names(), np.random.default_rng(seed)
        other = anonymous(model, names, lambda a, rng=rng, spread=spread: random_like(a, rng, spread))  # type: ignore[misc]
        feeds = {names("t", n): random_like(value, rng, spread) for n, value in inputs.items()}
        with tempfile.TemporaryDirectory(prefix="trtdebug-anonymous-") as scratch:
            made = _manifest(manifest, other, names)
            _write(Path(scratch) / "repro", made, other, feeds, versions)
            if verify(Path(scratch) / "repro").reproduced:
                _write(target, made, other, feeds, versions)
                return Anonymised(tries=tried)
    why = f"with other names and random weights it does not fail for the same reason (tried {tried} times)"
    return Anonymised(why, tried)


def _manifest(manifest: Manifest, model: onnx.ModelProto, names: Names) -> Manifest:
    old = frozenset(manifest.names)
    errors = (
        BuildError(e.kind, nameless(e.message, old), e.code, operator=e.operator)
        for e in manifest.build_errors
    )
    profiles = {names("t", n): profile for n, profile in manifest.options.profiles.items()}
    libraries = tuple(Path(p).name for p in manifest.options.plugins)
    options = replace(
        manifest.options,
        profiles=profiles,
        plugins=libraries,
        calibration_cache=None,
        contents={},
        marks=tuple(names("t", mark) for mark in manifest.options.marks),
    )
    return replace(
        manifest,
        nodes=tuple(node.name for node in model.graph.node),
        options=options,
        command="",
        build_errors=tuple(errors),
        names=tuple(sorted({*names_in(model.graph)} - {""})),
        anonymised=True,
    )


def _write(
    folder: Path,
    manifest: Manifest,
    model: onnx.ModelProto,
    feeds: Mapping[str, Tensor],
    versions: Mapping[str, str],
) -> None:
    wanted = [value.name for value in fed_inputs(model.graph)]
    with whole_folder(folder, MANIFEST, "repro") as temporary:
        save_model(model, temporary / manifest.model)
        files = store(temporary, "inputs", feeds, raw=True) if feeds else ()
        manifest = replace(manifest, inputs=files)
        if manifest.options.marks:
            manifest = save_marked(model, manifest, temporary, manifest.marked is not None)
        outputs = [value.name for value in model.graph.output]
        fill(temporary, manifest, feeds, (), versions, outputs, len(feeds) == len(wanted))
