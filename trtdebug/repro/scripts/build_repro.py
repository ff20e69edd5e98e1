"""Shows that the model in this folder is not built. Needs TensorRT and cuda-python, TensorRT-RTX, or onnxruntime.

    python repro.py                       # the backend with which the failure was found
    python repro.py --backend tensorrt    # or tensorrt-rtx, onnxruntime
    python repro.py --log FILE            # builds nothing: judges what trtexec or Polygraphy said
    python repro.py --json                # one line of JSON

Builds the model with the options in repro.json, the tensors that it names there marked as outputs; nothing is run. Exit
code: 1 it fails as it did, 0 it is built, 125 it can't be tested here, or fails otherwise (the reason is printed).
"""

# trtdebug puts this file together of small ones, so that it needs no trtdebug; those of this script come last.

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trtdebug.core.build_error import BuildError, failure_keys
from trtdebug.core.errors import UserError
from trtdebug.repro.scripts.builder_options import set_options
from trtdebug.repro.scripts.cuda import cuda_runtime
from trtdebug.repro.scripts.marking import mark
from trtdebug.repro.scripts.result import GONE, SHOWS, UNTESTABLE, Untestable
from trtdebug.scripts.plugin_libraries import load_plugins
from trtdebug.scripts.telemetry import keep_to_ourselves
from trtdebug.scripts.words import one_line, printable

BUILD_FAILURE = "build-failure"


@dataclass(frozen=True)
class BuildResult:
    """What the build says. `signature` is "build-failure", None where there is none."""

    exit: int
    backend: str
    signature: str | None = None
    reason: str = ""
    version: str = ""
    errors: tuple[BuildError, ...] = ()


# --- backends -----------------------------------------------------------------------------------------------

Built = tuple[str, tuple[BuildError, ...]]
"""The backend's version, and its errors; none where it builds the model."""


def build_onnxruntime(model: Path, manifest: Mapping[str, Any]) -> Built:
    """Loads the model on onnxruntime's CPU provider."""
    keep_to_ourselves()
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise Untestable(f"onnxruntime is not installed ({error}): pip install onnxruntime") from None
    if manifest["options"].get("marks"):
        raise Untestable("onnxruntime builds with any tensor as an output")
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        ort.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common base
        return ort.__version__, (
            BuildError("build", f"onnxruntime cannot load the model: {one_line(error)}"),
        )
    return ort.__version__, ()


def build_tensorrt(model: Path, manifest: Mapping[str, Any]) -> Built:
    """Builds with TensorRT 8.6 to 11."""
    try:
        import tensorrt as trt
    except ImportError as error:
        raise Untestable(f"tensorrt is not installed ({error}): pip install tensorrt cuda-python") from None
    cuda_runtime()  # TensorRT 8.6 segfaults where there is none
    return _build(trt, model, manifest)


def build_rtx(model: Path, manifest: Mapping[str, Any]) -> Built:
    """Builds with TensorRT-RTX, which needs no GPU for it."""
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        try:
            return _build(__import__(name), model, manifest)
        except ImportError:
            continue
    raise Untestable("TensorRT-RTX is not installed: pip install tensorrt_rtx")


def _build(trt: Any, model: Path, manifest: Mapping[str, Any]) -> Built:
    options, precision, said = manifest["options"], manifest["precision"], list[str]()

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity.name in ("ERROR", "INTERNAL_ERROR"):
                said.append(message)

    logger = Logger()
    load_plugins(trt, logger, options.get("plugins", []))
    builder = trt.Builder(logger)
    explicit = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    network = builder.create_network(0 if explicit is None else 1 << int(explicit))
    parser = trt.OnnxParser(network, logger)
    if manifest.get("typed") and not hasattr(trt.BuilderFlag, precision.upper()):
        model = model.with_name(manifest["typed"])
    if not parser.parse_from_file(str(model)):
        found = [parser.get_error(i) for i in range(parser.num_errors)]
        unsaid = BuildError("parse", one_line(said[0] if said else "it does not say why"))
        return trt.__version__, tuple(_parser_error(e, manifest) for e in found) or (unsaid,)
    mark(trt, network, options.get("marks", []))
    config = builder.create_builder_config()
    set_options(trt, config, options)
    quantised = {"QuantizeLinear", "DequantizeLinear"} & set(manifest["operators"])
    for flag in {precision.upper(), "INT8" if quantised else "FP32"} - {"FP32"}:
        if hasattr(trt.BuilderFlag, flag):  # TensorRT 11 and TensorRT-RTX read the precision from the model
            config.set_flag(getattr(trt.BuilderFlag, flag))
    _set_profile(builder, network, config, options.get("profiles", {}))
    said.clear()
    if builder.build_serialized_network(network, config) is not None:
        return trt.__version__, ()
    return trt.__version__, (_builder_error(said[0] if said else "it does not say why"),)


