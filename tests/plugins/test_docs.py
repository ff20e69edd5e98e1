"""docs/extensions.md tells of every hook, and its example works."""

from __future__ import annotations

import ast
import inspect
import re
import types
from pathlib import Path

import pytest
import typer

from trtdebug.core.outcome import Outcome
from trtdebug.plugins import rules, spec
from trtdebug.plugins.testing import load_plugin
from trtdebug.plugins.types import SessionEvent, TrialEvent

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "extensions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", rules.HOOKS)
def test_every_hook_has_its_section_and_example(hook):
    section = re.search(rf"^### {hook}$(.*?)(?=^##|\Z)", PAGE, re.S | re.M)
    assert section, f"docs/extensions.md does not mention {hook}"
    assert f"@hookimpl\ndef {hook}(" in section[1]


@pytest.mark.parametrize("hook", rules.HOOKS)
def test_the_example_in_the_docstring_has_the_hooks_signature(hook):
    function = getattr(spec, hook)
    example = inspect.getdoc(function).partition("Example::\n\n")[2]
    (definition,) = ast.parse(inspect.cleandoc(example)).body
    assert definition.name == hook
    assert [a.arg for a in definition.args.args] == list(inspect.signature(function).parameters)


def test_the_page_names_no_hook_that_is_not_there():
    assert set(re.findall(r"^### (trtdebug_\w+)", PAGE, re.M)) == set(rules.HOOKS)


def test_the_examples_are_a_plugin_that_works(tmp_path):
    module = types.ModuleType("example")
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S)), module.__dict__)
    manager = load_plugin(module)
    assert all(manager.collect(kind) for kind in rules.KINDS)
    app = typer.Typer()
    manager.add_commands(app)
    assert [command.name for command in app.registered_commands] == ["hello"]
    manager.emit("trial_finished", TrialEvent("0", Outcome("fail"), cached=False))
    manager.emit("session_finished", SessionEvent(tmp_path, {"verdict": "matches"}))
    assert manager.problems == ()
    assert (module.outcomes, module.verdicts) == (["fail"], ["matches"])


def test_spec_and_manager_stay_small():
    folder = Path(spec.__file__).parent
    assert sum((folder / name).stat().st_size for name in ("spec.py", "manager.py")) <= 10_240
