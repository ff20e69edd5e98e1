"""The manager: isolation of each plugin, order, names, selection."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest
import typer

from trtdebug.core.errors import TrtdebugError, UserError
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.discovery import Plugin, installed_extensions
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, Metric, TrialEvent

ROOT = Path(__file__).resolve().parents[2]
EVENT = TrialEvent("0", Outcome("pass"), cached=False)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("LOAD", "DISABLED", "NO"):
        monkeypatch.delenv(f"TRTDEBUG_{name}_PLUGINS", raising=False)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`install(dist, source, group=...)`: a module and a dist-info on sys.path, as pip would leave them."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(distribution, source, group="trtdebug", name=None, value=None):
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        name = name or distribution.removeprefix("trtdebug-")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value or module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        return module

    return make


def plugin(name="one", **functions):
    module = types.ModuleType(name)
    for hook, function in functions.items():
        function.__name__ = hook
        setattr(module, hook, hookimpl(function))
    return module


def check(name):
    return Check(name, "", run=lambda context: ())


GIVES_CHECK = """
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check
@hookimpl
def trtdebug_checks():
    yield Check({name!r}, "", run=lambda context: ())
"""


def only(manager, *names):
    """The manager's plugins of these names; the machine may have others installed."""
    return [info for info in manager.plugins() if info.name in names]


def test_builtins_come_first_then_third_parties_by_distribution(install):
    install("trtdebug-zzz", GIVES_CHECK.format(name="z"))
    install("trtdebug-aaa", GIVES_CHECK.format(name="a"))
    manager = PluginManager.load(builtins=[plugin(trtdebug_checks=lambda: [check("built-in")])])
    assert [name for name in manager.checks() if name in ("a", "z", "built-in")] == ["built-in", "a", "z"]
    assert manager.problems == ()


def test_finding_imports_nothing(install):
    module = install("trtdebug-lazy", GIVES_CHECK.format(name="lazy"))
    manager = PluginManager.load()
    manager.command_entry_points()
    manager.add_commands(typer.Typer())
    assert module not in sys.modules
    assert "lazy" in manager.checks()
    assert module in sys.modules


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere_to_be_found", "nowhere_to_be_found"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
        (GIVES_CHECK.replace("trtdebug_checks()", "trtdebug_checks(unknown)").format(name="x"), "unknown"),
    ],
)
def test_what_raises_at_import_is_named_and_skipped(install, source, said):
    install("trtdebug-broken", source)
    install("trtdebug-good", GIVES_CHECK.format(name="good"))
    manager = PluginManager.load()
    assert "good" in manager.checks()
    (problem,) = manager.problems
    assert (problem.plugin, problem.distribution, problem.version) == ("broken", "trtdebug-broken", "1.2")
    assert problem.hook is None
    assert said in problem.error
    assert "\n" not in problem.error
    assert "Traceback" in problem.traceback
    assert [(info.state, said in info.error) for info in only(manager, "broken")] == [("failed", True)]


def raising(kind):
    def hook():
        raise kind("no")

    def generator():
        yield check("given-before-it-raises")
        raise kind("no")

    return [hook, generator]


@pytest.mark.parametrize("hook", [*raising(ValueError), *raising(SystemExit)])
def test_what_raises_in_a_hook_is_called_no_more(hook):
    calls = []
    bad = plugin("bad", trtdebug_checks=hook, trtdebug_trial_finished=lambda event: calls.append("bad"))
    good = plugin(
        "good",
        trtdebug_checks=lambda: [check("good")],
        trtdebug_trial_finished=lambda event: calls.append("good"),
    )
    manager = PluginManager.load(builtins=[bad, good], third_party=False)
    assert list(manager.checks()) == ["good"]
    manager.emit("trial_finished", EVENT)
    assert calls == ["good"]
    assert [(problem.plugin, problem.hook) for problem in manager.problems] == [("bad", "checks")]


def test_interrupts_are_not_caught():
    def hook():
        raise KeyboardInterrupt

    manager = PluginManager.load(builtins=[plugin(trtdebug_checks=hook)], third_party=False)
    with pytest.raises(KeyboardInterrupt):
        manager.checks()


