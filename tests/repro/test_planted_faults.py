"""Repros of 30 planted faults: by each way that can run here they fail in a fresh process, and in the same way."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import onnx
import pytest
from cases import open_case
from healthy_graphs import FAMILIES, faulty_graph
from planted_graphs import planted_graph

from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_model
from trtdebug.oracle.verdict import same_failure
from trtdebug.repro.anonymise import Anonymised, anonymise
from trtdebug.repro.manifest import Manifest, read_manifest
from trtdebug.repro.of_case import export_repro
from trtdebug.repro.verify import verify

COUNT = 30
FOLDERS = 3
"""Of so many each way is tried as a stranger would, by its script."""


@dataclass(frozen=True)
class Exported:
    folder: Path
    manifest: Manifest
    verified: bool


def faulty_models() -> Iterator[onnx.ModelProto]:
    for family, fault in product(FAMILIES, ("overflow", "vanishing")):
        yield faulty_graph(family, 0, 20, fault)
    for seed in range(1000):
        planted = planted_graph(seed, 20, 1)
        if planted.overflowing:
            yield planted.model


@pytest.fixture(scope="module")
def repros(tmp_path_factory: pytest.TempPathFactory) -> list[Exported]:
    """What is exported of the culprits that the pipeline finds, and whether a fresh process saw it fail."""
    exported = []
    for number, model in enumerate(islice(faulty_models(), COUNT)):
        place = tmp_path_factory.mktemp(f"fault{number}-")
        ctx = open_case(model, place, "fp16", candidate="emulator", builds=1)
        found = Debugger(ctx, until="localise").run().culprits
        made = export_repro(ctx, [c for c in found if c.proven], "", {})
        exported.append(Exported(Path(made.path), read_manifest(Path(made.path)), made.verified))
    return exported


def test_each_failed_in_a_fresh_process(repros: list[Exported]) -> None:
    assert [r.verified for r in repros] == [True] * COUNT
    assert {r.manifest.signature.kind for r in repros if r.manifest.signature} == {"nonfinite", "mismatch"}


POLYGRAPHY = """
import json, os, runpy, shlex, sys
from pathlib import Path
from polygraphy.tools._main import main
from trtdebug.repro.commands import POLYGRAPHY_MADE, polygraphy_emulated_command
from trtdebug.repro.manifest import read_manifest

found = []
for folder in map(Path, sys.argv[1:]):
    os.chdir(folder)
    command = polygraphy_emulated_command(read_manifest(folder), {t.name: 0.0 for t in read_manifest(folder).expected})
    sys.argv = [*shlex.split(command.replace("\\\\\\n", "")), "--silent"]
    try:
        status = main()
    except SystemExit as stop:
        status = stop.code
    judged = runpy.run_path("repro.py")["reproduce"](folder, outputs=Path(POLYGRAPHY_MADE))
    found.append((status, judged.exit, judged.signature))
