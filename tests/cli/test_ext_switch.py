"""`trtdebug ext enable`, `disable`, `info` and `check`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import trtdebug

from trtdebug.cli.config import user_file

CHECK = """
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check
@hookimpl
def trtdebug_checks():
    yield Check("look", "looks", run=lambda context: ())
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install(name, source, metadata, points)`: an extension as pip leaves it. The project and the user are fresh."""
    site, project = tmp_path / "site", tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delenv("TRTDEBUG_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def make(name: str, source: str = CHECK, metadata: str = "", points: str = "") -> None:
        info = site / f"trtdebug_{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (site / f"trtdebug_{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, f"trtdebug_{name}", raising=False)
        head = f"Metadata-Version: 2.1\nName: trtdebug-{name}\nVersion: 1.2\n"
        (info / "METADATA").write_text(head + metadata)
        (info / "entry_points.txt").write_text(f"[trtdebug]\n{name} = trtdebug_{name}\n{points}")

    return make


def state(name: str) -> str:
    done = trtdebug("ext", "list", "--json")
    assert done.code == 0, done
    (row,) = [r for r in json.loads(done.stdout) if r["name"] == name]
    return str(row["state"])


def test_for_the_user(install: Install) -> None:
    install("one")
    assert state("one") == "active"
    assert trtdebug("ext", "disable", "trtdebug_one").stdout == f"disabled trtdebug_one in {user_file()}\n"
    assert state("one") == "disabled"
    assert "already" in trtdebug("ext", "disable", "trtdebug-one").stdout
    assert trtdebug("ext", "enable", "trtdebug-one").code == 0
    assert state("one") == "active"
    assert not user_file().exists()


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_a_file_that_nobody_reads_is_not_written(
    install: Install, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    install("one")
    monkeypatch.setenv("TRTDEBUG_CONFIG", "")
    done = trtdebug("ext", command, "one")
    assert (done.code, user_file().exists()) == (2, False)
    assert "TRTDEBUG_CONFIG is set" in done.stderr


def test_what_is_asked_for_and_not_there_is_listed(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", "trtdebug-nope")
    done = trtdebug("ext", "list", "--json")
    (row,) = [r for r in json.loads(done.stdout) if r["name"] == "trtdebug-nope"]
    assert (row["state"], row["error"]) == ("failed", "TRTDEBUG_LOAD_PLUGINS: is not installed")
    assert (
        "warning: trtdebug-nope (trtdebug-nope): import: TRTDEBUG_LOAD_PLUGINS: is not installed"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("trtdebug.toml", "# mine\nseed = 3  # three\n"),
        ("pyproject.toml", "[project]\nname = 'x'\n[tool.trtdebug]\n# mine\nseed = 3\n[tool.z]\na = 1\n"),
    ],
)
def test_for_the_project_nothing_else_in_its_file_changes(install: Install, file: str, text: str) -> None:
    install("one")
    Path(file).write_text(text)
    assert trtdebug("ext", "disable", "one", "--project").code == 0
    assert state("one") == "disabled"
    assert "# mine" in Path(file).read_text()
    assert trtdebug("ext", "enable", "one", "--project").code == 0
    assert Path(file).read_text() == text


def test_one_that_is_disabled_elsewhere_is_told_so(install: Install) -> None:
    install("one")
    trtdebug("ext", "disable", "one")
    assert trtdebug("ext", "disable", "one", "--project").code == 0
    assert Path("trtdebug.toml").read_text() == 'disabled_plugins = ["one"]\n'
    assert f"still disabled in {user_file()}" in trtdebug("ext", "enable", "one", "--project").stderr
    failed = trtdebug("ext", "enable", "one", "--project")
    assert failed.code == 2
    assert f"hint: It is disabled in {user_file()}." in failed.stderr


def test_what_is_not_there_cannot_be_disabled(install: Install) -> None:
    install("lamp")
    done = trtdebug("ext", "disable", "lmap")
    assert (done.code, done.stderr) == (
        2,
        "error: There is no plugin named 'lmap' to disable.\nhint: Did you mean lamp?\n",
    )


GOOD = "Summary: looks\n\n# trtdebug-good\n\nThe check `look`.\n"


def test_a_good_one_passes_its_check(install: Install) -> None:
    install("good", metadata=GOOD, points="[trtdebug.api]\n1 = trtdebug_good\n")
    done = trtdebug("ext", "check", "good")
    assert (done.code, "wrong" in done.stdout) == (0, False), done
    told = trtdebug("ext", "info", "trtdebug-good").stdout
    for line in (
        "version      1.2",
        "api          1",
        "plugin       good (checks), active",
        "checks       look: looks",
    ):
        assert line in told


@pytest.mark.parametrize(
    ("what", "said", "source", "metadata", "points"),
    [
        ("imports", "ModuleNotFoundError", "import nowhere_at_all", GOOD, ""),
        ("hooks", "Did you mean trtdebug_checks?", "def trtdebug_check(): ...", GOOD, ""),
        ("hooks", "it implements none", "", GOOD, ""),
        ("API range", "it needs API 7, and", CHECK, GOOD, "[trtdebug.api]\n7 = trtdebug_bad\n"),
        ("API range", "none is stated", CHECK, GOOD, ""),
        ("requirements", "nowhere>=3 is not installed", CHECK, f"Requires-Dist: nowhere>=3\n{GOOD}", ""),
        ("requirements", "numpy<1 is needed", CHECK, f"Requires-Dist: numpy<1\n{GOOD}", ""),
        ("unique ids", "'half-weights' is taken", CHECK.replace("look", "half-weights"), GOOD, ""),
        (
            "unique ids",
            "is that of trtdebug itself",
            CHECK,
            GOOD,
            "[trtdebug.commands]\nrun = trtdebug_bad\n",
        ),
        ("documentation", "the package has no description", CHECK, "Summary: x\n", ""),
        ("documentation", "does not mention look", CHECK, "Summary: x\n\nNothing.\n", ""),
        ("documentation", "look has no summary", CHECK.replace('"looks"', '""'), GOOD, ""),
    ],
)
def test_what_is_wrong_is_told(
    install: Install, what: str, said: str, source: str, metadata: str, points: str
) -> None:
    install("bad", source, metadata, points)
    done = trtdebug("ext", "check", "bad", "--json")
    assert done.code == 1, done
    assert said in " ".join(json.loads(done.stdout)[what])


def test_names_that_nobody_has(install: Install) -> None:
    install("lamp")
    for word in ("info", "check"):
        done = trtdebug("ext", word, "lmap")
        assert (done.code, done.stderr) == (
            2,
            "error: there is no extension 'lmap'.\nhint: Did you mean lamp?\n",
        )


def test_the_users_file_is_where_the_system_has_it(install: Install) -> None:
    assert user_file().is_relative_to(os.environ["XDG_CONFIG_HOME"])
