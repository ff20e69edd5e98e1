"""Repros on a backend that repro.py cannot run by itself, an extension's: a worker process of trtdebug runs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from trtdebug.core.build_error import BuildError, failure_keys
from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import ForcePrecision, Intervention, MarkOutputs, PinPrecision
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.graph.load import content_sha256
from trtdebug.oracle.tolerance import Limits, OutputLimits
from trtdebug.repro.manifest import Manifest, read_manifest
from trtdebug.repro.scripts import build_repro, run_repro
from trtdebug.repro.spec import Verification, seen
from trtdebug.repro.tensors import load_tensor
from trtdebug.repro.verify import verify
from trtdebug.session.job import ChoiceRef, Job, TensorRef
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.unbuilt.piece_builds import build_errors

_SAMPLE = "recorded"
"""The sample in whose name a folder's tensors are stored."""


def is_standalone(candidate: str, unbuilt: bool = False) -> bool:
    """Whether repro.py can run this candidate by itself. `unbuilt`: the repro of what is not built."""
    return candidate in (build_repro.BACKENDS if unbuilt else run_repro.BACKENDS)


def verify_exported(
    ctx: Context, folder: Path, sample: str, timeout: float = 120, number: int = 0
) -> Verification:
    """Runs a repro that was just exported in a fresh process: repro.py, or where that cannot, one of the session's.

    Args:
        sample: what was recorded is a part of this one.
        timeout: seconds that repro.py may take.
        number: each is another build.
    """
    manifest = read_manifest(folder)
    if is_standalone(manifest.candidate, bool(manifest.build_errors)):
        return verify(folder, timeout)
    job = replace(_job(folder, manifest, sample), repeat=number)
    version = ctx.maker(manifest.candidate)
    job = replace(job, version=version, inputs_sha256=ctx.case.inputs_sha256, max_memory=ctx.case.max_memory)
    return _judged(manifest, ctx.session.run(job))


def verify_in(session: Session, folder: Path, manifest: Manifest) -> Verification:
    """Runs any repro in a fresh process of a session that has nothing of it.

    Raises:
        UserError: a recorded tensor cannot be read.
    """
    for tensor in (*manifest.inputs, *manifest.expected, *(c.values for c in manifest.choices)):
        value = load_tensor(tensor.name, folder / tensor.file)
        session.tensors.put(_SAMPLE, TensorRef(tensor.name), value)
    return _judged(manifest, session.run(_job(folder, manifest, _SAMPLE)))


def _job(folder: Path, manifest: Manifest, sample: str) -> Job:
    model = folder.resolve() / manifest.model
    unbuilt = bool(manifest.build_errors)
    return Job(
        purpose="the repro, in a fresh process",
        backend=manifest.candidate,
        model=str(model),
        model_sha256=content_sha256(model),
        inputs_sha256="",
        samples=(sample,),
        options=_options(folder, manifest),
        limits=_limits(manifest),
        interventions=_marks(manifest) if unbuilt else _precision(manifest),
        feeds={t.name: TensorRef(t.name) for t in manifest.inputs},
        expected=None if unbuilt else {t.name: TensorRef(t.name) for t in manifest.expected},
        choices={c.output: ChoiceRef(TensorRef(c.values.name), c.axis, c.keepdims) for c in manifest.choices},
        build_only=unbuilt,
        fresh_process=True,
    )


def _options(folder: Path, manifest: Manifest) -> BuildOptions:
    """As recorded; files that implement custom operators lie in the folder."""
    sources = (
        s if s.kind == "extension" else replace(s, name=str(folder.resolve() / s.name))
        for s in manifest.options.operators
    )
    return replace(manifest.options, operators=tuple(sources))


def _limits(manifest: Manifest) -> Limits:
    """Of all outputs, and of what indices were chosen from."""
    of_values = {c.values.name: OutputLimits(c.limit, c.atol, c.rtol) for c in manifest.choices}
    return Limits(manifest.limit, manifest.atol, manifest.rtol, outputs=of_values)


def _marks(manifest: Manifest) -> tuple[Intervention, ...]:
    return (MarkOutputs(manifest.options.marks),) if manifest.options.marks else ()


def _precision(manifest: Manifest) -> tuple[Intervention, ...]:
    if manifest.precision not in ("fp16", "bf16"):
        return ()
    pins = (PinPrecision(manifest.pinned),) if manifest.pinned else ()
    return (ForcePrecision(manifest.precision), *pins)


def _judged(manifest: Manifest, outcome: Outcome) -> Verification:
    return _of_build(manifest, outcome) if manifest.build_errors else _of_run(manifest, outcome)


def _of_run(manifest: Manifest, outcome: Outcome) -> Verification:
    if outcome.status == "untestable":
        kind = outcome.signature.kind if outcome.signature else None
        return Verification(None, kind, f"could not be tested: {outcome.reason}")
    return seen(manifest.signature, outcome.signature if outcome.status == "fail" else None)


def _of_build(manifest: Manifest, outcome: Outcome) -> Verification:
    if outcome.status == "pass":
        return seen(manifest.signature, None)
    if _keys(build_errors(outcome), manifest) & _keys(manifest.build_errors, manifest):
        return seen(manifest.signature, Signature("build-failure"))
    return Verification(None, None, f"could not be tested: it fails otherwise: {outcome.reason}")


def _keys(errors: Iterable[BuildError], manifest: Manifest) -> frozenset[str]:
    """Of whichever operator: the one that is recorded is that of the node found, not the one that was told."""
    return failure_keys((replace(error, operator="") for error in errors), manifest.names)
