"""Shows the failure that this folder holds. Needs numpy and onnxruntime, or numpy, TensorRT and cuda-python.

    python repro.py                       # the backend with which the failure was found
    python repro.py --backend tensorrt    # or emulator, onnxruntime
    python repro.py --json                # one line of JSON

Runs the model on the recorded inputs and compares with the recorded reference outputs. Exit code: 1 the
failure shows, 0 it does not, 125 it can't be tested here (the reason is printed).
"""

# trtdebug copies this file into every repro folder as repro.py: so it imports no trtdebug, and prints.

from __future__ import annotations

import argparse
import ctypes
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]

SHOWS, GONE, UNTESTABLE = 1, 0, 125
NEGLIGIBLE = 1e-6
"""Errors below this fraction of the tensor's largest magnitude are no failure."""


class Untestable(Exception):
    """It can't be tested here; the message says why."""


class BuildFailed(Exception):
    """The backend did not build the model. A failure only where that is the failure looked for."""


@dataclass(frozen=True)
class Row:
    """One output. `kind` is None where it is right; `rms_rel` is ||c - r|| / ||r|| over finite elements."""

    name: str
    kind: str | None
    max_abs: float = 0.0
    rms_rel: float = 0.0
    nonfinite: int = 0
    elements: int = 0


@dataclass
class Result:
    """What the run says. `signature` is the kind of failure, None where there is none."""

    exit: int
    backend: str
    signature: str | None = None
    reason: str = ""
    version: str = ""
    outputs: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """What a backend gives back: its version, the outputs by name, and remarks."""

    version: str
    outputs: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()


# --- comparing ----------------------------------------------------------------------------------------------


def compare(
    name: str,
    reference: Tensor,
    candidate: Tensor | None,
    limit: float,
    atol: float | None = None,
    rtol: float | None = None,
) -> Row:
    """Missing, shape, pattern of NaN and Inf, size of the error: the first that is wrong is the kind.

    The size is the relative RMS error; with `atol` or `rtol` it is |c - r| <= atol + rtol * |r| per element.
    """
    if candidate is None:
        return Row(name, "missing-output", math.inf, math.inf)
    if candidate.shape != reference.shape:
        return Row(name, "shape", math.inf, math.inf)
    if reference.size == 0:
        return Row(name, None)
    if not (_is_float(reference) and _is_float(candidate)):
        wrong = int(np.count_nonzero(reference != candidate))
        kind = "mismatch" if wrong or _is_float(reference) != _is_float(candidate) else None
        return Row(name, kind, float(wrong > 0), wrong / reference.size, 0, reference.size)
    r, c = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
    both = np.isfinite(r) & np.isfinite(c)
    alike = both | (np.isnan(r) & np.isnan(c)) | (np.isinf(r) & (r == c))
    odd = int(np.count_nonzero(~alike))
    r, c = r[both], c[both]
    gap = np.abs(c - r)
    max_abs = float(gap.max(initial=0.0))
    scale = float(np.abs(r).max(initial=0.0))
    norm, error = float(np.linalg.norm(r)), float(np.linalg.norm(c - r))
    rms = error / norm if norm else (math.inf if error else 0.0)
    if atol is None and rtol is None:
        wrong_numbers = rms > limit and max_abs > NEGLIGIBLE * (scale or 1.0)
    else:
        wrong_numbers = bool(np.any(gap > (atol or 0.0) + (rtol or 0.0) * np.abs(r)))
    kind = "nonfinite" if odd else "mismatch" if wrong_numbers else None
    return Row(name, kind, max_abs, rms, odd, int(reference.size))


def judge(rows: list[Row]) -> str | None:
    """Kind of the failure of the whole: the gravest of its outputs."""
    kinds = {row.kind for row in rows}
    return next((k for k in ("missing-output", "shape", "nonfinite", "mismatch") if k in kinds), None)


def _is_float(tensor: Tensor) -> bool:
    return np.issubdtype(tensor.dtype, np.floating)


# --- onnxruntime, and the emulator on it --------------------------------------------------------------------


