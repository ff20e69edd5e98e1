"""Command lines for trtexec and Polygraphy that build with a fix."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.backends.tensorrt.knobs import KNOBS
from trtdebug.backends.tensorrt.layer_flags import PinnedLayer, is_sayable, layer_flags
from trtdebug.backends.tensorrt.polygraphy_flags import has_sources_flag, polygraphy_flags
from trtdebug.backends.tensorrt.source_flags import trtexec_sources
from trtdebug.backends.tensorrt.trtexec_flags import TYPED, WEAK, trtexec_flags
from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import BanTactic, BreakFusion, ForcePrecision, Knob, MarkOutputs, UseTactic
from trtdebug.export.manifest import FixManifest
from trtdebug.scripts.words import printable, shell_line

CONSTRAINTS_SCRIPT = "polygraphy_constraints.py"
_TRTEXEC_KNOBS = frozenset(("tf32", "optimization_level", "workspace", "tactic_sources", "build_route"))
_POLYGRAPHY_KNOBS = frozenset(("tf32", "optimization_level", "workspace", "tactic_sources"))
"""Knobs that the command lines have a flag for; Polygraphy's list of preview features is a whole one."""


def trtexec_text(manifest: FixManifest) -> str:
    """Content of trtexec.txt: the command for TensorRT 8.6 to 10 and that for 11, or what keeps them from being."""
    lines = [
        "# trtexec with this fix. Run it in this folder; it compares nothing: see README.txt for `verify`.",
        "",
    ]
    lines += ["# TensorRT 8.6 to 10:", *_weak(manifest), ""]
    lines += ["# TensorRT 11 (and 9, 10 with --stronglyTyped), where precisions stand in the model:"]
    return "\n".join([*lines, *_strong(manifest)]) + "\n"


def _weak(manifest: FixManifest) -> list[str]:
    beyond = _beyond_trtexec(manifest)
    if beyond:
        return [f"# none: {beyond}"]
    known = bool(manifest.layers)
    if manifest.nameless:
        return [f"# none: {manifest.nameless}. See below."]
    layers = manifest.layers or [PinnedLayer(node, dtype) for node, dtype in manifest.pins.items()]
    flags, unsayable = layer_flags(layers)
    if unsayable:
        return [
            "# none: trtexec splits names at commas, and gives apostrophes and stars a meaning of their own; it has no",
            f"# way to write {printable(unsayable[0])}. Use build.py.",
        ]
    told = []
    if flags and not known:
        told = [
            "# These are the names of the ONNX nodes: a node of which TensorRT makes several layers has more of them.",
            "# `python build.py --trtexec` prints the flags with the names of the TensorRT that is installed.",
        ]
    precision = manifest.case.options.precision
    words = [*_common(manifest, typed=False), *([] if precision == "fp32" else [f"--{precision}"]), *flags]
    return [*told, shell_line("trtexec", *words)]


def _strong(manifest: FixManifest) -> list[str]:
    if manifest.typed_reason:
        return [f"# none: {printable(manifest.typed_reason)}"]
    beyond = _beyond_trtexec(manifest, typed=True)
    if beyond:
        return [f"# none: {beyond}"]
    own = _knobs(manifest).get("tactic_sources")
    before = trtexec_sources(own, WEAK) if own else ""
    told = (
        [f"# On 9 and 10 with --tacticSources={before}."]
        if own and before != trtexec_sources(own, TYPED)
        else []
    )
    return [*told, shell_line("trtexec", *_common(manifest, typed=True))]


def _beyond_trtexec(manifest: FixManifest, typed: bool = False) -> str:
    """What of the fix trtexec has no flag for; empty where it has all."""
    beyond = {BanTactic: "tactics", UseTactic: "tactics", ForcePrecision: "forced precisions"}
    if not (typed and manifest.typed):  # there the outputs stand in the model
        beyond |= {MarkOutputs: "extra outputs"} | ({} if manifest.apart else {BreakFusion: "extra outputs"})
    kinds = [beyond[type(i)] for i in manifest.interventions if type(i) in beyond]
    if kinds:
        return f"trtexec has no flag for {kinds[0]}. Use build.py."
    unsaid = sorted(_knobs(manifest).keys() - _TRTEXEC_KNOBS)
    if unsaid:
        return f"the knob {unsaid[0]} of the fix is not written as a flag. Use build.py."
    names = [n for n in manifest.dynamic if not is_sayable(n)]
    return f"trtexec has no way to write the input name {printable(names[0])}. Use build.py." if names else ""


