"""Repros of marks that are not built, of a builder that fresh processes find in the place of TensorRT-RTX."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.parser
import pytest
from marked_graphs import RefusesMarks, opened

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import EVERY_TENSOR, Precision
from trtdebug.debugger import Debugger
from trtdebug.repro.anonymise import anonymise
from trtdebug.repro.budget import shrunk
from trtdebug.repro.manifest import Manifest, read_manifest
from trtdebug.repro.verify import verify

FAKE_RTX = Path(__file__).parents[1] / "support" / "fake_rtx"
CHAIN = """g (float[1, 4] x) => (float[1, 4] y)
    { a = Relu(x) b = Neg(a) c = Abs(b) d = Tanh(c) e = Neg(d) f = Abs(e) y = Relu(f) }"""
OWN = "(Unnamed Layer* 3) [Shuffle]_output"


@dataclass
class Session:
    """A folder for sessions, and what builders refuse, here and in fresh processes."""

    folder: Path
    patch: pytest.MonkeyPatch

    def run(self, refused: set[str], marks: tuple[str, ...], precision: Precision = "fp32") -> Diagnosis:
        """`trtdebug run` of the chain with these marks."""
        model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {CHAIN}')
        for node in model.graph.node:
            node.name = f"n_{node.output[0]}"
        onnx.save(model, self.folder / "model.onnx")
        self.patch.setenv("PYTHONPATH", str(FAKE_RTX))
        self.patch.setenv("FAKE_RTX_REFUSES", json.dumps([sorted(refused)]))
        backend = Owns(frozenset(), marks=frozenset({frozenset(refused)}), name="tensorrt-rtx")
        ctx = opened(backend, marks, self.folder / "model.onnx", self.folder / "session", precision)
        return Debugger(ctx).run()


class Owns(RefusesMarks):
    owns_tensors = True


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    return Session(tmp_path, monkeypatch)


def verified(diagnosis: Diagnosis) -> tuple[Path, Manifest]:
    assert diagnosis.repro is not None
    assert diagnosis.repro.verified, diagnosis.repro.note
    folder = Path(diagnosis.repro.path)
    return folder, read_manifest(folder)


def test_it_holds_what_the_smallest_failing_set_needs_and_fails_in_a_fresh_process(session: Session) -> None:
    folder, manifest = verified(session.run({"b", "d"}, (EVERY_TENSOR,)))
    assert manifest.options.marks == ("b", "d")
    # who writes the marks, and who reads one of them: without any reader they would be outputs unmarked
    assert manifest.nodes == ("n_b", "n_c", "n_d")
    assert "not built with 2 tensors marked as outputs" in (folder / "README.md").read_text().splitlines()[0]
    plain = json.loads((folder / "repro.json").read_text())
    plain["options"]["marks"] = []
    (folder / "repro.json").write_text(json.dumps(plain))
    assert verify(folder).output == "the failure does not show"


def test_the_marked_model_has_the_marks_as_outputs_and_the_typed_one_the_precision_too(
    session: Session,
) -> None:
    folder, manifest = verified(session.run({"b", "d"}, ("a", "b", "d"), "fp16"))
    assert (manifest.marked, manifest.typed) == ("marked.onnx", "typed.onnx")
    for name in ("marked.onnx", "typed.onnx"):
        model = onnx.load(folder / name)
        onnx.checker.check_model(model, full_check=True)
        assert {"b", "d"} <= {value.name for value in model.graph.output}
    assert any(node.op_type == "Cast" for node in onnx.load(folder / "typed.onnx").graph.node)


def test_marks_that_no_onnx_model_has_need_the_python_api_and_scripts_say_so(
    session: Session, tmp_path: Path
) -> None:
    folder, manifest = verified(session.run({"b", OWN}, ("a", "b", OWN)))
    assert manifest.options.marks == ("b", OWN)
    assert len(manifest.nodes) == 7
    assert not list(folder.glob("marked.onnx"))
    readme = (folder / "README.md").read_text()
    assert f"trtexec cannot show it: it marks no tensors, and `{OWN}` is TensorRT's own" in readme
    assert "Polygraphy cannot show it: it takes names with * ? [ ] for patterns" in readme
    for script in ("trtexec.sh", "polygraphy.sh"):
        code, said = by_script(folder, script)
        assert code == 125
        assert "cannot show it" in said
        assert "use repro.py" in said
    assert anonymise(folder, tmp_path / "anonymous").reason.startswith(
        "tensors of the builder's own are marked"
    )


TRTEXEC = '''#!{python}
"""Takes trtexec's flags, and says what it would."""
import sys, tensorrt_rtx as trt

class Logger(trt.ILogger):
    def log(self, severity, message):
        print(f"[11/30/2026-00:00:00] [E] Error[10]: {{message}}")

