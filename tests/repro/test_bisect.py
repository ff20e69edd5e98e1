"""bisect_tensorrt.py: the first version that fails, of those that there are environments of."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdebug.repro.export import export
from trtdebug.repro.scripts.bisect_versions import environment, first_bad
from trtdebug.repro.scripts.result import GONE, SHOWS, UNTESTABLE

CULPRITS = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")


@given(st.integers(0, 12), st.integers(0, 12), st.sets(st.integers(0, 23)))
def test_what_is_found_is_right_whatever_cannot_be_tested(good: int, bad: int, skipped: set[int]) -> None:
    asked: list[int] = []

    def test(number: int) -> int:
        asked.append(number)
        return UNTESTABLE if number in skipped else GONE if number < good else SHOWS

    found = first_bad(good + bad, test)
    assert len(asked) == len(set(asked))
    testable = set(range(good + bad)) - skipped
    if found is None:
        assert not any(n < good for n in testable) or not any(n >= good for n in testable)
        return
    last, first = found
    assert (test(last), test(first)) == (GONE, SHOWS)
    assert set(range(last + 1, first)) <= skipped
    assert len(asked) <= 2 + len(skipped) + (good + bad).bit_length() + 2


@pytest.fixture
def folder(layernorm, tmp_path: Path) -> Path:
    """A repro, and Pythons of five versions: from the third on the failure shows, the fourth is broken."""
    made = export(layernorm.spec(CULPRITS), tmp_path / "repro").path
    ways = {"1": "onnxruntime", "2": "onnxruntime", "3": "emulator", "5": "emulator"}
    for version in ("1", "2", "3", "4", "5"):
        python = tmp_path / "envs" / version / "bin" / "python"
        python.parent.mkdir(parents=True)
        run = f'exec {sys.executable} "$@" --backend {ways[version]}' if version in ways else "exit 7"
        python.write_text(f"#!/bin/sh\n{run}\n")
        python.chmod(python.stat().st_mode | stat.S_IEXEC)
    return made


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python whose environments have a pip that says a lot, and fails for `bad`."""
    python = tmp_path / "python"
    log = 'for i in $(seq 100); do echo "line $i"; echo "warning $i" >&2; done'
    python.write_text(
        f"""#!/bin/sh
mkdir -p "$3/bin"
cat > "$3/bin/python" <<'END'
#!/bin/sh
{log}
case "$*" in *bad*) exit 1;; esac
END
chmod +x "$3/bin/python"
"""
    )
    python.chmod(python.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(sys, "executable", str(python))
    return tmp_path


def test_pip_is_heard_only_where_it_fails(pip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    template = str(pip / "{version}" / "bin" / "python")
    assert environment(template, "tensorrt=={version}", "good") == template.format(version="good")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(OSError, match="tensorrt==bad ended with exit code 1"):
        environment(template, "tensorrt=={version}", "bad")
    stdout, stderr = capfd.readouterr()
    assert stdout == ""
    assert stderr.splitlines()[-2:] == ["  line 100", "  warning 100"]
    assert len(stderr.splitlines()) == 20


def test_an_environment_is_there_whole_or_not_at_all(pip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = str(pip / "{version}" / "bin" / "python")
    for _ in range(2):  # the second call does not take what the first one left for an environment
        with pytest.raises(OSError, match="tensorrt==bad ended with exit code 1"):
            environment(template, "tensorrt=={version}", "bad")
        assert not (pip / "bad").exists()
    run = subprocess.run

    def interrupted(command: list[str], **options: object) -> object:
        if "pip" in command:
            raise KeyboardInterrupt
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment(template, "tensorrt=={version}", "good")
    assert not (pip / "good").exists()


def test_a_folder_of_something_else_is_left_alone(pip: Path) -> None:
    (pip / "mine").mkdir()
    (pip / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OSError, match=r"mine is there, and .*python is not: remove the folder"):
        environment(str(pip / "{version}" / "bin" / "python"), "tensorrt=={version}", "mine")
    assert [p.name for p in (pip / "mine").iterdir()] == ["thesis.txt"]


def bisect(folder: Path, *words: str) -> tuple[int, list[str]]:
    line = [sys.executable, "-I", str(folder / "bisect_tensorrt.py"), *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_versions_are_bisected(folder: Path) -> None:
    template = str(folder.parent / "envs" / "{version}" / "bin" / "python")
    code, said = bisect(folder, "--python", template, "--versions", *"12345")
    assert (code, said[-1]) == (0, "first bad: 3; last good: 2")
    code, said = bisect(folder, "--python", template, "--versions", *"245")
    assert (code, said[-1]) == (0, "first bad: 5, or one of those skipped before it: 4; last good: 2")
    assert "4: skip (exit code 7)" in said
    code, said = bisect(folder, "--python", template, "--versions", *"12")
    assert (code, said[-1]) == (125, "undecided: there is no good version before a bad one")


def test_another_failure_is_skipped_and_the_command_before_counts(layernorm, tmp_path: Path) -> None:
    shape = export(layernorm.spec(CULPRITS, kind="shape"), tmp_path / "other").path
    assert bisect(shape) == (125, ["fails: nonfinite"])
    marker = tmp_path / "built"
    assert bisect(shape, "--before", f"touch {marker}; exit 1")[0] == 125
    assert marker.exists()
    assert bisect(shape, "--timeout", "0.001")[0] == 125
