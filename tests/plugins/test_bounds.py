"""The manager on extensions that misbehave: API, arguments, time, stdout, order."""

from __future__ import annotations

import time

import pytest

from trtdebug.core.outcome import Outcome
from trtdebug.plugins import api
from trtdebug.plugins.types import API, TrialEvent

EVENT = TrialEvent("0", Outcome("pass"), cached=False)
HEAD = "from trtdebug.plugins.spec import hookimpl\nfrom trtdebug.plugins.types import Check\nimport os, sys, time\n"
CHECK = HEAD + '@hookimpl\ndef trtdebug_checks():\n    yield Check({!r}, "", run=lambda c: ())\n'


@pytest.mark.parametrize("ranges", [(), ("1",), ("1-2",), ("0-1",), ("2", "1"), ("1-9", "7")])
def test_a_range_that_fits(ranges):
    assert API == api.API == 1
    assert api.misfit(ranges) == ""


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (("2",), "it needs API 2, and this trtdebug has 1: upgrade trtdebug"),
        (("2-3",), "it needs API 2-3, and this trtdebug has 1: upgrade trtdebug"),
        (("0",), "it needs API 0, and this trtdebug has 1: it is too old, upgrade it"),
        (("0", "3"), "it needs API 0 or 3, and this trtdebug has 1: it is too old, upgrade it"),
        ((">=1",), "it states the API range '>=1'; a number is wanted, or two that grow: 1 or 1-2"),
        (("2-1",), "it states the API range '2-1'; a number is wanted, or two that grow: 1 or 1-2"),
    ],
)
def test_a_range_that_does_not(ranges, said):
    assert api.misfit(ranges) == said


def test_one_that_needs_another_api_is_refused_by_name_and_not_imported(extension):
    extension("good", CHECK.format("good"), api="1-2")
    manager = extension("newer", "raise RuntimeError('it was imported')", api="2")
    assert list(manager.checks()) == ["good"]
    (problem,) = manager.problems
    assert (problem.plugin, problem.distribution) == ("newer", "trtdebug-newer")
    assert "needs API 2" in problem.error
    states = {i.name: i.state for i in manager.plugins()}
    assert (states["good"], states["newer"]) == ("active", "refused")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def trtdebug_trial_finished(evnt): ...",
            "has an argument 'evnt'; it is called with event. Did you mean event?",
        ),
        ("def trtdebug_checks(context): yield", "has an argument 'context'; it is called with none."),
    ],
)
def test_wrong_arguments_are_told_with_the_right_ones(extension, source, said):
    manager = extension("odd", f"{HEAD}@hookimpl\n{source}")
    manager.checks()
    assert said in manager.problems[0].error


def test_a_misspelt_hook_without_the_decorator_is_told(extension):
    manager = extension("odd", "def trtdebug_check(): return ()\ndef trtdebug_of_my_own(): ...\n")
    manager.checks()
    assert [p.error for p in manager.problems] == [
        "There is no hook trtdebug_check. Did you mean trtdebug_checks?"
    ]


def test_a_wrapper_of_others_is_refused(extension):
    manager = extension(
        "wrap", f"{HEAD}@hookimpl(wrapper=True)\ndef trtdebug_checks():\n    return (yield)\n"
    )
    assert manager.checks() == {}
    assert "each runs by itself" in manager.problems[0].error


def test_nobody_gets_ahead_of_the_order(extension):
    extension("aaa", CHECK.format("twin"))
    manager = extension("bbb", CHECK.format("twin").replace("@hookimpl", "@hookimpl(tryfirst=True)"))
    assert [str(f.provider) for f in manager.collect("checks")] == ["aaa (trtdebug-aaa 1.2)"]


@pytest.mark.parametrize(
    ("place", "work"),
    [
        ("import", "time.sleep(60)"),
        ("hook", "while True: pass"),
        ("hook", "while True: yield Check('x', '', run=max)"),
    ],
)
def test_what_hangs_is_broken_off(extension, monkeypatch, work, place):
    monkeypatch.setenv("TRTDEBUG_PLUGIN_SECONDS", "0.1")
    source = work if place == "import" else f"@hookimpl\ndef trtdebug_checks():\n    {work}\n"
    extension("good", CHECK.format("good"))
    manager = extension("slow", HEAD + source)
    started = time.monotonic()
    assert list(manager.checks()) == ["good"]
    assert time.monotonic() - started < 5
    (problem,) = manager.problems
    assert (problem.hook, problem.error) == (None if place == "import" else "checks", "took more than 0.1 s")


@pytest.mark.parametrize("way", ["os._exit(3)", "sys.exit(3)", "raise BaseException('odd')"])
@pytest.mark.parametrize("hook", ["trtdebug_checks()", "trtdebug_trial_finished(event)"])
def test_nobody_ends_the_process(extension, way, hook):
    manager = extension("bad", f"{HEAD}@hookimpl\ndef {hook}:\n    {way}\n")
    manager.checks()
    manager.emit("trial_finished", EVENT)
    (problem,) = manager.problems
    assert problem.hook == hook.removeprefix("trtdebug_").partition("(")[0]


def test_what_is_printed_is_told_and_the_plugin_stays(extension, capfd):
    source = CHECK.format("loud").replace("    yield", "    os.write(1, bytes(range(200)))\n    yield")
    manager = extension("loud", source + "print('at import')\n")
    assert list(manager.checks()) == ["loud"]
    assert capfd.readouterr().out == ""
    assert [p.hook for p in manager.problems] == [None, "checks"]
    assert "wrote 200 bytes to stdout" in manager.problems[1].error
    assert "active" in [i.state for i in manager.plugins() if i.name == "loud"]


def test_each_problem_is_told_once(extension):
    manager = extension("bad", "raise RuntimeError('no')")
    told = []
    manager.listeners.append(told.append)
    manager.checks()
    manager.metrics()
    assert told == list(manager.problems)
    assert len(told) == 1