flags = dict(word.partition("=")[::2] for word in sys.argv[1:])
builder = trt.Builder(Logger())
network = builder.create_network(0)
trt.OnnxParser(network, None).parse_from_file(flags["--onnx"])
sys.exit(0 if builder.build_serialized_network(network, None) else 1)
'''

POLYGRAPHY = '''#!{python}
"""Takes Polygraphy's flags, and says what it would."""
import sys, tensorrt_rtx as trt

class Logger(trt.ILogger):
    def log(self, severity, message):
        print(f"\\x1b[1;31m[E] {{message}}\\x1b[0m")

words = sys.argv[1:]
assert words[0] == "convert"
builder = trt.Builder(Logger())
network = builder.create_network(0)
trt.OnnxParser(network, None).parse_from_file(words[1])
wanted = words[words.index("--trt-outputs") + 1 :]
tensors = [layer.get_output(0) for layer in network.layers]
network.outputs = [t for t in tensors if t.name in wanted]
assert sorted(t.name for t in network.outputs) == sorted(wanted)
sys.exit(0 if builder.build_serialized_network(network, None) else 1)
'''


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with a trtexec and a polygraphy."""
    for name, text in (("trtexec", TRTEXEC), ("polygraphy", POLYGRAPHY)):
        program = tmp_path / "tools" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text.format(python=sys.executable))
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return tmp_path / "tools"


def by_script(folder: Path, name: str, *words: str, tools: Path | None = None) -> tuple[int, str]:
    """Runs a script of the folder from elsewhere; `tools`: None = there are none."""
    line = [sys.executable if name.endswith(".py") else "sh", str(folder / name), *words]
    environment = os.environ | {"PATH": f"{tools or ''}:/usr/bin:/bin", "PYTHON": sys.executable}
    done = subprocess.run(
        line, capture_output=True, text=True, cwd=folder.parent, env=environment, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("line", [["trtexec.sh"], ["trtexec.sh", "typed"], ["polygraphy.sh"]], ids=" ".join)
def test_trtexec_and_polygraphy_are_judged_by_what_they_say(
    line: list[str], session: Session, tools: Path
) -> None:
    folder, _ = verified(session.run({"b", "d"}, ("a", "b", "d")))
    code, said = by_script(folder, *line, tools=tools)
    assert code == 1, said
    assert "it is not built: 10: Internal Error" in said
    assert by_script(folder, *line)[0] == 125  # there is none
    session.patch.setenv("FAKE_RTX_REFUSES", json.dumps([["a"]]))
    assert by_script(folder, *line, tools=tools) == (0, "it is built\n")


def test_another_error_in_a_log_is_no_proof(session: Session, tmp_path: Path) -> None:
    folder, _ = verified(session.run({"b", "d"}, ("a", "b", "d")))
    log = tmp_path / "trtexec.log"
    log.write_text("[E] Error[2]: [x.cpp::f::1] Error Code 2: OutOfMemory (no memory)\n&&&& FAILED\n")
    code, said = by_script(folder, "repro.py", "--log", str(log))
    assert code == 125
    assert "it fails otherwise: 2: OutOfMemory" in said


def test_bisect_says_bad_and_onnxruntime_is_no_judge(session: Session) -> None:
    folder, _ = verified(session.run({"b", "d"}, ("a", "b", "d")))
    assert by_script(folder, "bisect_tensorrt.py") == (1, "fails: build-failure\n")
    assert by_script(folder, "bisect_tensorrt.py", "--backend", "onnxruntime")[0] == 125


def test_anonymised_the_marks_have_other_names(session: Session, tmp_path: Path) -> None:
    folder, _ = verified(session.run({"b", "d"}, ("a", "b", "d")))
    outputs = onnx.load(folder / "marked.onnx").graph.output
    session.patch.setenv("FAKE_RTX_REFUSES", str(len(outputs)))  # nobody can tell the new names
    assert anonymise(folder, tmp_path / "anonymous").reason == ""
    other = read_manifest(tmp_path / "anonymous")
    assert len(other.options.marks) == 2
    assert set(other.options.marks) < set(other.names)
    assert not {"b", "d"} & set(other.names)
    marked = onnx.load(tmp_path / "anonymous" / "marked.onnx")
    assert set(other.options.marks) <= {value.name for value in marked.graph.output}


def test_a_small_folder_has_no_marked_model(session: Session) -> None:
    folder, manifest = verified(session.run({"b", "d"}, ("a", "b", "d")))
    assert manifest.marked is not None
    texts = 64 << 10  # that is set aside for them
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    shrunk(folder, sum(sizes.values()) + texts - sizes["polygraphy.sh"] - sizes["inputs.json"] - 1)
    left = read_manifest(folder)
    assert (left.left_out, left.marked) == (("polygraphy.sh", "trtexec.sh"), None)
    assert not (folder / manifest.marked).exists()
    assert verify(folder).reproduced