@pytest.mark.parametrize(
    "result", [None, 3, "text", [None], [Metric("m", "", compute=max)], {"a": 1}, [check("")], [check(None)]]
)
def test_a_wrong_return_type_counts_as_raising(result):
    bad = plugin("bad", trtdebug_checks=lambda: result)
    manager = PluginManager.load(
        builtins=[bad, plugin("ok", trtdebug_checks=lambda: [check("x")])], third_party=False
    )
    assert list(manager.checks()) == ["x"]
    (problem,) = manager.problems
    assert problem.plugin == "bad"
    assert "iterable of Check" in problem.error


def test_a_backend_is_told_by_its_attributes():
    bad = plugin("bad", trtdebug_backends=lambda: [object()])
    manager = PluginManager.load(builtins=[bad], third_party=False)
    assert manager.backends() == {}
    assert "Backend" in manager.problems[0].error


def test_of_two_of_one_name_the_first_stays_and_both_are_named(install):
    install("trtdebug-aaa", GIVES_CHECK.format(name="twin"))
    install("trtdebug-bbb", GIVES_CHECK.format(name="twin"))
    manager = PluginManager.load()
    (found,) = [f for f in manager.collect("checks") if f.value.name == "twin"]
    assert str(found.provider) == "aaa (trtdebug-aaa 1.2)"
    (problem,) = manager.problems
    assert "aaa (trtdebug-aaa 1.2)" in problem.error
    assert "bbb (trtdebug-bbb 1.2)" in problem.error
    manager.collect("checks")
    assert len(manager.problems) == 1


def test_a_misspelt_hook_is_reported_with_the_right_name():
    module = plugin(
        "odd", trtdebug_chekcs=lambda: (), trtdebug_metrics=lambda: [Metric("m", "", compute=max)]
    )
    manager = PluginManager.load(builtins=[module], third_party=False)
    assert list(manager.metrics()) == ["m"]
    (problem,) = manager.problems
    assert (problem.hook, "trtdebug_checks" in problem.error) == ("trtdebug_chekcs", True)
    assert manager.plugins()[0].hooks == ("trtdebug_metrics",)
    assert manager.plugins()[0].state == "active"


def test_a_forgotten_decorator_is_reported():
    module = types.ModuleType("bare")
    module.trtdebug_checks = lambda: ()
    manager = PluginManager.load(builtins=[module], third_party=False)
    assert manager.checks() == {}
    assert "@hookimpl" in manager.problems[0].error


def test_guard_covers_what_a_hook_returned():
    def run(context):
        yield 1
        raise OSError("late")

    manager = PluginManager.load(
        builtins=[plugin(trtdebug_checks=lambda: [Check("late", "", run=run)])], third_party=False
    )
    (found,) = manager.collect("checks")
    with manager.guard(found.provider, "check late"):
        list(found.value.run(None))
    assert manager.problems[0].hook == "check late"
    assert manager.plugins()[0].state == "failed"
    with pytest.raises(UserError), manager.guard(found.provider, "input", allow=(TrtdebugError,)):
        raise UserError("a bad file")


@pytest.mark.parametrize("name", ["off", "trtdebug-off", "trtdebug_OFF"])
def test_a_disabled_plugin_is_not_imported(install, name):
    module = install("trtdebug-off", GIVES_CHECK.format(name="off"))
    manager = PluginManager.load(disabled=[name])
    assert "off" not in manager.checks()
    assert [info.state for info in only(manager, "off")] == ["disabled"]
    assert module not in sys.modules


def test_an_unknown_name_to_disable_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean plain"):
        PluginManager.load(builtins=[plugin("plain")], disabled=["plian"])


