"""Tells which TensorRT shows the failure of this folder first, by bisection; needs what repro.py needs.

    git bisect run python bisect_tensorrt.py --before 'make install'    # of a source tree: 0 good, 1 bad, 125 skip
    python bisect_tensorrt.py                                           # the same for what is installed here
    python bisect_tensorrt.py --versions 8.6.1 10.0.1 10.3.0            # oldest first: an environment each, by pip
    python bisect_tensorrt.py --versions 8.6.1 10.0.1 --python '/envs/{version}/bin/python'    # environments that exist

Bad is what fails as recorded in repro.json, or crashes where that is the failure. What fails otherwise, or cannot be
tested, is skipped. With --versions the exit code is 0 where the first bad one was found, else 125.
"""

# trtdebug puts this file together of small ones, so that it needs no trtdebug; those of this script come last.

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trtdebug.repro.scripts.result import GONE, SHOWS, UNTESTABLE, told
from trtdebug.scripts.words import printable

_ONE_FAILURE = frozenset(("nonfinite", "mismatch"))
"""Kinds that are the same failure: which of the two shows depends on the kernel."""
_LAST_LINES = 20
"""Of what pip says, where it fails."""


def one_run(python: str, backend: str | None, timeout: float) -> tuple[int, str]:
    """Exit code for `git bisect run` of one run of repro.py, and what came of it in words."""
    folder = Path(__file__).resolve().parent
    manifest = json.loads((folder / "repro.json").read_text(encoding="utf-8"))
    chosen = ["--backend", backend] if backend else []
    try:
        done = subprocess.run(
            [python, str(folder / "repro.py"), "--json", *chosen],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return _by_kind(manifest, "timeout"), f"no answer within {timeout:g} s"
    except OSError as error:
        return UNTESTABLE, f"{python} does not start: {error.strerror}"
    if done.returncode < 0:
        return _by_kind(manifest, "crash"), f"killed by signal {-done.returncode}"
    result = told(done.stdout)
    if done.returncode == GONE:
        return GONE, "the failure does not show"
    kind, reason = result.get("signature"), result.get("reason")
    if done.returncode != SHOWS or not kind:
        last = done.stderr.strip().rpartition("\n")[2]
        return UNTESTABLE, str(reason or last or f"exit code {done.returncode}")
    return _by_kind(manifest, str(kind)), f"fails: {kind}"


def _by_kind(manifest: dict[str, Any], kind: str) -> int:
    """Bad where this is the failure that is looked for; of a test that should pass, any failure is."""
    wanted = {error["kind"] for error in manifest["build_errors"]} & {"crash", "timeout"}
    if not wanted:
        wanted = {(manifest["signature"] or {}).get("kind", kind)}
    same = kind in wanted or (kind in _ONE_FAILURE and bool(wanted & _ONE_FAILURE))
    return SHOWS if same else UNTESTABLE


def first_bad(count: int, test: Callable[[int], int]) -> tuple[int, int] | None:
    """Of `count` versions in order: the last that is good and the first that is bad; between them are those skipped.

    Args:
        test: exit code of a version by number.

    Returns:
        None where there is no good one before a bad one.
    """
    known: dict[int, int] = {}

    def ask(number: int) -> int:
        if number not in known:
            known[number] = test(number)
        return known[number]

    good = next((n for n in range(count) if ask(n) != UNTESTABLE), None)
    bad = next((n for n in reversed(range(count)) if ask(n) != UNTESTABLE), None)
    if good is None or bad is None or ask(good) != GONE or ask(bad) != SHOWS:
        return None
    while open_ := [n for n in range(good + 1, bad) if known.get(n) != UNTESTABLE]:
        middle = open_[len(open_) // 2]
        answer = ask(middle)
        good, bad = (middle if answer == GONE else good), (middle if answer == SHOWS else bad)
    return good, bad


def environment(template: str, packages: str, version: str) -> str:
    """The Python of a version's environment; one that is not there is made by pip, whole or not at all.

    Raises:
        OSError: it cannot be made; how that was told last stands on stderr.
    """
    python = Path(template.format(version=version))
    if python.exists():
        return str(python)
    folder = python.parent.parent
    if folder.exists():
        raise OSError(f"{folder} is there, and {python} is not: remove the folder, or name another")
    try:
        _make(folder, python, packages.format(version=version).split())
    except BaseException:  # also Ctrl-C: the next call would take for an environment what is there of it
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return str(python)


def _make(folder: Path, python: Path, packages: Sequence[str]) -> None:
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", *packages],
    ):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if done.returncode:
            for line in done.stdout.splitlines()[-_LAST_LINES:]:
                print(f"  {printable(line)}", file=sys.stderr)
            raise OSError(f"{' '.join(command)} ended with exit code {done.returncode}")


def search(arguments: argparse.Namespace) -> int:
    """Bisects `arguments.versions`. Returns the exit code."""
    versions: Sequence[str] = arguments.versions

    def test(number: int) -> int:
        try:
            python = environment(
                arguments.python or ".trt-{version}/bin/python", arguments.packages, versions[number]
            )
            code, words = one_run(python, arguments.backend, arguments.timeout)
        except OSError as error:
            code, words = UNTESTABLE, str(error)
        told = {GONE: "good", SHOWS: "bad", UNTESTABLE: "skip"}[code]
        print(printable(f"{versions[number]}: {told} ({words})"), flush=True)
        return code

    found = first_bad(len(versions), test)
    if found is None:
        print("undecided: there is no good version before a bad one")
        return UNTESTABLE
    good, bad = found
    skipped = (
        f", or one of those skipped before it: {', '.join(versions[good + 1 : bad])}"
        if bad - good > 1
        else ""
    )
    print(f"first bad: {versions[bad]}{skipped}; last good: {versions[good]}")
    return 0


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", help="default: where the failure was found")
    parser.add_argument("--before", metavar="COMMAND", help="run this in a shell first; skip where it fails")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds that one run may take")
    parser.add_argument("--versions", nargs="+", metavar="VERSION", help="bisect these, oldest first")
    parser.add_argument("--python", metavar="TEMPLATE", help="Python of a version; {version} stands for it")
    parser.add_argument(
        "--packages",
        default="numpy cuda-python tensorrt=={version}",
        help="what pip installs where there is no such Python (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.versions:
        return search(arguments)
    if arguments.before and subprocess.run(arguments.before, shell=True, stdout=sys.stderr).returncode:
        print("skip: the command before it failed")
        return UNTESTABLE
    code, words = one_run(arguments.python or sys.executable, arguments.backend, arguments.timeout)
    print(printable(words))
    return code


if __name__ == "__main__":
    sys.exit(main())
