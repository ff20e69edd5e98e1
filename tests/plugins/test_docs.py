"""Each hook has a page, docs/hooks/NAME.md, whose example works; and the case study does."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from pathlib import Path

import pytest
from doc_blocks import Block, blocks

import trtdebug.testing
from trtdebug.plugins import rules, spec
from trtdebug.testing import load_plugin

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = "trtdebug_example"
STUDY = DOCS / "case-study.md"


def page_of(hook: str) -> Path:
    return DOCS / "hooks" / f"{hook.removeprefix('trtdebug_')}.md"


def python_blocks(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language == "python"]


def module_of(page: Path) -> types.ModuleType:
    """The example: all blocks of Python but the tests."""
    module = types.ModuleType(EXAMPLE)
    for block in python_blocks(page):
        if "test" not in block.notes:
            exec(compile("\n".join(block.text), block.where, "exec"), module.__dict__)
    return module


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = module_of(request.param)
    monkeypatch.setitem(sys.modules, EXAMPLE, module)
    return module


@pytest.mark.parametrize("hook", rules.HOOKS)
def test_every_hook_has_its_page_and_the_list_names_it(hook: str) -> None:
    page = page_of(hook).read_text(encoding="utf-8")
    assert page.startswith(f"# {hook}\n")
    assert f"@hookimpl\ndef {hook}(" in page
    assert f"](hooks/{page_of(hook).name})" in (DOCS / "extensions.md").read_text(encoding="utf-8")


def test_no_page_is_of_a_hook_that_is_not_there() -> None:
    assert {p.stem for p in (DOCS / "hooks").glob("*.md")} == {page_of(hook).stem for hook in rules.HOOKS}


@pytest.mark.parametrize("hook", rules.HOOKS)
def test_the_example_in_the_docstring_has_the_hooks_signature(hook: str) -> None:
    function = getattr(spec, hook)
    example = (inspect.getdoc(function) or "").partition("Example::\n\n")[2]
    (definition,) = ast.parse(inspect.cleandoc(example)).body
    assert isinstance(definition, ast.FunctionDef)
    assert definition.name == hook
    assert [a.arg for a in definition.args.args] == list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    "example", [*map(page_of, rules.HOOKS), STUDY], indirect=True, ids=[*rules.HOOKS, "case-study"]
)
def test_the_example_works(request: pytest.FixtureRequest, example: types.ModuleType) -> None:
    """By its own test, as it stands on the page."""
    page = request.node.callspec.params["example"]
    load_plugin(example)
    tests = [block for block in python_blocks(page) if "test" in block.notes]
    assert tests
    for block in tests:
        exec(compile("\n".join(block.text), block.where, "exec"), {"__name__": "test_example"})


def test_the_case_study_is_a_check_and_a_fix_in_60_lines() -> None:
    lines = [line for b in python_blocks(STUDY) if "test" not in b.notes for line in b.text]
    assert len(lines) <= 60
    manager = load_plugin(module_of(STUDY))
    assert (len(manager.checks()), len(manager.fixes())) == (1, 1)


def test_the_page_about_tests_has_one_that_passes() -> None:
    names: dict[str, object] = {"__name__": "test_example"}
    (block,) = python_blocks(DOCS / "testing-extensions.md")
    exec(compile("\n".join(block.text), block.where, "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    for test in tests:
        test()  # type: ignore[operator]


def test_every_public_name_for_authors_is_on_the_page() -> None:
    page = (DOCS / "testing-extensions.md").read_text(encoding="utf-8")
    missing = [name for name in trtdebug.testing.__all__ if f"{name}(" not in page]
    assert missing == ["INTERVENTIONS", "onnxruntime_reference"]


def test_spec_and_manager_stay_small() -> None:
    folder = Path(spec.__file__).parent
    assert sum((folder / name).stat().st_size for name in ("spec.py", "manager.py")) <= 10_240
