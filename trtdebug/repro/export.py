"""Writes repro folders."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from trtdebug.backends.onnxruntime import tensor_dtypes
from trtdebug.core.case import OperatorSource
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.graph.extract import extract
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inlined import inlined
from trtdebug.graph.load import load_mapped, read_mapped, save_model
from trtdebug.graph.lowcast import lowerable, mixed_precision
from trtdebug.graph.rounding import round_nodes
from trtdebug.graph.types import TensorType, tensor_types
from trtdebug.repro.budget import within_budget
from trtdebug.repro.commands import POLYGRAPHY_SCRIPT, TRTEXEC_SCRIPT, polygraphy_script, trtexec_script
from trtdebug.repro.manifest import MANIFEST, Choice, Manifest, TensorFile, safe_name
from trtdebug.repro.script_files import write_scripts
from trtdebug.repro.spec import ChosenFrom, Repro, ReproSpec
from trtdebug.repro.tensors import Tensor, load_tensor, rms, store, store_for_polygraphy
from trtdebug.repro.text import readme
from trtdebug.session.files import whole_folder


def export(spec: ReproSpec, folder: Path) -> Repro:
    """Writes the repro to `folder`, at once or not at all; an older repro there is replaced.

    The folder holds model.onnx (the piece, weights in), emulated.onnx (the same with rounding, for plain
    onnxruntime), typed.onnx (the same with the precision written in, for a strongly typed TensorRT), inputs/,
    expected/, chosen-from/ (of outputs that hold indices), repro.json, repro.py, bisect_tensorrt.py, README.md,
    versions.json, trtexec.sh, and polygraphy.sh with inputs.json and outputs.json.

    Raises:
        UserError: a node, a recorded input or an expected output is missing or unreadable, `folder` exists
            and is no repro, or it would be larger than `spec.max_size`.
    """
    with whole_folder(folder, MANIFEST, "repro") as temporary:
        nodes = _fill(spec, temporary)
    return Repro(folder, nodes)


def _fill(spec: ReproSpec, folder: Path) -> int:
    model = load_mapped(spec.model)
    recorded = {name: load_tensor(name, path) for name, path in spec.inputs.items()}
    expected = {name: load_tensor(name, path) for name, path in spec.expected.items()}
    piece = _cut(model, spec.nodes, recorded, expected)
    read_mapped(piece)  # a repro holds all that it needs
    index = GraphIndex(piece)
    unknown = sorted(set(spec.pinned) - set(index.order))
    if unknown:
        raise UserError(
            f"The pinned node {unknown[0]!r} is not in the repro.", "Pin nodes of the repro only."
        )
    missing = [name for name in index.outputs if name not in expected]
    if missing:
        raise UserError(f"There is no reference value for output {missing[0]!r}.", "Record it.")

    feeds = {name: recorded[name] for name in index.inputs}
    wanted = {name: expected[name] for name in index.outputs}
    low = [name for name in index.order if name not in spec.pinned]
    save_model(piece, folder / "model.onnx")
    emulated = typed = None
    if spec.precision == "fp16" or spec.precision == "bf16":
        emulated, typed = "emulated.onnx", "typed.onnx"
        flat = inlined(piece)  # in the functions that they call, too
        inner = flat.of(low)
        dtypes = _dtypes(flat.model, folder)
        save_model(round_nodes(flat.model, inner, spec.precision, dtypes), folder / emulated)
        save_model(mixed_precision(flat.model, inner, spec.precision), folder / typed)
    stored = store(folder, "inputs", feeds, raw=True), store(folder, "expected", wanted, raw=False)
    manifest = Manifest(
        nodes=index.order,
        pinned=tuple(name for name in index.order if name in spec.pinned),
        precision=spec.precision,
        candidate=spec.candidate,
        signature=spec.signature,
        limit=spec.limit,
        inputs=stored[0],
        expected=stored[1],
        emulated=emulated,
        typed=typed,
        options=replace(spec.options, operators=_copied(spec.options.operators, folder)),
        command=spec.command,
        atol=spec.atol,
        rtol=spec.rtol,
        anonymised=spec.anonymised,
        operators=tuple(index.node(name).op for name in index.order),
        choices=_choices(folder, spec.choices, recorded, [*stored[0], *stored[1]]),
    )
    store_for_polygraphy(folder, feeds, wanted)
    (folder / "versions.json").write_text(dumps(dict(spec.versions), indent=2) + "\n", encoding="utf-8")
    write_scripts(folder, "run_repro")
    can_be_low = lowerable(piece, index.order, "fp16")
    # TensorRT has no layer of a node with a body, only of what is in there.
    floats = [name for name in index.order if name in can_be_low and not index.node(name).has_body]
    sizes = rms(wanted)
    (folder / TRTEXEC_SCRIPT).write_text(trtexec_script(manifest), encoding="utf-8")
    if not spec.options.operators:
        (folder / POLYGRAPHY_SCRIPT).write_text(polygraphy_script(manifest, floats, sizes), encoding="utf-8")
    manifest = within_budget(folder, manifest, spec.max_size)
    (folder / "README.md").write_text(readme(manifest, floats, spec.versions, sizes), encoding="utf-8")
    (folder / MANIFEST).write_text(dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return len(index.order)


def _choices(
    folder: Path,
    chosen: Mapping[str, ChosenFrom],
    recorded: Mapping[str, Tensor],
    stored: Sequence[TensorFile],
) -> tuple[Choice, ...]:
    """With the values that are not among the stored tensors written to the folder, too."""
    files = {tensor.name: tensor for tensor in stored}
    more = {c.values: recorded[c.values] for c in chosen.values() if c.values not in files}
    if more:
        files |= {tensor.name: tensor for tensor in store(folder, "chosen-from", more, raw=False)}
    return tuple(
        Choice(output, files[c.values], c.axis, c.keepdims, c.limit, c.atol, c.rtol)
        for output, c in chosen.items()
    )


def _copied(sources: tuple[OperatorSource, ...], folder: Path) -> tuple[OperatorSource, ...]:
    """The files that custom operators come from, copied, and where they are now."""
    copied = []
    for position, source in enumerate(sources):
        if source.kind == "extension":
            copied.append(source)
            continue
        path = Path(source.name)
        name = f"operators/{safe_name(position, path.stem)}{path.suffix}"
        (folder / "operators").mkdir(exist_ok=True)
        try:
            shutil.copyfile(path, folder / name)
        except OSError as error:
            raise UserError(
                f"{path} cannot be copied into the repro: {error.strerror}.", "Put it back."
            ) from None
        copied.append(replace(source, name=name))
    return tuple(copied)


def _cut(
    model: onnx.ModelProto,
    nodes: tuple[str, ...],
    recorded: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
) -> onnx.ModelProto:
    """The piece, with the shapes that were recorded.

    Integer vectors and scalars become weights: they are shapes, axes or indices, and TensorRT builds for them
    what it would not build for an input.
    """
    types = tensor_types(model)
    types |= {name: TensorType(a.dtype.name, a.shape) for name, a in {**recorded, **expected}.items()}
    written = {tensor for name in nodes for tensor in GraphIndex(model).node(name).writes}
    fixed = {
        name: array
        for name, array in recorded.items()
        if name not in written and array.dtype.kind in "iu" and array.ndim <= 1
    }
    piece = extract(model, nodes, types, constants=fixed)
    missing = [value.name for value in piece.graph.input if value.name not in recorded]
    if missing:
        raise UserError(f"There is no recorded value for {missing[0]!r}, which the nodes read.", "Record it.")
    return piece


def _dtypes(piece: onnx.ModelProto, workdir: Path) -> dict[str, str]:
    """numpy dtype name per tensor, from shape inference, or from onnxruntime where that does not tell."""
    dtypes = {name: type_.dtype for name, type_ in tensor_types(piece).items()}
    if any(o and o not in dtypes for node in piece.graph.node for o in node.output):
        dtypes |= tensor_dtypes(piece, workdir)
    return dtypes