def _common(manifest: FixManifest, typed: bool) -> list[str]:
    knobs, own = _knobs(manifest), manifest.typed if typed and manifest.typed else manifest.model
    words = [f"--onnx={own or manifest.case.candidate_model or manifest.case.model}"]
    words += ["--saveEngine=model.engine", *trtexec_flags(_options(manifest), TYPED if typed else WEAK)]
    if "build_route" in knobs:
        words.append(f"--setBuildRoute={knobs['build_route']}")
    if manifest.calibration and not typed:
        words.append(f"--calib={manifest.calibration}")
    return words


def _options(manifest: FixManifest) -> BuildOptions:
    """The build options as the fix leaves them, and the shapes that the folder's model leaves open."""
    options, knobs = manifest.case.options, _knobs(manifest)
    level = knobs.get("optimization_level", options.optimization_level)
    workspace = knobs.get("workspace", options.workspace)
    return replace(
        options,
        tf32=knobs.get("tf32", "on" if options.tf32 else "off") == "on",
        optimization_level=None if level is None else int(level),
        workspace=None if workspace is None else int(workspace),
        tactic_sources=knobs.get("tactic_sources"),
        profiles={name: manifest.profiles[name] for name in manifest.dynamic},
    )


def _knobs(manifest: FixManifest) -> dict[str, str]:
    """Value by knob of the fix; of one that is turned several times all values hold, as in the build.

    The user's own tactic sources come first.
    """
    sources = manifest.case.options.tactic_sources
    found = {} if sources is None else {"tactic_sources": sources}
    for knob in (i for i in manifest.interventions if isinstance(i, Knob)):
        before, joined = found.get(knob.name), KNOBS[knob.name].joined if knob.name in KNOBS else ""
        found[knob.name] = f"{before}{joined}{knob.value}" if before and joined else knob.value
    return found


def polygraphy_text(manifest: FixManifest) -> str:
    """The command that builds with the constraints script (TensorRT 8.6 to 10), or why there is none."""
    beyond = _beyond_polygraphy(manifest)
    return f"polygraphy: none, {beyond}" if beyond else _polygraphy_command(manifest)


def _beyond_polygraphy(manifest: FixManifest) -> str:
    """What of the fix its command line does not say; empty where it says all."""
    kinds = {type(i) for i in manifest.interventions}
    if kinds & {BanTactic, UseTactic} and not manifest.tactics:
        return "the fix is about tactics, and there is no replay of them here"
    if ForcePrecision in kinds:
        return "it has no flag for forced precisions"
    if not has_sources_flag(_options(manifest)):
        return "the tactic sources are not written as a flag: it lists those to use, and the default differs by version"
    unsaid = sorted(_knobs(manifest).keys() - _POLYGRAPHY_KNOBS)
    return f"the knob {unsaid[0]} of the fix is not written as a flag" if unsaid else ""


def _polygraphy_command(manifest: FixManifest) -> str:
    model = manifest.model or manifest.case.candidate_model or manifest.case.model
    words = [model, "-o", "model.engine", "--trt-npps", CONSTRAINTS_SCRIPT]
    if manifest.pins:
        words += ["--precision-constraints=obey"]
    if manifest.case.options.precision != "fp32":
        words.append(f"--{manifest.case.options.precision}")
    words += polygraphy_flags(_options(manifest))
    if manifest.calibration:
        words.append(f"--calibration-cache={manifest.calibration}")
    if manifest.tactics:
        words.append(f"--load-tactics={manifest.tactics}")
    return shell_line("polygraphy", "convert", *words)


def verify_command(folder: str) -> str:
    """What tells whether the fix still holds."""
    return shell_line("trtdebug", "verify", folder)
