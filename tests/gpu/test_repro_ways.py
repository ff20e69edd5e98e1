"""A repro on real TensorRT fails by each of its ways, and a session of it takes no trial of another version."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trtdebug.repro.manifest import read_manifest

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
REPRO = (
    *("repro", "m.onnx", "--fp16", "--candidate", "tensorrt"),
    *("--nodes", "norm_pow..norm_sqrt", "--session", "s", "--quiet"),
)


def run(*line: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"], str(cwd / "bin")))
    environment = {**os.environ, "PATH": path, "PYTHON": sys.executable}
    return subprocess.run(
        [str(word) for word in line], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


def trtdebug(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "trtdebug", *words, cwd=cwd)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundled sample, and a repro of its four nodes that overflow.

    In its `bin`: polygraphy, which a host may have as a package and not as a program.
    """
    folder = tmp_path_factory.mktemp("ways")
    (folder / "bin").mkdir()
    (folder / "bin" / "polygraphy").write_text(
        f"#!{sys.executable}\nimport sys\nfrom polygraphy.tools import main\nsys.exit(main())\n"
    )
    (folder / "bin" / "polygraphy").chmod(0o755)
    assert trtdebug("demo", "--save", "m.onnx", cwd=folder).returncode == 0
    done = trtdebug(*REPRO, "--output", "repro", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    return folder


def test_repro_py_and_bisect(home: Path) -> None:
    assert read_manifest(home / "repro").candidate == "tensorrt"
    assert trtdebug("repro", "check", "repro", cwd=home).returncode == 1
    done = run(sys.executable, "repro/repro.py", "--json", cwd=home)
    assert (done.returncode, json.loads(done.stdout)["signature"]) == (1, "nonfinite")
    assert run(sys.executable, "repro/bisect_tensorrt.py", cwd=home).returncode == 1


def test_polygraphy(home: Path) -> None:
    from trtdebug.backends.tensorrt.probe import probe

    if probe().version.startswith("11."):
        pytest.skip("polygraphy.sh forces precisions, which TensorRT 11 has not")
    done = run("sh", "repro/polygraphy.sh", cwd=home)
    assert done.returncode == 1, done.stdout + done.stderr


def test_trtexec(home: Path) -> None:
    from trtdebug.backends.tensorrt.probe import probe

    if shutil.which("trtexec") is None:
        pytest.skip("trtexec is not installed")
    typed = ["typed"] if probe().version.startswith("11.") else []
    done = run("sh", "repro/trtexec.sh", *typed, cwd=home)
    assert done.returncode == 1, done.stdout + done.stderr


def test_anonymised(home: Path) -> None:
    done = trtdebug(*REPRO, "--anonymise", "--output", "anonymous", cwd=home)
    assert done.returncode == 1, done.stdout + done.stderr
    assert trtdebug("repro", "check", "anonymous", cwd=home).returncode == 1


def test_a_session_sent_and_replayed_builds_nothing_again(home: Path) -> None:
    run_ = trtdebug(
        "run", "m.onnx", "--fp16", "--candidate", "tensorrt", "--session", "r", "--quiet", cwd=home
    )
    assert run_.returncode == 1, run_.stderr
    assert trtdebug("export", "r", "--out", "r.zip", cwd=home).returncode == 0
    assert trtdebug("import", "r.zip", "--session", "opened", cwd=home).returncode == 0
    (home / "log").write_text(trtdebug("log", "opened", cwd=home).stdout, encoding="utf-8")
    done = trtdebug("replay", "log", "--session", "again", "--json", "--quiet", cwd=home)
    report = json.loads(done.stdout)
    assert {n for c in report["culprits"] for n in c["nodes"]} >= {"norm_pow"}
    timed = [s for s in report["stages"] if s["trials"]]
    assert report["trials"]["builds"] <= 3, timed  # engines that were kept to be timed are not sent
    assert trtdebug("diff", "r", "again", cwd=home).returncode == 0
