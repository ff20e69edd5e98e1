"""`trtdebug ext`, with a real pip where it installs: no network, a folder of its own for what it installs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trtdebug.cli import ext
from trtdebug.cli.errors import user_errors
from trtdebug.core.errors import UserError
from trtdebug.plugins import pip

ROOT = Path(__file__).resolve().parents[2]
LAYERNORM = ROOT / "extensions" / "trtdebug-layernorm"
RUN = "from trtdebug.cli.ext import app; app(prog_name='trtdebug ext')"


def run(*arguments, python=sys.executable, path=(), **variables):
    """Runs `trtdebug ext ...` in a process of its own, stdin no terminal."""
    base = {k: v for k, v in os.environ.items() if not k.startswith("TRTDEBUG_")}
    paths = os.pathsep.join(map(str, (*path, ROOT)))
    return subprocess.run(
        [str(python), "-c", RUN, *arguments],
        env={**base, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "PIP_NO_INDEX": "1", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


def row(done, name):
    """The line of `ext list --json` about this plugin."""
    assert done.returncode == 0, done.stderr
    (found,) = [row for row in json.loads(done.stdout) if row["name"] == name]
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip built and installed the LayerNorm extension."""
    target = tmp_path_factory.mktemp("target")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(LAYERNORM)], check=True)
    return target


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A fresh virtual environment with its own pip, which sees this one's packages."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    probe = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True).stdout.strip()
    mine = sys.path[:]
    lines = [entry for entry in mine if entry.endswith("site-packages")]
    Path(site, "outer.pth").write_text("\n".join(lines) + "\n")
    return python


def add_broken(folder):
    (folder / "trtdebug_broken.py").write_text("raise RuntimeError('out of order')")
    info = folder / "trtdebug_broken-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-broken\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[trtdebug]\nbroken = trtdebug_broken\n")
    return folder


def test_an_installed_extension_is_active_with_its_hooks(installed):
    found = row(run("list", "--json", path=[installed]), "layernorm")
    assert found == {
        "name": "layernorm",
        "distribution": "trtdebug-layernorm",
        "version": "0.1.0",
        "hooks": ["trtdebug_checks", "trtdebug_fixes"],
        "state": "active",
        "builtin": False,
        "error": "",
        "problems": [],
    }


def test_one_that_raises_is_named_and_skipped(installed, tmp_path):
    done = run("list", "--json", path=[installed, add_broken(tmp_path)])
    assert row(done, "layernorm")["state"] == "active"
    broken = row(done, "broken")
    assert (broken["state"], broken["version"], broken["hooks"]) == ("failed", "0.3", [])
    assert broken["error"] == "RuntimeError: out of order"
    assert "warning: broken (trtdebug-broken 0.3): import: RuntimeError: out of order" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_shows_the_same(installed, tmp_path):
    done = run("list", path=[installed, add_broken(tmp_path)], COLUMNS="160")
    assert done.returncode == 0
    assert "trtdebug-layernorm" in done.stdout
    assert "checks, fixes" in done.stdout
    assert "failed: RuntimeError: out of order" in done.stdout


def test_a_disabled_one_is_listed_as_such(installed):
    assert (
        row(run("list", "--json", path=[installed], TRTDEBUG_LOAD_PLUGINS=""), "layernorm")["state"]
        == "disabled"
    )


@pytest.mark.slow
def test_new_install_list_uninstall(environment, tmp_path):
    made = run("new", "my-check", "--dir", str(tmp_path), python=environment)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "trtdebug-my-check"
    done = run("install", "-e", str(folder), "--yes", python=environment, **BUILD)
    assert done.returncode == 0, done.stderr
    assert f"will run: {environment} -m pip install --editable {folder}" in done.stdout
    assert "installed: trtdebug-my-check" in done.stdout
    found = row(run("list", "--json", python=environment), "my-check")
    assert (found["state"], found["hooks"]) == ("active", ["trtdebug_checks", "trtdebug_fixes"])
    gone = run("uninstall", "trtdebug_my.check", "--yes", python=environment)
    assert gone.returncode == 0, gone.stderr
    assert "my-check" not in run("list", "--json", python=environment).stdout


# The build tool comes from this environment: there is no network. trtdebug is on PYTHONPATH, unknown to pip.
BUILD = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1"}