print(json.dumps(found))
"""


def test_each_fails_with_polygraphy_as_with_repro_py(repros: list[Exported]) -> None:
    """All in one process: Polygraphy alone takes most of a second to start."""
    line = [sys.executable, "-c", POLYGRAPHY, *(str(r.folder) for r in repros)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    kinds = [r.manifest.signature.kind for r in repros if r.manifest.signature]
    assert found == [[1, 1, kind] for kind in kinds]


def by_script(folder: Path, name: str, *words: str, path: Path | None = None) -> tuple[int, str]:
    """Runs a script of the folder from elsewhere."""
    line = [sys.executable if name.endswith(".py") else "sh", str(folder / name), *words]
    places = [*([str(path)] if path else []), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(places), "PYTHON": sys.executable}
    done = subprocess.run(
        line, capture_output=True, text=True, cwd=folder.parent, env=environment, check=False
    )
    return done.returncode, done.stdout


def test_polygraphy_sh_runs_it_and_judges_the_outputs(repros: list[Exported]) -> None:
    for repro in repros[:: COUNT // 2]:
        code, said = by_script(repro.folder, "polygraphy.sh", "onnxrt")
        assert repro.manifest.signature is not None
        assert (code, said.splitlines()[-1]) == (1, f"the failure shows: {repro.manifest.signature.kind}")


def test_bisect_py_says_bad_to_git(repros: list[Exported]) -> None:
    for repro in repros[:: COUNT // FOLDERS]:
        assert by_script(repro.folder, "bisect_tensorrt.py")[0] == 1
        assert by_script(repro.folder, "bisect_tensorrt.py", "--backend", "onnxruntime")[0] == 0
    assert by_script(repros[0].folder, "bisect_tensorrt.py", "--backend", "tensorrt")[0] == 125
    assert by_script(repros[0].folder, "bisect_tensorrt.py", "--before", "false")[0] == 125


TRTEXEC = '''#!{python}
"""Takes trtexec's flags, and computes on onnxruntime what the emulator would; writes as trtexec does."""
import sys
import numpy as np, onnxruntime
flags = dict(word.partition("=")[::2] for word in sys.argv[1:])
model = {{"model.onnx": "emulated.onnx", "typed.onnx": "typed.onnx"}}[flags["--onnx"]]
session = onnxruntime.InferenceSession(model)
files = dict(entry.rsplit(":", 1) for entry in flags["--loadInputs"].split(","))
feeds = {{i.name: np.fromfile(files[i.name], np.float32).reshape(i.shape) for i in session.get_inputs()}}
names = [o.name for o in session.get_outputs()]
with open(flags["--exportOutput"], "w") as file:
    file.write("[\\n")
    for number, (name, value) in enumerate(zip(names, session.run(None, feeds))):
        values = ", ".join("%g" % x for x in value.ravel())
        shape = "x".join(map(str, value.shape))
        file.write('%s{{ "name" : "%s"\\n' % (", " * (number > 0), name))
        file.write(', "dimensions" : "%s"\\n, "values" : [ %s ]\\n}}\\n' % (shape, values))
    file.write("]\\n")
'''


def test_trtexec_sh_gives_it_flags_and_files_and_judges_the_outputs(
    repros: list[Exported], tmp_path: Path
) -> None:
    program = tmp_path / "trtexec"
    program.write_text(TRTEXEC.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    plain = [r for r in repros if all(t.dtype == "float32" for t in r.manifest.inputs)]
    for repro in plain[:: COUNT // FOLDERS]:
        code, said = by_script(repro.folder, "trtexec.sh", path=tmp_path)
        assert repro.manifest.signature is not None
        assert (code, said.splitlines()[-1]) == (1, f"the failure shows: {repro.manifest.signature.kind}")
    assert by_script(repros[0].folder, "trtexec.sh")[0] == 125  # there is none here


def test_anonymised_each_fails_the_same_or_says_that_it_cannot(
    repros: list[Exported], tmp_path: Path
) -> None:
    done: list[tuple[Exported, Anonymised]] = []
    for number, repro in enumerate(repros):
        found = anonymise(repro.folder, tmp_path / str(number))
        assert bool(found.reason) != (tmp_path / str(number)).exists()
        done.append((repro, found))
        if not found.reason:
            tells_nothing_of(repro.folder, tmp_path / str(number))
    kept = [number for number, (_, found) in enumerate(done) if not found.reason]
    assert len(kept) > COUNT // 2, [found.reason for _, found in done]
    for number in kept[:: len(kept) // FOLDERS]:
        repro = done[number][0]
        seen = verify(tmp_path / str(number))  # the one at its last place, once more
        assert seen.reproduced
        assert same_failure(repro.manifest.signature, read_manifest(tmp_path / str(number)).signature)


def tells_nothing_of(repro: Path, anonymous: Path) -> None:
    """No name of the one is in the other, nor a weight with more than a few values."""
    theirs = load_model(repro / "model.onnx")
    names = {n.name for n in theirs.graph.node} | {t.name for t in theirs.graph.initializer}
    names |= {t for n in theirs.graph.node for t in (*n.input, *n.output)}
    weights = [t.raw_data for t in theirs.graph.initializer if len(t.raw_data) > 64]
    weights += [(repro / t.file).read_bytes()[128:] for t in read_manifest(repro).inputs]
    for path in anonymous.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".sh"):
            content = path.read_bytes()
            assert not [n for n in names if len(n) > 3 and n.encode() in content], path
            assert not [1 for w in weights if w in content], path
