"""Hooks of MkDocs: the command line's reference, made from the app itself, and a nav that misses no page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

CLI_PAGE = "cli.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expands the nav's entries with a *, and puts pages that it does not name under "More"."""
    folder = Path(config.docs_dir)
    named = set(_named(config.nav, folder)) | {CLI_PAGE}
    config.nav = _expanded(config.nav, folder)
    pages = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.md"))
    more = [page for page in pages if page not in named]
    if more:
        config.nav.append({"More": more})
    return config


def _expanded(entries: Any, folder: Path) -> Any:
    """The nav with each pattern replaced by the pages that match it, in the order of their names."""
    if isinstance(entries, dict):
        return {title: _expanded(entry, folder) for title, entry in entries.items()}
    if isinstance(entries, list):
        found: list[Any] = []
        for entry in entries:
            new = _expanded(entry, folder)
            found += new if isinstance(entry, str) and isinstance(new, list) else [new]
        return found
    if isinstance(entries, str) and "*" in entries:
        return [p.relative_to(folder).as_posix() for p in sorted(folder.glob(entries))]
    return entries


def _named(entries: Any, folder: Path) -> Iterator[str]:
    """All pages of the nav."""
    if isinstance(entries, dict):
        entries = list(entries.values())
    if isinstance(entries, list):
        for entry in entries:
            yield from _named(entry, folder)
    else:
        new = _expanded(entries, folder)
        yield from new if isinstance(new, list) else [new]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the page of the command line."""
    files.append(File.generated(config, CLI_PAGE, content=cli_reference()))
    return files


def cli_reference() -> str:
    """A section a command, with its usage, its description and its options, as `--help` tells them."""
    import typer

    from trtdebug.cli.app import app

    root: Any = typer.main.get_command(app)
    lines = [
        "# Command line",
        "",
        "Made from the program itself; `trtdebug COMMAND --help` says the same.",
        "",
    ]
    context = root.make_context("trtdebug", [], resilient_parsing=True)
    lines += _section(root, context, "trtdebug")
    return "\n".join(lines)


def _section(command: Any, context: Any, name: str) -> Iterator[str]:
    yield f"## {name}" if context.parent is not None else "## trtdebug, before the command"
    yield ""
    yield "```text"
    yield f"{name} {' '.join(command.collect_usage_pieces(context))}"
    yield "```"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    records = [r for p in command.get_params(context) if (r := p.get_help_record(context))]
    if records:
        yield "| option | what it does |"
        yield "|---|---|"
        for option, text in records:
            yield f"| <code>{_cell(option)}</code> | {_cell(text)} |"
        yield ""
    for sub in getattr(command, "commands", {}).values():
        yield from _section(sub, type(context)(sub, info_name=sub.name, parent=context), f"{name} {sub.name}")


def _cell(text: str) -> str:
    """Text for a table in which no character means anything."""
    return re.sub(r"[^\w\s.,:;()-]", lambda found: f"&#{ord(found[0])};", " ".join(text.split()))
