"""All packages of extensions/ as wheels: built, installed into a folder of their own, found with their hooks."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from readme_sessions import ROOT

EXTENSIONS = sorted(path.parent for path in (ROOT / "extensions").glob("*/pyproject.toml"))
HOOKS = {
    "trtdebug-dask": {"trtdebug_executors"},
    "trtdebug-github": {"trtdebug_reports"},
    "trtdebug-layernorm": {"trtdebug_checks", "trtdebug_fixes"},
    "trtdebug-modelopt": {"trtdebug_fixes", "command"},
    "trtdebug-quant": {"trtdebug_checks", "trtdebug_fixes", "command"},
    "trtdebug-rtx": {"trtdebug_backends"},
}
"""By distribution, what `trtdebug ext list` shows of it."""


def pip(*words: object) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    command = [sys.executable, "-m", "pip", words[0], *options, *words[1:]]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By distribution, the wheel; built all at once, without a network."""
    folder = tmp_path_factory.mktemp("wheels")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, *EXTENSIONS)
    return {path.name.partition("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds all of them and nothing else."""
    target = tmp_path_factory.mktemp("installed")
    pip("install", "--target", target, *wheels.values())
    return target


def run(target: Path, *arguments: str) -> str:
    """A process for which the packages lie in `target`, before any others."""
    paths = os.pathsep.join((str(target), str(ROOT)))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRTDEBUG_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**environment, "PYTHONPATH": paths},
        cwd=target,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_each_folder_gives_one_wheel_with_its_module_and_no_tests(wheels: dict[str, Path]) -> None:
    assert set(wheels) == {path.name for path in EXTENSIONS} == set(HOOKS)
    for distribution, wheel in wheels.items():
        module = distribution.replace("-", "_")
        with zipfile.ZipFile(wheel) as archive:
            tops = {name.partition("/")[0] for name in archive.namelist()}
        assert tops == {module, f"{module}-0.1.0.dist-info"}


def test_each_wheel_says_what_it_is(wheels: dict[str, Path]) -> None:
    for distribution, wheel in wheels.items():
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            told = email.message_from_bytes(archive.read(name))
        assert told["Name"] == distribution
        assert told["License-Expression"] == "Apache-2.0"
        assert told["Requires-Python"] == ">=3.10"
        assert {"trtdebug", "trtdebug-extension"} <= set(told["Keywords"].split(","))
        assert told["Summary"].startswith("trtdebug extension: ")
        assert any(r.startswith("trtdebug") for r in told.get_all("Requires-Dist"))
        assert "## " in str(told.get_payload()), f"{distribution} has no README to speak of"


def test_all_are_found_with_their_hooks(installed: Path) -> None:
    rows: list[dict[str, Any]] = json.loads(run(installed, "-m", "trtdebug", "ext", "list", "--json"))
    found: dict[str, set[str]] = {}
    for row in rows:
        if row["distribution"] in HOOKS:
            assert row["state"] == "active", row
            found.setdefault(row["distribution"], set()).update(row["hooks"])
    assert found == HOOKS


def test_ext_check_finds_nothing_wrong(installed: Path) -> None:
    code = """
import sys
from typer.testing import CliRunner
from trtdebug.cli.app import app
for name in sys.argv[1:]:
    print(CliRunner().invoke(app, ["ext", "check", name]).output)
"""
    written = run(installed, "-c", code, *HOOKS)
    assert written.count("ok     documentation") == len(HOOKS), written
    assert "wrong" not in written


def test_what_is_found_is_what_was_installed(installed: Path) -> None:
    """And not the checkout, which `make setup` installs editable beside it."""
    modules = sorted(name.replace("-", "_") for name in HOOKS)
    code = f"import {', '.join(modules)}\nfor m in ({', '.join(modules)}): print(m.__file__)"
    for line in run(installed, "-c", code).splitlines():
        assert Path(line).is_relative_to(installed), line