def _set_profile(builder: Any, network: Any, config: Any, profiles: Mapping[str, Any]) -> None:
    profile, used = builder.create_optimization_profile(), False
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        if -1 in tuple(tensor.shape) and tensor.name in profiles:
            shapes = profiles[tensor.name]
            profile.set_shape(tensor.name, shapes["min"], shapes["opt"], shapes["max"])
            used = True
    if used:
        config.add_optimization_profile(profile)


def _parser_error(error: Any, manifest: Mapping[str, Any]) -> BuildError:
    """The operator is only told from TensorRT 9 on; else it is that of the node, by its number."""
    operator = str(error.node_operator()) if hasattr(error, "node_operator") else ""
    operators, index = manifest["operators"], int(error.node())
    if not operator and 0 <= index < len(operators):
        operator = operators[index]
    return BuildError(
        "parse", one_line(str(error.desc())), str(error.code()).rpartition(".")[2], operator=operator
    )


def _builder_error(message: str) -> BuildError:
    numbered = re.search(r"Error Code (\d+): ([A-Z][\w ]*?) \(", one_line(message))
    return BuildError("build", one_line(message), f"{numbered[1]}: {numbered[2]}" if numbered else "")


# --- what others said ---------------------------------------------------------------------------------------

_NUMBERED = re.compile(r"Error Code (?:\d+|\*): .*")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def logged_errors(log: Path) -> tuple[BuildError, ...]:
    """The builder's errors in what trtexec or Polygraphy said. Raises `Untestable` where there are none."""
    text = _COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace"))
    errors = tuple(_builder_error(found[0]) for found in _NUMBERED.finditer(text))
    if not errors:
        last = text.strip().rpartition("\n")[2]
        raise Untestable(f"{log.name} holds no error of a builder" + (f" ({one_line(last)})" if last else ""))
    return errors


def _keys(errors: Iterable[BuildError], names: frozenset[str]) -> frozenset[str]:
    """What errors have in common wherever they were said: what stands before their number is the speaker's."""

    def bare(error: BuildError) -> BuildError:
        numbered = _NUMBERED.search(error.message)
        return replace(error, message=numbered[0]) if numbered else error

    return failure_keys(map(bare, errors), names)


# --- the command --------------------------------------------------------------------------------------------

BACKENDS: dict[str, Callable[[Path, Mapping[str, Any]], Built]] = {
    "onnxruntime": build_onnxruntime,
    "tensorrt": build_tensorrt,
    "tensorrt-rtx": build_rtx,
}


def reproduce(folder: Path, backend: str | None = None, log: Path | None = None) -> BuildResult:
    """Builds the model in `folder`.

    Args:
        backend: None = the one with which the failure was found.
        log: what trtexec or Polygraphy said, to be judged; then nothing is built.
    """
    chosen = log.name if log is not None else backend or "?"
    try:
        manifest = json.loads((folder / "repro.json").read_text(encoding="utf-8"))
        if log is not None:
            version, errors = "", logged_errors(log)
        else:
            chosen = backend or manifest["candidate"]
            if chosen not in BACKENDS:
                raise Untestable(
                    f"{chosen} is a backend of a trtdebug extension, so it takes `trtdebug repro check {folder}`; "
                    f"this script has {', '.join(BACKENDS)} (--backend)"
                )
            version, errors = BACKENDS[chosen](folder / manifest["model"], manifest)
    except (Untestable, UserError) as why:
        return BuildResult(UNTESTABLE, chosen, reason=str(why))
    except Exception as error:  # noqa: BLE001 - Python would exit 1, and that means: it shows
        return BuildResult(UNTESTABLE, chosen, reason=f"{type(error).__name__}: {one_line(error)}")
    if not errors:
        return BuildResult(GONE, chosen, version=version)
    names = frozenset(manifest["names"])
    wanted = _keys((BuildError(**error) for error in manifest["build_errors"]), names)
    said = "; ".join(filter(None, (f"{e.operator} {e.code}".strip() for e in errors[:1])))
    reason = f"{said}: {errors[0].message}" if said else errors[0].message
    if wanted & _keys(errors, names):
        return BuildResult(SHOWS, chosen, BUILD_FAILURE, reason, version, errors)
    return BuildResult(
        UNTESTABLE, chosen, reason=f"it fails otherwise: {reason}", version=version, errors=errors
    )


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", choices=sorted(BACKENDS), help="default: where the failure was found")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="judge what trtexec or Polygraphy said, and build nothing"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    result = reproduce(Path(__file__).resolve().parent, arguments.backend, arguments.log)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may hold what the terminal can't show
    if arguments.json:
        print(json.dumps(asdict(result)))
        return result.exit
    told = {SHOWS: "it is not built", GONE: "it is built", UNTESTABLE: "can't be tested"}[result.exit]
    text = (
        f"{result.backend} {result.version}".rstrip()
        + f"\n{told}{': ' if result.reason else ''}{result.reason}"
    )
    print("\n".join(map(printable, text.split("\n"))))
    return result.exit


if __name__ == "__main__":
    sys.exit(main())
