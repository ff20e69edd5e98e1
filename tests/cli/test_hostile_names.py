"""Names that would break out, run or act on a terminal: in all that is printed and written they are names."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import onnx
import pytest
from diagnoses import EVIL_NAMES
from in_process import Done, jobs_run_here, trtdebug
from markdown_it import MarkdownIt
from seed_models import model_of, node, value, weight

from trtdebug.graph.load import load_model, save_model
from trtdebug.plugins.builtin import load_plugins
from trtdebug.repro.manifest import read_manifest

# A model's names are UTF-8; and C ends a name at a zero byte.
NAMES = [n.replace("\x00", "") for n in EVIL_NAMES if n.isascii() or n.isprintable() or "\u2028" in n]
NAMES += [
    "=cmd|' /C calc'!A0",
    "+1",
    "'; touch ran; '",
    '"; touch ran; "',
    "$(touch ran)",
    "%s%n",
    "-rf",
    "a..b",
    "end\n",
]


COMPARE = ("compare", "--fp16", "--candidate", "emulator", "--quiet")


def hostile(turn: int) -> onnx.ModelProto:
    """Five nodes, two of which overflow in FP16; all names are evil ones, which begin at another one each turn."""
    names = islice(cycle(NAMES), turn, None)
    x, w, s, a, b, c, d, y = (next(names) for _ in range(8))
    weights = [
        weight(w, np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32) / 4),
        weight(s, 1e3),
    ]
    nodes = [
        node("MatMul", [x, w], [a], next(names)),
        node("Mul", [a, s], [b], next(names)),
        node("Mul", [b, b], [c], next(names)),
        node("Sqrt", [c], [d], next(names)),
        node("MatMul", [d, w], [y], next(names)),
    ]
    return model_of(nodes, [value(x, [4, 16])], [value(y, [4, 16])], weights)


@dataclass(frozen=True)
class Ran:
    home: Path
    model: onnx.ModelProto
    done: Done

    @property
    def session(self) -> Path:
        return self.home / "in" / "s"


@pytest.fixture(scope="module", params=[0, 12])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    home = tmp_path_factory.mktemp("hostile")
    save_model(hostile(request.param), home / "m.onnx")
    with jobs_run_here(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        line = ["run", home / "m.onnx", "--fp16", "--candidate", "emulator", "--quiet"]
        yield Ran(home, load_model(home / "m.onnx"), trtdebug(*line, "--session", home / "in" / "s"))


def harmless(text: str) -> None:
    """Acts on no terminal."""
    assert not [c for c in text if not c.isprintable() and c not in "\r\n"]


def test_the_cause_is_found_and_all_stays_in_the_session(ran: Ran) -> None:
    assert ran.done.code == 1, ran.done.stderr
    harmless(ran.done.stdout)
    report = json.loads((ran.session / "report.json").read_text(encoding="utf-8"))
    nodes = [n.name for n in ran.model.graph.node]
    assert [c["nodes"] for c in report["culprits"]] == [[nodes[2]], [nodes[3]]]
    assert report["repro"]["verified"]
    texts = (".txt", ".md", ".sh", ".py", ".xml", ".sarif", ".html")
    for path in (p for p in ran.session.rglob("*") if p.suffix in texts and p.is_file()):
        harmless(path.read_text(encoding="utf-8").replace("\t", ""))
    assert sorted(p.name for p in ran.home.iterdir()) == ["in", "m.onnx"]
    assert [p.name for p in (ran.home / "in").iterdir()] == ["s"]


def test_every_command_prints_names_as_names(ran: Ran) -> None:
    s = ran.session
    for line in (
        *(
            ["show", s],
            ["list", ran.home / "in"],
            ["log", s],
            ["diff", s, s],
            ["reverdict", s],
            ["status", s],
        ),
        *(["show", s, "--json"], ["log", s, "--json"], ["diff", s, s, "--json"]),
        ["inspect", ran.home / "m.onnx", "--nodes"],
        ["repro", "check", s / "repro"],
        [
            "compare",
            ran.home / "m.onnx",
            "--fp16",
            "--candidate",
            "emulator",
            "--quiet",
            "--session",
            ran.home / "in" / "c",
        ],
    ):
        done = trtdebug(*line)
        assert done.code in (0, 1), done.stderr
        if "--json" in line:
            json.loads(done.stdout)
        harmless(done.stdout)
        harmless(done.stderr)


def test_every_format_of_the_report_holds_them(ran: Ran) -> None:
    for found in load_plugins(third_party=False).collect("reports"):
        done = trtdebug("report", ran.session, "--format", found.value.name)
        assert done.code == 0, found.value.name
        harmless(done.stdout)
        if found.value.name in ("json", "sarif"):
            told = json.loads(done.stdout)
        if found.value.name == "json":
            nodes = [n.name for n in ran.model.graph.node]
            assert [c["nodes"] for c in told["culprits"]] == [[nodes[2]], [nodes[3]]]
        (ran.session / found.value.filename).read_text(encoding="utf-8")


def test_the_table_as_csv_has_no_formula(ran: Ran) -> None:
    done = trtdebug(*COMPARE, ran.home / "m.onnx", "--csv", "-", "--session", ran.home / "in" / "c")
    rows = list(csv.reader(io.StringIO(done.stdout, newline="")))
    assert {len(row) for row in rows} == {10}
    assert len(rows) == 6
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]


PROGRAM = """#!{python}
import json, sys
with open({out!r}, "w") as file:
    json.dump(sys.argv[1:], file)