@pytest.mark.parametrize(
    ("variables", "left"),
    [
        ({}, {"a", "b"}),
        ({"TRTDEBUG_LOAD_PLUGINS": ""}, set()),
        ({"TRTDEBUG_LOAD_PLUGINS": "trtdebug-bbb"}, {"b"}),
        ({"TRTDEBUG_NO_PLUGINS": "1"}, set()),
        ({"TRTDEBUG_DISABLED_PLUGINS": "bbb,gone"}, {"a"}),
    ],
)
def test_the_environment_selects_and_workers_get_the_same(install, monkeypatch, variables, left):
    install("trtdebug-aaa", GIVES_CHECK.format(name="a"))
    install("trtdebug-bbb", GIVES_CHECK.format(name="b"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    manager = PluginManager.load()
    assert set(manager.checks()) & {"a", "b"} == left
    for name, value in manager.to_env().items():
        monkeypatch.setenv(name, value)
    assert set(PluginManager.load().checks()) & {"a", "b"} == left


def test_arguments_reach_workers_through_the_environment(install, monkeypatch):
    install("trtdebug-aaa", GIVES_CHECK.format(name="a"))
    for arguments in ({"disabled": ["aaa"]}, {"third_party": False}):
        for name, value in PluginManager.load(**arguments).to_env().items():
            monkeypatch.setenv(name, value)
        assert "a" not in PluginManager.load().checks()


def test_a_distribution_asked_for_and_missing_is_a_problem(monkeypatch):
    monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", "trtdebug-gone")
    assert [problem.plugin for problem in PluginManager.load().problems] == ["trtdebug-gone"]


def test_commands_are_found_without_an_import(install):
    module = install(
        "trtdebug-hello", "def hello(): ...", group="trtdebug.commands", value="trtdebug_hello:hello"
    )
    (command,) = [c for c in PluginManager.load().command_entry_points() if c.name == "hello"]
    assert (command.distribution, command.version) == ("trtdebug-hello", "1.2")
    assert module not in sys.modules
    assert callable(command.point.load())
    assert "hello" not in [c.name for c in PluginManager.load(disabled=["hello"]).command_entry_points()]


def test_the_commands_hook_of_third_parties_waits_until_it_is_asked_for(install):
    source = "from trtdebug.plugins.spec import hookimpl\n"
    source += "@hookimpl\ndef trtdebug_commands(app): app.append('third')"
    install("trtdebug-cmd", source)
    manager = PluginManager.load(builtins=[plugin(trtdebug_commands=lambda app: app.append("own"))])
    app = []
    manager.add_commands(app)
    assert app == ["own"]
    manager.add_commands(app, third_party=True)
    assert "third" in app


def test_metadata_that_lacks_everything_does_no_harm(install, tmp_path):
    install("trtdebug-bare", GIVES_CHECK.format(name="bare"))
    (tmp_path / "trtdebug_bare-1.2.dist-info" / "METADATA").unlink()
    assert "bare" in PluginManager.load().checks()
    assert [e.version for e in installed_extensions() if e.name == "bare"] == ["unknown"]


def test_finding_and_listing_needs_no_onnx():
    code = (
        "import sys; from trtdebug.plugins.manager import PluginManager; m = PluginManager.load();"
        "m.command_entry_points(); import trtdebug.cli.errors;"
        "print([n for n in ('onnx', 'onnxruntime', 'tensorrt', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_what_goes_wrong_again_is_said_once():
    manager = PluginManager.load(third_party=False)
    plugin = Plugin("loud", "trtdebug-loud", "1", False, object, off="")
    for what in ("hook", "hook", "other hook"):
        manager.report(plugin, what, "wrote 6 bytes to stdout")
    assert [p.hook for p in manager.problems] == ["hook", "other hook"]


def test_what_is_printed_at_each_event_is_told_once(extension):
    manager = extension(
        "loud",
        """
        from trtdebug.plugins.spec import hookimpl
        @hookimpl
        def trtdebug_trial_finished(event): print(event)
        """,
    )
    for event in ("one", "two"):
        manager.emit("trial_finished", event)
    assert [p.hook for p in manager.problems] == ["trial_finished"]
    assert "'one" in manager.problems[0].error


def test_a_metric_does_not_take_the_place_of_a_built_in_number():
    bad = plugin("bad", trtdebug_metrics=lambda: [Metric("cosine", "", compute=max)])
    manager = PluginManager.load(builtins=[bad], third_party=False)
    assert manager.metrics() == {}
    assert "'cosine' is that of a built-in number" in manager.problems[0].error
