"""The repro of a model that is not built: the smallest piece of it, seen to fail again in a fresh process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trtdebug.core.diagnosis import ReproResult
from trtdebug.core.jsonable import dumps
from trtdebug.core.outcome import Signature
from trtdebug.graph.fresh import names_in
from trtdebug.graph.load import external_files, load_model, save_model
from trtdebug.graph.walk import fed_inputs
from trtdebug.repro.build_commands import polygraphy_build_script, trtexec_build_script
from trtdebug.repro.build_text import build_readme
from trtdebug.repro.by_backend import is_standalone, verify_exported
from trtdebug.repro.commands import POLYGRAPHY_SCRIPT, TRTEXEC_SCRIPT
from trtdebug.repro.manifest import MANIFEST, Manifest
from trtdebug.repro.marked_models import save_marked
from trtdebug.repro.script_files import write_scripts
from trtdebug.repro.tensors import Tensor, store, store_for_polygraphy
from trtdebug.session.files import whole_folder
from trtdebug.session.job import TensorRef
from trtdebug.stages.context import Context
from trtdebug.stages.unbuilt.marked_piece import fails_as_outputs
from trtdebug.stages.unbuilt.piece_builds import PieceBuilds, Tensors, link_weights
from trtdebug.stages.unbuilt.unbuildable import Unbuildable

_PATIENCE = 600
"""Seconds that a fresh process may take: it may be a whole model that it builds."""


def export_unbuilt(
    ctx: Context, piece: Unbuildable, folder: Path, command: str, versions: Mapping[str, str]
) -> ReproResult:
    """Writes the piece to `folder`, at once or not at all, and verifies it.

    The folder holds model.onnx (the piece, weights in), repro.json, repro.py, README.md, versions.json and, where
    the reference runs, inputs/ with what it computed for the piece's inputs. Of a piece with marks also trtexec.sh,
    polygraphy.sh, and marked.onnx and typed.onnx, which have the marks as outputs of their own.

    Raises:
        UserError: `folder` exists and is no repro.
    """
    builds = PieceBuilds(ctx)
    graph = piece.piece.graph
    inputs = [value.name for value in fed_inputs(graph)]
    recorded = {} if piece.inside else _recorded(ctx, builds, inputs)
    count = len(graph.node)
    shown_by_outputs = fails_as_outputs(ctx, piece)
    with whole_folder(folder, MANIFEST, "repro") as temporary:
        _save(builds, piece, temporary / "model.onnx")
        manifest = Manifest(
            nodes=tuple(node.name for node in graph.node),
            pinned=(),
            precision=ctx.case.options.precision,
            candidate=ctx.case.candidate,
            signature=Signature("build-failure"),
            limit=ctx.limits.rms,
            inputs=store(temporary, "inputs", recorded, raw=True) if recorded else (),
            expected=(),
            options=replace(ctx.case.options, profiles=builds.profiles(piece.piece), marks=piece.marks),
            command=command,
            build_errors=(piece.error,),
            names=tuple(sorted({*names_in(graph), *inputs} - {""})),
            operators=tuple(node.op_type for node in graph.node),
        )
        if piece.marks:
            model = load_model(temporary / manifest.model)
            manifest = save_marked(model, manifest, temporary, shown_by_outputs)
        outputs = [value.name for value in graph.output]
        has_all_inputs = len(recorded) == len(inputs)
        fill(temporary, manifest, recorded, piece.inside, versions, outputs, has_all_inputs)
    checked = verify_exported(ctx, folder, ctx.case.samples[0], _PATIENCE)
    note = "" if checked.reproduced else f"a fresh process says: {checked.output.strip()[-300:]}"
    standalone = is_standalone(manifest.candidate, unbuilt=True)
    return ReproResult(str(folder), count, checked.reproduced is True, note, standalone=standalone)


def fill(
    folder: Path,
    manifest: Manifest,
    recorded: Mapping[str, Tensor],
    inside: Sequence[str],
    versions: Mapping[str, str],
    outputs: Sequence[str],
    has_all_inputs: bool,
) -> None:
    """Writes all but the models and the inputs of the repro of a model that is not built. `outputs`: of the model."""
    if recorded:
        store_for_polygraphy(folder, recorded)
    (folder / MANIFEST).write_text(dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (folder / "versions.json").write_text(dumps(dict(versions), indent=2) + "\n", encoding="utf-8")
    write_scripts(folder, "build_repro")
    if manifest.options.marks:
        (folder / TRTEXEC_SCRIPT).write_text(trtexec_build_script(manifest), encoding="utf-8")
        script = polygraphy_build_script(manifest, outputs)
        (folder / POLYGRAPHY_SCRIPT).write_text(script, encoding="utf-8")
    text = build_readme(manifest, inside, versions, outputs, has_all_inputs)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _recorded(ctx: Context, builds: PieceBuilds, inputs: list[str]) -> Tensors:
    """What the first sample holds, and what the reference computes, of these tensors."""
    given = [name for name in inputs if name in ctx.index.inputs]
    own = {name: ctx.session.tensors.get(ctx.case.samples[0], TensorRef(name)) for name in given}
    computed = builds.recall(name for name in inputs if name not in own)
    return {name: np.asarray(value) for name, value in {**own, **computed}.items()}


def _save(builds: PieceBuilds, piece: Unbuildable, path: Path) -> None:
    """With the weights that the piece has in other files."""
    files = external_files(piece.piece)
    if not files:
        save_model(piece.piece, path)
        return
    scratch = path.parent / ".weights"
    save_model(piece.piece, scratch / path.name)
    link_weights(files, builds.path.parent, scratch)
    save_model(load_model(scratch / path.name), path)
    shutil.rmtree(scratch)