"""


def test_the_scripts_of_the_repro_give_each_name_as_one_word_and_run_nothing(
    ran: Ran, tmp_path: Path
) -> None:
    folder = ran.session / "repro"
    manifest = read_manifest(folder)
    for tool in ("trtexec", "polygraphy"):
        program = tmp_path / tool
        program.write_text(PROGRAM.format(python=sys.executable, out=str(tmp_path / f"{tool}.json")))
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
        done = subprocess.run(
            ["sh", folder / f"{tool}.sh"], env={**os.environ, "PATH": path}, cwd=tmp_path, check=False
        )
        assert done.returncode == 125  # it wrote no outputs
        harmless((folder / f"{tool}.sh").read_text(encoding="utf-8"))
    words = json.loads((tmp_path / "polygraphy.json").read_text())
    assert {f"{n}:float16" for n in manifest.nodes} <= set(words)
    words = json.loads((tmp_path / "trtexec.json").read_text())
    [inputs] = [w for w in words if w.startswith("--loadInputs=")]
    assert all(t.name in inputs for t in manifest.inputs)
    names = {p.name for p in (*folder.iterdir(), *tmp_path.iterdir(), *ran.home.iterdir())}
    assert not names & {"ran", "x", "y"}


def test_the_readme_of_the_repro_holds_names_in_code_only(ran: Ran) -> None:
    text = (ran.session / "repro" / "README.md").read_text(encoding="utf-8")
    harmless(text)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {t.type for t in tokens} | {c.type for t in tokens for c in t.children or ()}
    assert not kinds & {"html_block", "html_inline", "image", "link_open"}


def test_the_repro_can_be_run_by_all_and_anonymised(ran: Ran, tmp_path: Path) -> None:
    folder = ran.session / "repro"
    for words in (["repro.py"], ["bisect_tensorrt.py"]):
        done = subprocess.run(
            [sys.executable, folder / words[0]], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 1
        harmless(done.stdout)
    nodes = [w for n in read_manifest(folder).nodes for w in ("--nodes", n)]
    line = ["repro", ran.home / "m.onnx", "--fp16", "--candidate", "emulator", "--quiet", "--anonymise"]
    made = trtdebug(*line, *[f"{a}={b}" for a, b in zip(nodes[::2], nodes[1::2], strict=True)],
                    "--session", ran.home / "in" / "r", "--output", tmp_path / "anonymous")  # fmt: skip
    assert made.code == 1, made.stderr + made.stdout
    assert not [n for n in read_manifest(tmp_path / "anonymous").nodes if n in NAMES]


def test_it_can_be_sent_opened_and_replayed(ran: Ran, tmp_path: Path) -> None:
    assert trtdebug("export", ran.session, "--out", tmp_path / "s.zip").code == 0
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert all(name.isprintable() and ".." not in name.split("/") for name in archive.namelist())
    assert trtdebug("import", tmp_path / "s.zip", "--session", tmp_path / "s").code == 0
    skipped = ran.model.graph.node[3].name
    assert trtdebug("skip", "--session", tmp_path / "s", "--", skipped).code == 0
    (tmp_path / "log").write_text(trtdebug("log", tmp_path / "s").stdout, encoding="utf-8")
    done = trtdebug("replay", tmp_path / "log", "--session", tmp_path / "new", "--json", "--quiet")
    assert [c["nodes"] for c in json.loads(done.stdout)["culprits"]] == [[ran.model.graph.node[2].name]]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "new", "s", "s.zip"]
