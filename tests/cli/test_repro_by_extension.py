"""Repros of what was found with an extension's backend: its own, in a worker of trtdebug, sees them fail again."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import run

import pytest
import slow_backend
from in_process import Done, trtdebug, trtdebug_in

PIECE = "--nodes norm_pow..norm_sqrt"
REFUSED = {slow_backend.REFUSED: "norm_var norm_sqrt"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's model and a failing piece of it, found with the backend `slow`."""
    folder = tmp_path_factory.mktemp("theirs")
    slow_backend.install(folder / "site")
    trtdebug("demo", "--save", folder / "m.onnx")
    made = json.loads(repro(folder, f"{PIECE} --output piece --json").stdout)
    assert (made["verified"], made["standalone"], made["note"]) == (True, False, "")
    return folder


def with_slow(place: Path, line: str, folder: str = "", **variables: str) -> Done:
    found = slow_backend.environment(place / "site")
    return trtdebug_in(place / folder, *line.split(), TRTDEBUG_CONFIG="", **found, **variables)


def repro(place: Path, line: str) -> Done:
    return with_slow(place, f"repro m.onnx --fp16 --candidate slow --quiet {line}")


def test_it_is_seen_again_where_the_extension_is(place: Path) -> None:
    done = with_slow(place, "repro check piece")
    assert (done.code, done.stdout) == (1, "piece: 4 node(s), the failure shows: nonfinite\n")


def test_it_cannot_be_tested_where_the_extension_is_not(place: Path) -> None:
    done = trtdebug_in(place, "repro", "check", "piece", TRTDEBUG_NO_PLUGINS="1", TRTDEBUG_CONFIG="")
    assert done.code == 4
    assert "the backend 'slow' is not there; install or enable the extension that has it" in done.stdout


def test_its_readme_says_what_can_run_it(place: Path) -> None:
    readme = (place / "piece" / "README.md").read_text()
    assert "`slow` is a backend of an extension of trtdebug, which `repro.py` cannot run by itself" in readme
    by_hand = "trtdebug compare model.onnx --candidate slow --fp16 --inputs inputs.json"
    assert f"```sh\n{by_hand}\n```" in readme
    assert with_slow(place, by_hand.removeprefix("trtdebug "), "piece").code == 1


@pytest.mark.parametrize(("script", "tool"), [("trtexec.sh", "trtexec"), ("polygraphy.sh", "Polygraphy")])
def test_its_scripts_for_other_tools_say_that_they_run_another_backend(
    place: Path, script: str, tool: str
) -> None:
    done = run(
        ["sh", script], cwd=place / "piece", env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    told = f"found with slow, a backend of an extension; {tool} shows what others make of it"
    assert (done.returncode, done.stderr.splitlines()[0]) == (125, told)


def test_a_unit_test_passes_by_it(place: Path) -> None:
    done = repro(place, "--nodes fc1 --output unit")
    assert (done.code, done.stdout.splitlines()[0]) == (0, "unit: 1 node(s), passes in a fresh process")
    assert "what can: trtdebug repro check unit" in done.stdout
    assert with_slow(place, "repro check unit").code == 0


def test_what_is_not_built_is_not_built_again(place: Path) -> None:
    done = with_slow(place, "run m.onnx --fp16 --candidate slow --quiet --session unbuilt", **REFUSED)
    assert "repro (fails in a fresh process): unbuilt/repro (2 node(s))" in done.stdout
    assert with_slow(place, "repro check unbuilt/repro", **REFUSED).code == 1
    built = with_slow(place, "repro check unbuilt/repro")
    assert (built.code, built.stdout) == (0, "unbuilt/repro: 2 node(s), the failure does not show\n")


def test_whether_it_stays_with_other_numbers_is_not_guessed_and_nothing_is_searched_for(place: Path) -> None:
    for nodes in ("", PIECE):
        done = repro(place, f"{nodes} --output other --session none --anonymise")
        assert done.code == 2
        assert "only trtdebug's own backends can see whether it stays, and not slow" in done.stderr
        assert not (place / "other").exists()
        assert not list((place / "none").rglob("outcome.json"))
