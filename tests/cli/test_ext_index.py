"""`trtdebug ext install` and `upgrade` by name: a real pip, and a package index on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from package_index import add, add_extension, served

ROOT = Path(__file__).resolve().parents[2]
DOWN = "http://127.0.0.1:1/"
"""Nobody listens on port 1."""

pytestmark = pytest.mark.slow


class Place:
    """A fresh environment with pip, and an index."""

    def __init__(self, site: Path, python: Path, index: Path, url: str) -> None:
        self.site, self.python, self.index, self.url = site, python, index, url

    def ext(self, *words: str, url: str = "") -> CompletedProcess[str]:
        """Runs `trtdebug ext ...`, told to ask nothing."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TRTDEBUG_", "PIP_"))}
        pip = {"PIP_INDEX_URL": url or self.url, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
        quick = {"PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_PROXY": "127.0.0.1"}
        return subprocess.run(
            [self.python, "-m", "trtdebug", "ext", *words],
            env={**kept, **pip, **quick, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.index,
        )

    def unpack(self, wheel: Path) -> None:
        """Puts a wheel where pip would."""
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.site)

    def install(self, what: str, url: str = "") -> CompletedProcess[str]:
        return self.ext("install", what, "--yes", url=url)

    def upgrade(self, name: str, url: str = "") -> CompletedProcess[str]:
        return self.ext("upgrade", name, "--yes", url=url)

    def state(self, name: str) -> tuple[str, str]:
        """Version and state of the plugin of this name."""
        rows = json.loads(self.ext("list", "--json").stdout)
        (row,) = [row for row in rows if row["name"] == name]
        return row["version"], row["state"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, index = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("index")
    venv.create(folder, with_pip=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    outer = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site / "outer.pth").write_text("\n".join(outer) + "\n")  # what trtdebug needs
    with served(index) as url:
        yield Place(site, folder / "bin" / "python", index, url)


def test_by_name_by_version_and_upgraded(place: Place) -> None:
    add_extension(place.index, "trtdebug-tiny", "1.0", requires=["trtdebug>=0.1"])
    add_extension(place.index, "trtdebug-tiny", "1.1")
    assert "installed: trtdebug-tiny 1.0\n" in place.install("trtdebug-tiny==1.0").stdout
    assert "trtdebug-tiny: 1.0 to 1.1\n" in place.upgrade("trtdebug-tiny").stdout
    assert "trtdebug-tiny: 1.1 is the newest\n" in place.upgrade("trtdebug-tiny").stdout
    assert place.state("trtdebug-tiny") == ("1.1", "active")


def test_an_upgrade_ends_at_the_newest_version_that_fits(place: Place) -> None:
    place.unpack(add_extension(place.index, "trtdebug-grown", "1.0"))
    add_extension(place.index, "trtdebug-grown", "1.1")
    add_extension(place.index, "trtdebug-grown", "2.0", api="2-3")
    done = place.upgrade("trtdebug-grown")
    assert "trtdebug-grown: 1.0 to 1.1; 2.0 is left out, since it needs API 2-3" in done.stdout
    assert place.state("trtdebug-grown") == ("1.1", "active")


def test_a_version_that_cannot_be_had_again_is_not_lost_without_a_word(place: Place) -> None:
    old = add_extension(place.index, "trtdebug-moved", "1.0")
    place.unpack(old)
    old.unlink()
    add_extension(place.index, "trtdebug-moved", "2.0", api="2")
    done = place.upgrade("trtdebug-moved")
    assert done.returncode == 2
    assert "trtdebug-moved: 1.0 to 2.0, refused: it needs API 2" in done.stderr
    assert "1.0, which was there before, cannot be had again" in done.stderr


def test_what_is_installed_and_not_loaded_is_said_to_be(place: Place) -> None:
    add_extension(place.index, "trtdebug-new", "2.0", api="2-3")
    done = place.install("trtdebug-new")
    assert done.returncode == 2
    assert "trtdebug-new 2.0 is installed, and not loaded: it needs API 2-3" in done.stderr
    assert "hint: Or take another version: trtdebug ext install 'trtdebug-new<2.0'" in done.stderr


def test_what_pip_holds_back_is_not_called_the_newest(place: Place) -> None:
    place.unpack(add_extension(place.index, "trtdebug-held", "1.0"))
    add_extension(place.index, "trtdebug-held", "2.0", requires=["trtdebug>=99"])
    done = place.upgrade("trtdebug-held")
    assert "trtdebug-held: 1.0 stays: there is 2.0, and pip does not take it here" in done.stdout


def test_of_an_index_that_is_down_nothing_is_concluded(place: Place) -> None:
    place.unpack(add_extension(place.index, "trtdebug-far", "1.0"))
    for done in (place.upgrade("trtdebug-far", url=DOWN), place.install("trtdebug-else", url=DOWN)):
        assert done.returncode == 2
        assert f"error: The package index cannot be read: {DOWN}trtdebug-" in done.stderr
        assert "Connection refused" in done.stderr


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("absent", "hint: Is its name right? Extensions are called trtdebug-NAME: trtdebug-absent?"),
        ("trtdebug-needy", "error: trtdebug-needy needs nowhere-thing>=3, and pip finds none."),
        ("plain", "error: plain is installed, but no entry point of group 'trtdebug' appeared"),
    ],
)
def test_what_cannot_be_installed(place: Place, what: str, said: str) -> None:
    add_extension(place.index, "trtdebug-needy", "1.0", requires=["nowhere-thing>=3"])
    add(place.index, "plain", "1.0")
    done = place.install(what)
    assert done.returncode == 2
    assert said in done.stderr


def test_what_an_install_breaks_is_told(place: Place) -> None:
    place.unpack(add(place.index, "base", "1.0"))
    add(place.index, "base", "2.0")
    place.unpack(add_extension(place.index, "trtdebug-old", "1.0", requires=["base<2"]))
    add_extension(place.index, "trtdebug-young", "1.0", requires=["base>=2"])
    done = place.install("trtdebug-young")
    assert done.returncode == 0
    assert "warning: trtdebug-old 1.0 requires base<2, but you have base 2.0" in done.stderr
