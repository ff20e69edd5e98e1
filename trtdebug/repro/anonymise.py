"""Repros that tell nothing of the model that they come from, where the failure stays."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import Signature
from trtdebug.graph.anonymous import Names, anonymous, random_like
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.more_outputs import with_outputs
from trtdebug.oracle.verdict import same_failure
from trtdebug.repro.anonymise_unbuilt import Anonymised, draws, unbuilt_anonymised
from trtdebug.repro.by_backend import is_standalone
from trtdebug.repro.export import export
from trtdebug.repro.manifest import Choice, Manifest, read_manifest
from trtdebug.repro.scripts.run_repro import reproduce
from trtdebug.repro.spec import ChosenFrom, ReproSpec
from trtdebug.repro.tensors import Tensor, load_tensor
from trtdebug.repro.verify import verify

_HERE = ("emulator", "onnxruntime")
"""Candidates that a look at in this process does no harm."""


def anonymise(folder: Path, target: Path, max_size: int | None = None) -> Anonymised:
    """Writes a repro to `target` that fails as that in `folder` does, with names, weights and inputs of its own.

    Names are hashed with a secret that is not kept. Weights and inputs are random numbers of the range that they
    had; a few draws are tried, and each is seen in a fresh process before it counts. Nothing is written where the
    failure does not stay.

    Raises:
        UserError: `folder` is no repro, or `target` cannot be written.
    """
    manifest = read_manifest(folder)
    reason = obstacle(manifest.candidate, manifest.options, bool(manifest.build_errors))
    if reason:
        return Anonymised(reason)
    model = load_model(folder / manifest.model)
    if model.functions:
        return Anonymised("it calls functions, whose names and contents belong to it")
    inputs = {t.name: load_tensor(t.name, folder / t.file) for t in manifest.inputs}
    if manifest.build_errors:
        return unbuilt_anonymised(folder, manifest, model, inputs, target)
    finite = all(_is_finite(load_tensor(t.name, folder / t.file)) for t in manifest.expected)
    tried = list(draws())
    for number, (seed, spread) in enumerate(tried, start=1):
        with tempfile.TemporaryDirectory(prefix="trtdebug-anonymous-") as scratch:
            place, rng = Path(scratch), np.random.default_rng(seed)
            names = Names()
            other = anonymous(model, names, lambda a, rng=rng, spread=spread: random_like(a, rng, spread))  # type: ignore[misc]
            feeds = {names("t", n): random_like(value, rng, spread) for n, value in inputs.items()}
            chosen_from = [names("t", c.values.name) for c in manifest.choices]
            expected = _computed(other, feeds, chosen_from, place)
            if expected is None or (finite and not all(map(_is_finite, expected.values()))):
                continue
            spec = replace(_spec(manifest, other, names, folder, place), max_size=max_size)
            recorded = feeds | {t: expected[t] for t in chosen_from if t not in feeds}
            spec = replace(spec, inputs=_stored(recorded, place), expected=_stored(expected, place))
            if _shows(manifest, spec, place / "repro"):
                export(spec, target)
                return Anonymised(tries=number)
    why = f"with random weights and inputs the failure does not stay (tried {len(tried)} times)"
    return Anonymised(why, len(tried))


def obstacle(candidate: str, options: BuildOptions, unbuilt: bool = False) -> str:
    """Why no repro of this candidate with these options can be anonymised, whatever the model; "" where one may be.

    Args:
        unbuilt: the repro is of what is not built.
    """
    if options.operators:
        return "its custom operators, and their names, belong to it"
    if not is_standalone(candidate, unbuilt):
        return f"only trtdebug's own backends can see whether it stays, and not {candidate}"
    return ""


def _computed(
    model: onnx.ModelProto, feeds: Mapping[str, Tensor], more: Sequence[str], place: Path
) -> dict[str, Tensor] | None:
    """What the reference computes, with `more` than the outputs; None where it cannot run the model on these."""
    path = place / "computed.onnx"
    save_model(with_outputs(model, [t for t in more if t not in feeds]), path)
    try:
        engine = OnnxruntimeBackend().build(BuildRequest(path, BuildOptions(), place))
        return engine.run(feeds)
    except BuildFailure:
        return None


def _stored(tensors: Mapping[str, Tensor], place: Path) -> dict[str, Path]:
    paths = {name: place / f"{name}.npy" for name in tensors}
    for name, path in paths.items():
        np.save(path, tensors[name], allow_pickle=False)
    return paths


def _spec(manifest: Manifest, model: onnx.ModelProto, names: Names, folder: Path, place: Path) -> ReproSpec:
    """The same repro of the other model; without the command, and the places of plugin libraries."""
    save_model(model, place / "model.onnx")
    index = GraphIndex(model)
    signature = manifest.signature
    if signature is not None:
        signature = Signature(signature.kind, tuple(names("t", o) for o in signature.outputs))
    libraries = tuple(Path(p).name for p in manifest.options.plugins)
    options = replace(manifest.options, plugins=libraries, calibration_cache=None, contents={}, marks=())
    return ReproSpec(
        model=place / "model.onnx",
        nodes=index.order,
        inputs={},
        expected={},
        signature=signature,
        limit=manifest.limit,
        atol=manifest.atol,
        rtol=manifest.rtol,
        precision=manifest.precision,
        pinned=tuple(names("n", f"node {n}") for n in manifest.pinned),
        candidate=manifest.candidate,
        options=options,
        versions=json.loads((folder / "versions.json").read_text(encoding="utf-8")),
        anonymised=True,
        choices={names("t", c.output): _chosen_from(c, names) for c in manifest.choices},
    )


def _chosen_from(choice: Choice, names: Names) -> ChosenFrom:
    values = names("t", choice.values.name)
    return ChosenFrom(values, choice.axis, choice.keepdims, choice.limit, choice.atol, choice.rtol)


def _shows(manifest: Manifest, spec: ReproSpec, folder: Path) -> bool:
    """Whether it fails as the other does: here, where that does no harm, and then in a fresh process."""
    export(spec, folder)
    if manifest.candidate in _HERE:
        kind = reproduce(folder).signature
        same = same_failure(manifest.signature, Signature(kind)) if kind else manifest.signature is None  # type: ignore[arg-type]
        if not same:
            return False
    return verify(folder).reproduced is True


def _is_finite(value: Tensor) -> bool:
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())
