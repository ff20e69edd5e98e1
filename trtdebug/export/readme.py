"""README.txt of a fix folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trtdebug.export.commands import CONSTRAINTS_SCRIPT, polygraphy_text, verify_command
from trtdebug.export.manifest import FixManifest
from trtdebug.scripts.words import printable

_MOST_NODES = 40


def readme(manifest: FixManifest) -> str:
    """What the folder is, and the command lines. Names of any kind stand on one line each."""
    return "\n".join(_lines(manifest)) + "\n"


def _lines(manifest: FixManifest) -> Iterator[str]:
    case = manifest.case
    passed, tried = manifest.builds_passed
    yield f"A fix for {printable(case.model)}"
    yield ""
    held = f": {passed} of {tried} fresh builds passed with it" if tried else ""
    yield f"{printable(manifest.summary)}{held}."
    found_with = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    yield f"Found with {printable(found_with)}" + (
        f" on {printable(manifest.device)}." if manifest.device else "."
    )
    yield f"Model sha256 {case.sha256}, built in {case.options.precision.upper()}."
    if case.candidate != "tensorrt":
        yield f"It was verified with {printable(case.candidate)}, not with TensorRT: build it there and verify again."
    yield ""
    yield "Build"
    yield ""
    yield "    python build.py -o model.engine          needs TensorRT (8.6 to 11) only; see --help"
    yield f"    {printable(polygraphy_text(manifest))}"
    yield "    trtexec                                  see trtexec.txt"
    if manifest.typed_reason:
        yield f"    TensorRT 11: none of these, {printable(manifest.typed_reason)}"
    yield ""
    yield "Does it still hold? (exit code 0 yes, 1 no, 2 the folder or the model does not fit, 4 not testable here)"
    yield ""
    yield f"    {verify_command('.')}"
    yield f"    {verify_command('.')} --model NEW.onnx --inputs more.npz --builds 5"
    yield ""
    yield "Files"
    yield ""
    yield from (f"    {name:27} {told}" for name, told in _files(manifest))
    missing = len(case.samples) - len(manifest.samples)
    if missing:
        yield ""
        yield f"{missing} of {len(case.samples)} samples are not here: they are too large. Give them by --inputs."
    if manifest.pins:
        yield from _listed("Pinned", manifest.pins)
    if manifest.unlowered:
        yield from _listed(
            f"Not pinned, and in higher precision in {manifest.typed} all the same", manifest.unlowered
        )


def _listed(title: str, nodes: Mapping[str, str]) -> Iterator[str]:
    yield from ("", title, "")
    told = list(nodes.items())
    yield from (f"    {printable(node)}: {printable(what)}" for node, what in told[:_MOST_NODES])
    if len(told) > _MOST_NODES:
        yield f"    ... and {len(told) - _MOST_NODES} more, see fix.json"


def _files(manifest: FixManifest) -> Iterator[tuple[str, str]]:
    yield "fix.json", "what the fix is: interventions, build options, tolerance, versions, samples"
    yield "build.py", "builds the engine; reads fix.json"
    yield "trtexec.txt", "command lines for trtexec, or why there are none"
    yield CONSTRAINTS_SCRIPT, "for polygraphy's --trt-network-postprocess-script"
    if manifest.samples:
        yield "tensors/", f"inputs and expected outputs of {len(manifest.samples)} sample(s), .npy"
    if manifest.model:
        made = ": rewritten" if manifest.rewritten else ", its tensors kept apart" if manifest.apart else ""
        yield manifest.model, f"the model to build{made}"
    if manifest.typed:
        yield manifest.typed, "precisions written in, for strongly typed networks (TensorRT 11)"
    if manifest.tactics:
        yield manifest.tactics, "a tactic replay, for polygraphy's --load-tactics"
    if manifest.timing_cache:
        yield manifest.timing_cache, "an edited timing cache: for the same TensorRT and GPU only"
    if manifest.calibration:
        yield manifest.calibration, "INT8 scales"
