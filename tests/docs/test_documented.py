"""Nothing that a user meets is undocumented: commands, options, report keys, the Python API, Polygraphy's counterparts.

Hooks: tests/plugins/test_docs.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from diagnoses import CASE, full
from trtexec_flags import FLAGS

import trtdebug
from trtdebug.cli.app import app
from trtdebug.report.build import build_report

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ALL_PAGES = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "README.md", *DOCS.rglob("*.md")))


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for sub in getattr(command, "commands", {}).values():
        yield from commands(sub, f"{name} {sub.name}")


ALL_COMMANDS = dict(commands(typer.main.get_command(app), "trtdebug"))


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    """The page of the command line is made of it."""
    command = ALL_COMMANDS[name]
    assert command.help
    undocumented = [p.name for p in command.params if not getattr(p, "help", None)]
    assert not undocumented


@pytest.mark.parametrize("name", [n for n in ALL_COMMANDS if n != "trtdebug"])
def test_every_command_is_on_a_page_that_people_wrote(name: str) -> None:
    assert re.search(rf"{name}\b", ALL_PAGES)


def report_keys(data: Any) -> Iterator[str]:
    """Keys of nested objects; what only backends and interventions say has types of its own."""
    if isinstance(data, list):
        for item in data:
            yield from report_keys(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            if key not in ("options", "interventions"):
                yield from report_keys(value)


def test_every_key_of_the_report_is_documented() -> None:
    page = (DOCS / "report.md").read_text(encoding="utf-8")
    section = page.partition("## report.json")[2].partition("\n## ")[0]
    rows = {
        key: row
        for row in section.splitlines()
        for key in re.findall(r"`(\w+)`", row.split("|")[1:2].__str__())
    }
    report = build_report(CASE, full())
    assert not set(report) - set(rows)
    missing = [
        f"{key}.{nested}"
        for key, value in report.items()
        for nested in dict.fromkeys(report_keys(value))
        if f'"{nested}"' not in rows[key] and f"`{nested}`" not in rows[key]
    ]
    assert not missing


def test_every_name_of_the_python_api_is_documented() -> None:
    page = (DOCS / "python-api.md").read_text(encoding="utf-8")
    documented = {line.rpartition(".")[2] for line in page.splitlines() if line.startswith("::: ")}
    assert set(trtdebug.__all__) - {"__version__"} <= documented


of_the_pages_polygraphy = pytest.mark.skipif(
    not version("polygraphy").startswith(("0.49", "0.5")) or version("polygraphy") >= "0.54",
    reason="the page is of Polygraphy 0.53",
)


def polygraphy_tools() -> list[str]:
    """All subtools of the installed Polygraphy, as "surgeon extract"."""
    code = (
        "from polygraphy.tools.registry import TOOL_REGISTRY\n"
        "import argparse\n"
        "for tool in TOOL_REGISTRY:\n"
        "    parser = argparse.ArgumentParser()\n"
        "    tool.setup_parser(parser.add_subparsers())\n"
        "    [top] = [a for a in parser._actions if hasattr(a, 'choices') and a.choices]\n"
        "    for name, sub in top.choices.items():\n"
        "        subs = [a for a in sub._actions if isinstance(a, argparse._SubParsersAction)]\n"
        "        print(*([f'{name} {s}' for a in subs for s in a.choices] or [name]), sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def options_of(tool: str) -> set[str]:
    """The long options in the help of `polygraphy TOOL`."""
    line = [str(Path(sys.executable).parent / "polygraphy"), tool, "--help"]
    done = subprocess.run(
        line, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"}
    )
    return set(re.findall(r"^  (?:-\w+, )?(--[\w-]+)", done.stdout, re.M))


@of_the_pages_polygraphy
@pytest.mark.parametrize("tool", ["run", "convert"])
def test_who_knows_polygraphy_finds_each_option_that_runs_or_builds(tool: str) -> None:
    mentioned = set(re.findall(r"--[\w-]+", (DOCS / "coming-from.md").read_text(encoding="utf-8")))
    options = options_of(tool)
    assert "--fp16" in options
    assert sorted(options - mentioned - {"--help"}) == []


def test_who_knows_trtexec_finds_each_of_its_options() -> None:
    page = (DOCS / "coming-from.md").read_text(encoding="utf-8").partition("## trtexec: build")[2]
    assert sorted(set(FLAGS) - set(re.findall(r"--\w+", page))) == []


@of_the_pages_polygraphy
def test_who_knows_polygraphy_finds_each_of_its_commands() -> None:
    page = (DOCS / "coming-from.md").read_text(encoding="utf-8")
    tools = polygraphy_tools()
    assert "debug reduce" in tools
    assert [t for t in tools if f"polygraphy {t}" not in page] == []