def run_onnxruntime(folder: Path, model: str, feeds: Mapping[str, Tensor]) -> Run:
    """Runs a model file on onnxruntime's CPU provider, graph optimisation off."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise Untestable(f"onnxruntime is not installed ({error}): pip install onnxruntime") from None
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # errors only
    try:
        session = ort.InferenceSession(
            str(_existing(folder, model)), options, providers=["CPUExecutionProvider"]
        )
    except Untestable:
        raise
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common base
        raise BuildFailed(f"onnxruntime does not load {model}: {_line(error)}") from None
    names = [output.name for output in session.get_outputs()]
    try:
        values = session.run(names, dict(feeds))
    except Exception as error:  # noqa: BLE001 - as above
        raise Untestable(f"onnxruntime does not run {model}: {_line(error)}") from None
    return Run(f"onnxruntime {ort.__version__}", dict(zip(names, values, strict=True)))


def run_reference_model(folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]) -> Run:
    """The model as it is."""
    return _run_model(folder, manifest, manifest["model"], feeds)


def run_emulated(folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]) -> Run:
    """The model with every low-precision node's inputs, weights and outputs rounded (Cast pairs)."""
    if not manifest.get("emulated"):
        raise Untestable(f"there is nothing to emulate for precision {manifest['precision']}")
    return _run_model(folder, manifest, manifest["emulated"], feeds)


def _run_model(folder: Path, manifest: Mapping[str, Any], model: str, feeds: Mapping[str, Tensor]) -> Run:
    """Runs a model file on onnxruntime; one with custom operators by trtdebug, which has their implementations run."""
    operators = manifest["options"].get("operators", [])
    if not operators:
        return run_onnxruntime(folder, model, feeds)
    try:
        from trtdebug.backends.run_file import RefusedError, run_file
    except ImportError as error:
        raise Untestable(f"custom operators need trtdebug ({error}): pip install trtdebug") from None
    try:
        version, outputs = run_file(_existing(folder, model), folder, operators, feeds)
    except RefusedError as error:
        raise Untestable(f"{model} does not run: {_line(error)}") from None
    return Run(version, outputs)


# --- TensorRT 8.6 to 11 -------------------------------------------------------------------------------------


def run_tensorrt(folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]) -> Run:
    """Builds with the low precision forced on every float layer that is not pinned, and runs once."""
    cudart = _cudart()
    if not _cuda(cudart.cudaGetDeviceCount(), "find a GPU"):  # TensorRT 8.6 segfaults where there is none
        raise Untestable("there is no GPU")
    try:
        import tensorrt as trt
    except ImportError as error:
        raise Untestable(f"tensorrt is not installed ({error}): pip install tensorrt cuda-python") from None
    logger = _logger(trt)
    trt.init_libnvinfer_plugins(logger, "")
    for library in manifest["options"].get("plugins", []):
        _load_plugins(trt, library)
    plan, notes = _build(trt, logger, folder, manifest, feeds)
    outputs = _infer(trt, logger, cudart, plan, feeds)
    return Run(f"tensorrt {trt.__version__}", outputs, tuple(notes))


