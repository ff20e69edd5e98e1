"""docs/first-extension.md, by its words alone: in an environment of its own, its blocks are run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from doc_blocks import agrees, blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "first-extension.md"
PIP = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with trtdebug in it; what trtdebug needs is seen in this one: there is no network."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    site = next((folder / "lib").glob("python*/site-packages"))
    outer = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site / "outer.pth").write_text("\n".join(outer) + "\n")
    install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "-e", ROOT]
    subprocess.run(install, check=True, env={**os.environ, **PIP})
    return folder


def files(folder: Path) -> set[Path]:
    return {p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


@pytest.mark.slow
def test_by_the_words_of_the_page_alone(environment: Path, tmp_path: Path) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    base = {k: v for k, v in os.environ.items() if not k.startswith(("TRTDEBUG_", "PYTHON"))}
    path = os.pathsep.join((str(environment / "bin"), os.environ["PATH"]))
    variables = {
        **base,
        **PIP,
        "PATH": path,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "COLUMNS": "200",
        "TRTDEBUG_LOAD_PLUGINS": "trtdebug-big-sum",  # others are seen through the outer environment
    }
    before = files(environment)
    done = 0
    for block in blocks(PAGE):
        if "edit" in block.notes:
            path = work / block.notes["edit"]
            assert path.parent.is_dir(), block.where
            path.write_text("\n".join(block.text) + "\n")
        for command in block.commands():
            assert block.notes == {"needs": "environment"}
            ran = subprocess.run(
                command.line, shell=True, cwd=work, env=variables, capture_output=True, text=True, check=False
            )
            said = f"{block.where}: {command.line}\n{ran.stdout}{ran.stderr}"
            assert ran.returncode == (1 if command.line.startswith("trtdebug run") else 0), said
            assert agrees(command.output or (), ran.stdout), said
            done += 1
    assert done == 9
    assert files(environment) == before
    assert not [p for p in files(home) if "trtdebug" in str(p.relative_to(home))]
