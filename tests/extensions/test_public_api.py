"""First-party extensions have what everybody has: they import only what docs/extensions.md calls public."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("first-extension", "case-study", "executors", "testing-extensions", "rewrites")
PAGES = [*sorted(ROOT.glob("docs/hooks/*.md")), *(ROOT / "docs" / f"{name}.md" for name in GUIDES)]
PACKAGES = sorted(ROOT.glob("extensions/trtdebug-*/trtdebug_*"))


def public() -> tuple[str, ...]:
    """Modules in the table of the page; what lies below them is public, too."""
    page = (ROOT / "docs" / "extensions.md").read_text(encoding="utf-8")
    table = page.partition("## What is public")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return tuple(name for row in rows for name in re.findall(r"`([\w.]+)`", row))


def imported(source: str) -> Iterator[str]:
    """Modules of trtdebug that it imports; `from trtdebug import x` is `trtdebug.x`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "trtdebug")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "trtdebug":
            assert node.module is not None
            yield from (
                (f"trtdebug.{alias.name}" for alias in node.names)
                if node.module == "trtdebug"
                else (node.module,)
            )


def allowed(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in public())


def test_all_that_is_called_public_is_there() -> None:
    assert len(public()) > 10
    for name in public():
        importlib.import_module(name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_a_package_imports_only_what_is_public(package: Path) -> None:
    used = {module for path in package.rglob("*.py") for module in imported(path.read_text(encoding="utf-8"))}
    assert used
    assert {module for module in used if not allowed(module)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_an_example_for_authors_imports_only_what_is_public(page: Path) -> None:
    sources = ["\n".join(block.text) for block in blocks(page) if block.language == "python"]
    used = {module for source in sources for module in imported(source)}
    assert {module for module in used if not allowed(module)} == set()


def test_private_modules_are_told_from_public_ones() -> None:
    source = (
        "import trtdebug.search.leftmost\nfrom trtdebug import debugger\nfrom trtdebug.graph.view import x"
    )
    assert [m for m in imported(source) if not allowed(m)] == [
        "trtdebug.search.leftmost",
        "trtdebug.debugger",
    ]