def _logger(trt: Any) -> Any:
    """Prints errors to stderr: TensorRT's own logger has stdout, where the result goes."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity.name in ("ERROR", "INTERNAL_ERROR"):
                print(f"[TensorRT] {message}", file=sys.stderr)

    return Logger()


def _load_plugins(trt: Any, library: str) -> None:
    """Most libraries register their creators when they are loaded; the others offer them to the registry."""
    registry = trt.get_plugin_registry()

    def count() -> int:
        found = getattr(registry, "all_creators", None)
        return len(registry.plugin_creator_list if found is None else found)

    before = count()
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise Untestable(f"the plugin library {library} cannot be loaded: {error}") from None
    if count() == before:
        registry.load_library(library)


def _build(
    trt: Any, logger: Any, folder: Path, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]
) -> tuple[Any, list[str]]:
    """The serialised engine. First obeys the forced precision, then prefers it where that can't be built."""
    low = manifest["precision"] in ("fp16", "bf16")
    # TensorRT 11 has no precision flags; there the precision stands in the model, as Casts.
    weak = hasattr(trt.BuilderFlag, "FP16")
    if not low or weak:
        model = manifest["model"]
    elif manifest.get("typed"):
        model = manifest["typed"]
    else:
        raise Untestable("this TensorRT needs a strongly typed model, and the folder has none")
    notes: list[str] = []
    for constraint in ("OBEY", "PREFER"):
        builder = trt.Builder(logger)
        network = builder.create_network(_flag(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"))
        parser = trt.OnnxParser(network, logger)
        if not parser.parse_from_file(str(_existing(folder, model))):
            errors = "; ".join(str(parser.get_error(i).desc()) for i in range(parser.num_errors))
            raise BuildFailed(f"TensorRT's parser refuses {model}: {errors}")
        config = _config(trt, builder, network, manifest, feeds)
        if low and weak:
            _set_flag(trt, config, manifest["precision"].upper())
            _set_flag(trt, config, f"{constraint}_PRECISION_CONSTRAINTS")
            forced = _force(trt, network, manifest["precision"], frozenset(manifest["pinned"]))
            notes.append(f"{constraint.lower()}: {forced} of {network.num_layers} layers forced")
        plan = builder.build_serialized_network(network, config)
        if plan is not None:
            return plan, notes
        if not (low and weak):
            break
        notes.append(f"{constraint.lower()}: the build failed")
    raise BuildFailed("TensorRT built no engine" + (f" ({'; '.join(notes)})" if notes else ""))


def _config(
    trt: Any, builder: Any, network: Any, manifest: Mapping[str, Any], feeds: Mapping[str, Tensor]
) -> Any:
    options = manifest["options"]
    config = builder.create_builder_config()
    if not options.get("tf32", True):
        config.clear_flag(trt.BuilderFlag.TF32)
    if manifest["precision"] == "int8" and hasattr(trt.BuilderFlag, "INT8"):
        config.set_flag(trt.BuilderFlag.INT8)
    if options.get("optimization_level") is not None:
        config.builder_optimization_level = options["optimization_level"]
    if options.get("workspace") is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options["workspace"])
    if options.get("tactic_sources") is not None:
        _set_tactic_sources(trt, config, options["tactic_sources"])
    profile, dynamic = builder.create_optimization_profile(), False
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        if -1 in tuple(tensor.shape):
            shape = tuple(feeds[tensor.name].shape)
            profile.set_shape(tensor.name, shape, shape, shape)
            dynamic = True
    if dynamic:
        config.add_optimization_profile(profile)
    return config


def _set_tactic_sources(trt: Any, config: Any, value: str) -> None:
    """Plain names are all there are; "-NAME" drops one of the default, or nothing where this version lacks it."""
    words = value.split(",")
    mask = config.get_tactic_sources() if all(word.startswith("-") for word in words) else 0
    for word in words:
        source = getattr(trt.TacticSource, word.removeprefix("-"), None)
        if source is not None:
            bit = 1 << int(source)
            mask = mask & ~bit if word.startswith("-") else mask | bit
        elif not word.startswith("-"):
            raise Untestable(f"TensorRT {trt.__version__} has no tactic source {word}")
    if not config.set_tactic_sources(mask):
        raise Untestable(f"TensorRT {trt.__version__} does not take the tactic sources {value}")


def _force(trt: Any, network: Any, precision: str, pinned: frozenset[str]) -> int:
    """Sets precision and output types on every layer that takes them. Returns how many got the low one."""
    low = trt.float16 if precision == "fp16" else trt.bfloat16
    floats = {trt.float32, low}
    forced = 0
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        outputs = [layer.get_output(k) for k in range(layer.num_outputs)]
        inputs = [t for k in range(layer.num_inputs) if (t := layer.get_input(k)) is not None]
        if layer.type in (trt.LayerType.CONSTANT, trt.LayerType.SHAPE) or not outputs:
            continue
        if any(t.is_shape_tensor for t in (*inputs, *outputs)) or any(t.dtype not in floats for t in outputs):
            continue
        dtype = trt.float32 if _node(layer) in pinned else low
        layer.precision = dtype
        for k in range(layer.num_outputs):
            layer.set_output_type(k, dtype)
        forced += dtype == low
    return forced


def _node(layer: Any) -> str:
    """ONNX node that a layer comes from: TensorRT notes it as "[ONNX Layer: name]"."""
    metadata = str(getattr(layer, "metadata", "") or "")
    start, end = "[ONNX Layer: ", "]"
    if metadata.startswith(start) and metadata.endswith(end):
        return metadata[len(start) : -len(end)]
    return str(layer.name)


def _infer(trt: Any, logger: Any, cudart: Any, plan: Any, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Runs the engine once."""
    engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
    context = engine.create_execution_context() if engine is not None else None
    if context is None:
        raise Untestable("the engine was built, but could not be loaded (out of GPU memory?)")
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]
    host: dict[str, Tensor] = {}
    device: dict[str, int] = {}
    try:
        for name in inputs:
            # 8.6 has no INT64: its engines read INT32.
            host[name] = np.ascontiguousarray(feeds[name], dtype=_dtype(engine, name))
            if not context.set_input_shape(name, host[name].shape):
                raise Untestable(f"the engine refuses shape {list(host[name].shape)} for input {name}")
        for name in names:
            if name not in host:
                shape = tuple(context.get_tensor_shape(name))
                if -1 in shape:
                    raise Untestable(f"the shape of output {name} depends on the data")
                host[name] = np.empty(shape, dtype=_dtype(engine, name))
            if engine.get_tensor_location(name) == trt.TensorLocation.HOST:
                address = host[name].ctypes.data
            else:
                address = device[name] = _cuda(
                    cudart.cudaMalloc(max(host[name].nbytes, 1)), "take GPU memory"
                )
            context.set_tensor_address(name, address)
        kind = cudart.cudaMemcpyKind
        for name in set(inputs) & set(device):
            copy = cudart.cudaMemcpy(
                device[name], host[name].ctypes.data, host[name].nbytes, kind.cudaMemcpyHostToDevice
            )
            _cuda(copy, f"copy input {name}")
        stream = _cuda(cudart.cudaStreamCreate(), "create a stream")
        if not context.execute_async_v3(stream):
            raise Untestable("the engine refuses to run")
        _cuda(cudart.cudaStreamSynchronize(stream), "wait for the engine")
        for name in set(device) - set(inputs):
            copy = cudart.cudaMemcpy(
                host[name].ctypes.data, device[name], host[name].nbytes, kind.cudaMemcpyDeviceToHost
            )
            _cuda(copy, f"copy output {name}")
    finally:
        for address in device.values():
            cudart.cudaFree(address)
    return {name: host[name] for name in names if name not in inputs}


def _dtype(engine: Any, name: str) -> np.dtype[np.generic]:
    """numpy's dtype of an engine's input or output; trt.nptype fails in 8.6 with numpy 1.24 and later."""
    kind = str(engine.get_tensor_dtype(name).name)
    dtype = {"FLOAT": "float32", "HALF": "float16"}.get(kind, kind.lower())
    if dtype not in ("float32", "float16", "int8", "uint8", "int32", "int64", "bool"):
        raise Untestable(f"numpy has no type for tensor {name} ({kind})")
    return np.dtype(dtype)


def _cudart() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError:
        try:
            from cuda import cudart as runtime
        except ImportError as error:
            raise Untestable(f"cuda-python is not installed ({error}): pip install cuda-python") from None
    return runtime


def _cuda(answer: tuple[Any, ...], what: str) -> Any:
    """The value of a CUDA call, which returns (error, value...)."""
    if int(answer[0]) != 0:
        raise Untestable(f"CUDA could not {what}: {answer[0]}")
    return answer[1] if len(answer) > 1 else None


def _flag(enum: Any, name: str) -> int:
    """Bit of a flag; 0 in versions that have it no more."""
    value = getattr(enum, name, None)
    return 0 if value is None else 1 << int(value)


def _set_flag(trt: Any, config: Any, name: str) -> None:
    flag = getattr(trt.BuilderFlag, name, None)
    if flag is None:
        raise Untestable(f"TensorRT {trt.__version__} has no builder flag {name}")
    config.set_flag(flag)


# --- the command --------------------------------------------------------------------------------------------

BACKENDS: dict[str, Callable[[Path, Mapping[str, Any], Mapping[str, Tensor]], Run]] = {
    "emulator": run_emulated,
    "onnxruntime": run_reference_model,
    "tensorrt": run_tensorrt,
}


def reproduce(folder: Path, backend: str | None = None) -> Result:
    """Runs the repro in `folder`; `backend` None = the one with which the failure was found."""
    chosen = backend or "?"
    try:
        manifest = json.loads(_existing(folder, "repro.json").read_text(encoding="utf-8"))
        chosen = backend or manifest["candidate"]
        if chosen not in BACKENDS:
            raise Untestable(f"backend {chosen!r} can't run by itself; choose one of {', '.join(BACKENDS)}")
        feeds = {entry["name"]: _load(folder, entry["file"]) for entry in manifest["inputs"]}
        expected = {entry["name"]: _load(folder, entry["file"]) for entry in manifest["expected"]}
        try:
            run = BACKENDS[chosen](folder, manifest, feeds)
        except BuildFailed as failure:
            known = (manifest["signature"] or {}).get("kind") == "build-failure"
            signature = "build-failure" if known else None
            return Result(SHOWS if known else UNTESTABLE, chosen, signature, str(failure))
    except Untestable as why:
        return Result(UNTESTABLE, chosen, reason=str(why))
    except Exception as error:  # noqa: BLE001 - Python would exit 1, and that means: it shows
        return Result(UNTESTABLE, chosen, reason=f"{type(error).__name__}: {_line(error)}")
    rule = manifest["limit"], manifest.get("atol"), manifest.get("rtol")
    rows = [compare(n, r, run.outputs.get(n), *rule) for n, r in expected.items()]
    signature = judge(rows)
    code = UNTESTABLE if not rows else SHOWS if signature else GONE
    reason = "" if rows else "there is no output to compare"
    return Result(code, chosen, signature, reason, run.version, rows, list(run.notes))


def table(result: Result) -> str:
    """The result for a reader."""
    lines = [f"{result.backend} ({result.version})" if result.version else result.backend]
    if result.outputs:
        lines.append(f"{'output':<40} {'max abs':>10} {'rel. RMS':>10} {'NaN/Inf':>10}  verdict")
    for row in result.outputs:
        name = _printable(row.name)
        name = name if len(name) <= 40 else f"{name[:18]}...{name[-19:]}"
        wrong = f"{row.nonfinite}/{row.elements}"
        lines.append(f"{name:<40} {row.max_abs:>10.3g} {row.rms_rel:>10.3g} {wrong:>10}  {row.kind or 'ok'}")
    lines += [f"note: {note}" for note in result.notes]
    verdict = {
        SHOWS: f"the failure shows: {result.signature}",
        GONE: "the failure does not show",
        UNTESTABLE: "can't be tested",
    }[result.exit]
    lines.append(f"{verdict}{': ' if result.reason else ''}{result.reason}")
    return "\n".join(lines)


def as_json(result: Result) -> str:
    """The result on one line of strict JSON; non-finite numbers as "inf", "nan"."""

    def strict(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strict(item) for key, item in value.items()}
        if isinstance(value, list):
            return [strict(item) for item in value]
        return repr(value) if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(strict(asdict(result)), allow_nan=False)


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", choices=sorted(BACKENDS), help="default: where the failure was found")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    result = reproduce(Path(__file__).resolve().parent, arguments.backend)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may hold what the terminal can't show
    print(as_json(result) if arguments.json else table(result))
    return result.exit


def _existing(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise Untestable(f"{name} is missing")
    return path


def _load(folder: Path, name: str) -> Tensor:
    try:
        loaded: Tensor = np.load(_existing(folder, name), allow_pickle=False)
    except (ValueError, EOFError):  # numpy's own words advise to unpickle it
        raise Untestable(f"{name} is no .npy file of numbers, or a damaged one") from None
    return loaded


def _printable(text: str) -> str:
    """Control characters and line breaks escaped: a name can't break the table or act on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
