"""Thirty healthy extensions cost little: none is imported before a hook is needed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import onnx.parser
import pytest
from in_process import trtdebug as here

from trtdebug.graph.load import save_model

BENCH = Path(__file__).resolve().parents[2] / "bench"


def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    spec = importlib.util.spec_from_file_location("bench_extensions", BENCH / "extensions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def thirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty extensions, each of which leaves a mark where it is imported; the folder of the marks."""
    bench(monkeypatch).install(tmp_path / "site", 30)
    marks = tmp_path / "marks"
    marks.mkdir()
    for path in (tmp_path / "site").glob("*.py"):
        path.write_text(f"open({str(marks / path.stem)!r}, 'w').close()\n{path.read_text()}")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    names = ",".join(f"trtdebug-healthy-{number}" for number in range(30))
    monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", names)
    return marks


def test_help_and_inspect_import_none_and_check_imports_all(thirty: Path, tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg(x) }'
    save_model(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    assert "healthy-29  from trtdebug-healthy-29 1.0" in here("--help").stdout
    assert here("inspect", tmp_path / "model.onnx").code == 0
    assert here("check", tmp_path / "nowhere.onnx").code == 2
    assert not list(thirty.iterdir())
    assert here("check", tmp_path / "model.onnx").code == 0
    assert len(list(thirty.iterdir())) == 30


def test_all_of_them_are_active(thirty: Path) -> None:
    rows = json.loads(here("ext", "list", "--json").stdout)
    mine = [row for row in rows if row["distribution"].startswith("trtdebug-healthy-")]
    assert len(mine) == 60  # a plugin and a command each
    assert {row["state"] for row in mine} == {"active"}
    assert not [row for row in mine if row["problems"]]
