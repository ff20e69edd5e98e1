"""Every command of README.md and docs/ works: run where it can be, else parsed by the command line itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import typer
from doc_blocks import NEEDS, Block, Command, agrees, blocks
from in_process import jobs_run_here
from typer.testing import CliRunner

from trtdebug.cli.app import app
from trtdebug.cli.errors import CliException

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = ("sh", "console")
OTHER_SHELLS = ("bash", "shell", "zsh", "shell-session", "console-session")


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module", autouse=True)
def no_workers() -> Iterator[None]:
    with jobs_run_here():
        yield


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_the_commands_of_a_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one folder, one after the other, as a reader would give them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TRTDEBUG_NO_PLUGINS", "1")  # pages tell of trtdebug alone,
    monkeypatch.setenv("TRTDEBUG_CONFIG", "")  # without a config file,
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # on a machine without a GPU
    names: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(page):
        if "file" in block.notes:
            Path(block.notes["file"]).write_text("\n".join(block.text) + "\n", encoding="utf-8")
        if block.language in SHELL and "needs" in block.notes:
            parse_all(block)
        elif block.language in SHELL or "first" in block.notes:
            run_all(block)
        if "run" in block.notes:
            exec(compile("\n".join(block.text), block.where, "exec"), names)


def parse_all(block: Block) -> None:
    """Every `trtdebug ...` of the block is a command that there is, with options that there are."""
    needs = block.notes["needs"].partition(":")[0]
    assert needs in NEEDS, f"{block.where}: needs what? {needs!r} is none of {', '.join(NEEDS)}"
    for command in block.commands():
        words = command.words
        while words and "=" in words[0]:  # VARIABLE=value
            words = words[1:]
        if words[:1] == ["trtdebug"]:
            parse(words[1:], block)


def parse(words: list[str], block: Block) -> None:
    command, context = root(), None
    try:
        while True:
            name = "trtdebug" if context is None else command.name
            context = command.make_context(name, list(words), parent=context)
            rest = (
                [*context._protected_args, *context.args]
                if hasattr(context, "_protected_args")
                else context.args
            )
            if not hasattr(command, "resolve_command") or not rest:
                return
            _, command, words = command.resolve_command(context, list(rest))
    except typer.Exit:  # --help, --version
        return
    except CliException as error:
        pytest.fail(f"{block.where}: trtdebug {' '.join(words)}: {error}")


@lru_cache(maxsize=1)
def root() -> Any:
    return typer.main.get_command(app)


def run_all(block: Block) -> None:
    commands = [*(Command(block.notes[n], None) for n in ["first"] if n in block.notes), *block.commands()]
    for command in commands:
        code, stdout, stderr = run(command)
        said = f"{block.where}: $ {command.line}\n{stdout}{stderr}\n(exit code {code})"
        allowed = {int(block.notes["exit"])} if "exit" in block.notes and command is commands[-1] else {0, 1}
        assert code in allowed, said
        if command.output is not None:
            assert agrees(command.output, stdout) or agrees(command.output, stdout + stderr), said


def run(command: Command) -> tuple[int, str, str]:
    """Exit code, stdout and stderr: `trtdebug` in this process, anything else by the shell."""
    words = command.words
    if words[0] == "trtdebug" and not {"|", ">", "&&", ";"} & set(words):
        done = CliRunner().invoke(app, words[1:])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    other = subprocess.run(
        ["sh", "-c", command.line],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return other.returncode, other.stdout, other.stderr


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_command_hides_from_the_test(page: Path) -> None:
    """Commands stand in ```sh or ```console blocks, and in no other kind."""
    inside = {n for b in blocks(page) for n in range(b.line, b.line + len(b.text) + 2)}
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    indented = [n for n, line in lines if n not in inside and line.startswith(("    trtdebug ", "    $ "))]
    assert not indented, f"indented commands in {page.name}: lines {indented}"
    others = [b.where for b in blocks(page) if b.language in OTHER_SHELLS]
    plain = [
        b.where
        for b in blocks(page)
        if not b.language and any(t.startswith(("$ ", "trtdebug ")) for t in b.text)
    ]
    assert not others + plain