@pytest.mark.slow
def test_a_wheel_is_installed_upgraded_and_replaced_from_git(environment, tmp_path):
    assert run("new", "tool", "--dir", str(tmp_path), python=environment).returncode == 0
    folder, wheels = tmp_path / "trtdebug-tool", tmp_path / "wheels"
    project = folder / "pyproject.toml"
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        project.write_text(re.sub("^version = .*", f'version = "{version}"', project.read_text(), flags=re.M))
        if version != "0.3.0":  # it is only in git
            build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
            subprocess.run(build, cwd=folder, check=True, capture_output=True)
    old = str(wheels / "trtdebug_tool-0.1.0-py3-none-any.whl")
    assert run("install", old, "--yes", python=environment, **BUILD).returncode == 0
    up = run("upgrade", "trtdebug-tool", "--yes", python=environment, PIP_FIND_LINKS=str(wheels), **BUILD)
    assert "trtdebug-tool: 0.1.0 to 0.2.0" in up.stdout, up.stderr
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    url = f"git+file://{folder}"
    assert run("install", url, "--yes", python=environment, **BUILD).returncode == 0
    assert row(run("list", "--json", python=environment), "tool")["version"] == "0.3.0"
    assert run("uninstall", "trtdebug-tool", "--yes", python=environment).returncode == 0


@pytest.mark.slow
def test_a_package_that_is_no_extension_is_said_to_be_none(environment, tmp_path):
    (tmp_path / "plain.py").write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "plain"\nversion = "1"\n[tool.hatch.build.targets.wheel]\ninclude = ["plain.py"]\n'
    )
    done = run("install", str(tmp_path), "--yes", python=environment, **BUILD)
    assert done.returncode == 2
    assert "no entry point of group 'trtdebug' appeared" in done.stderr


def test_new_writes_a_package_whose_tests_pass(tmp_path):
    assert run("new", "trtdebug-a-b2", "--dir", str(tmp_path)).returncode == 0
    folder = tmp_path / "trtdebug-a-b2"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            str(folder),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "5 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "Bad Name"], "'Bad Name' is no name for an extension"),
        (["new", "x", "--dir", "/proc/nowhere"], "can't be written"),
        (["install", "trtdebug-x"], "stdin is no terminal"),
        (["install", "--yes", "--", "--index-url=x"], "names no package"),
        (["install", "--yes", "./no-such-folder"], "pip failed"),
        (["uninstall", "numpy", "--yes"], "'numpy' is no installed extension"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[0]
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_new_overwrites_nothing(tmp_path):
    (tmp_path / "trtdebug-x").mkdir()
    done = run("new", "x", "--dir", str(tmp_path))
    assert (done.returncode, list((tmp_path / "trtdebug-x").iterdir())) == (2, [])


def test_without_pip_it_says_so(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(ext.app, ["install", "x", "--yes"])
    assert result.exit_code == 2
    assert "has no pip" in result.output


def test_a_pip_that_cannot_report_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "21.2.4")
    result = CliRunner().invoke(ext.app, ["install", "x", "--yes"])
    assert result.exit_code == 2
    assert "pip 21.2.4 is too old: 22.2 or newer is needed" in result.output


@pytest.mark.parametrize(("answer", "code"), [("n\n", 2), ("", 130)])
def test_nothing_runs_before_it_is_confirmed(monkeypatch, answer, code):
    monkeypatch.setattr(pip.Install, "run", lambda self: pytest.fail("it ran"))
    monkeypatch.setattr(ext, "_somebody_is_there", lambda: True)
    result = CliRunner().invoke(ext.app, ["install", "x"], input=answer)
    assert result.exit_code == code
    assert "-m pip install x" in result.stdout


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            UserError("No such file: m.onnx.", "Check the path."),
            2,
            "error: No such file: m.onnx.\nhint: Check the path.\n",
        ),
        (UserError("Bad."), 2, "error: Bad.\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(4), 4, ""),
    ],
)
def test_errors_become_one_line_and_a_code(error, code, said):
    app = typer.Typer()

    @app.command()
    @user_errors
    def fail(count: int = 1) -> None:
        raise error

    result = CliRunner().invoke(app, [])
    assert (result.exit_code, result.stderr, result.stdout) == (code, said, "")
    assert CliRunner().invoke(app, ["--count", "x"]).exit_code == 2


def test_the_unforeseen_is_one_line_and_its_traceback_a_file():
    app = typer.Typer()

    @app.command()
    @user_errors
    def fail() -> None:
        raise ZeroDivisionError("two\nlines")

    result = CliRunner().invoke(app, [])
    assert result.exit_code == 3
    assert result.stderr.startswith("internal error: ZeroDivisionError: two lines (details: ")
    details = Path(result.stderr.strip().partition("(details: ")[2].removesuffix(")"))
    assert "raise ZeroDivisionError" in details.read_text()
    details.unlink()
