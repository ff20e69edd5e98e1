"""A third party's backend, in the command's own process: what goes wrong is told, and does no harm."""

from __future__ import annotations

import pytest

from trtdebug.backends import base
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import Knob
from trtdebug.plugins import lent_backend

SOURCE = """
import os, time
from trtdebug.backends.base import Availability
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import Knob
from trtdebug.plugins.spec import hookimpl

def raises(*_):
    1 / 0

class Theirs:
    name, summary, deterministic, realises = "theirs", "", True, ["Knob"]
    def probe(self): return Availability(True, "1")
    def build(self, request): return "engine"
    {more}

@hookimpl
def trtdebug_backends():
    yield Theirs()
"""
FALLS_BACK = {
    "probe raises": ("probe = raises", lambda b: b.probe().ok, False, "probe: ZeroDivisionError"),
    "probe ends the process": ("def probe(self): os._exit(7)", lambda b: b.probe().ok, False, "os._exit(7)"),
    "probe hangs": ("def probe(self): time.sleep(600)", lambda b: b.probe().ok, False, "took more than"),
    "probe gives nothing": ("def probe(self): pass", lambda b: b.probe().ok, False, "gives NoneType"),
    "realises raises": ("realises = property(raises)", lambda b: b.realises, frozenset(), "realises: Zero"),
    "realises is a text": ("realises = 'Knob'", lambda b: b.realises, frozenset(), "it is 'Knob'"),
    "stands_in raises": ("stands_in = property(raises)", base.stands_in, False, "stands_in: ZeroDivision"),
    "knobs raises": ("knobs = raises", lambda b: b.knobs(BuildOptions(), ()), (), "knobs: ZeroDivision"),
    "knobs gives garbage": (
        "def knobs(self, o, p): return [1]",
        lambda b: b.knobs(BuildOptions(), ()),
        (),
        "[1]",
    ),
    "check_options raises": (
        "check_options = raises",
        lambda b: b.check_options(BuildOptions(), None),
        None,
        "check_options: ZeroDivisionError",
    ),
}


@pytest.mark.parametrize(("more", "ask", "otherwise", "said"), FALLS_BACK.values(), ids=FALLS_BACK)
def test_what_goes_wrong_is_told_once(extension, monkeypatch, more, ask, otherwise, said):
    monkeypatch.setenv("TRTDEBUG_PLUGIN_SECONDS", "0.2")
    manager = extension("theirs", SOURCE.replace("{more}", more))
    assert [ask(manager.backends()["theirs"]) for _ in range(2)] == [otherwise] * 2
    (problem,) = manager.problems
    assert problem.distribution == "trtdebug-theirs"
    assert said in f"{problem.hook}: {problem.error}"


def test_why_it_does_not_work_names_the_package(extension):
    backend = extension("theirs", SOURCE.replace("{more}", "probe = raises")).backends()["theirs"]
    assert backend.probe().reason == (
        "the backend theirs of theirs (trtdebug-theirs 1.2) failed in probe: ZeroDivisionError: division by zero"
    )


def test_what_it_prints_is_kept_out_of_stdout(extension, capfd):
    more = "def probe(self):\n        print('hello'); return Availability(True, '1')"
    manager = extension("theirs", SOURCE.replace("{more}", more))
    assert [manager.backends()["theirs"].probe().ok for _ in range(2)] == [True, True]
    assert capfd.readouterr().out == ""
    assert [p.hook for p in manager.problems] == ["backend theirs: probe"]


def test_one_that_is_well_is_as_it_is(extension):
    more = "knobs = lambda self, options, operators: [Knob('k', 'v')]\n    owns_tensors = True"
    manager = extension("theirs", SOURCE.replace("{more}", more))
    backend = manager.backends()["theirs"]
    assert backend is manager.backends()["theirs"]
    assert (backend.name, backend.realises, backend.build(None)) == ("theirs", {"Knob"}, "engine")
    assert backend.knobs(BuildOptions(), ()) == (Knob("k", "v"),)
    assert isinstance(backend, base.OwnsTensors)
    assert not isinstance(backend, base.TellsSupport | base.TriesOut | base.StandsIn)
    assert manager.problems == ()


def test_bad_options_are_the_users(extension):
    more = "def check_options(self, options, model): raise UserError('no FP8 here.')"
    manager = extension("theirs", SOURCE.replace("{more}", more))
    with pytest.raises(UserError, match="no FP8 here"):
        manager.backends()["theirs"].check_options(BuildOptions(), None)
    assert manager.problems == ()


def test_no_ability_is_lost():
    engines = {"Streams", "StreamsSome", "TimesLayers", "TimesInference"}
    protocols = {
        name: kind
        for name, kind in vars(base).items()
        if getattr(kind, "_is_runtime_protocol", False) and kind.__module__ == base.__name__
    }
    members = {
        member
        for name, kind in protocols.items()
        if name not in engines
        for member in (*kind.__annotations__, *vars(kind))
        if not member.startswith("_")
    }
    assert members == set(lent_backend._ABILITIES)
