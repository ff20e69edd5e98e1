"""Questions to a parser in a worker process for real: what breaks the process is an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from seed_models import identity_identity

from trtdebug.core.case import BuildOptions
from trtdebug.graph.load import save_model
from trtdebug.session.limits import WorkerLimits
from trtdebug.session.support import SupportQuestion, SupportWorker

PARSERS = """
import os, signal, sys, time
from trtdebug.backends.base import Availability, Subgraph, Support
from trtdebug.core.build_error import BuildError
from trtdebug.core.errors import BuildFailure
from trtdebug.plugins.spec import hookimpl

class Parser:
    summary, realises, deterministic = "a parser", frozenset(), True
    def __init__(self, name, answer):
        self.name, self.answer = name, answer
    def probe(self):
        return Availability(True)
    def build(self, request):
        raise NotImplementedError
    def support(self, request):
        print("asked for", request.model.name, request.options.plugins)
        return self.answer()

def refuse():
    error = BuildError("parse", "no", "UNSUPPORTED_NODE", "n", "Op", ("outer",), ("m",))
    return Support(False, (error,), (Subgraph(("a", "b"), True), Subgraph((), False)))

def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def fail():
    raise BuildFailure("TensorRT makes no builder here", "Get one.")

def bug():
    raise ZeroDivisionError("oops")

@hookimpl
def trtdebug_backends():
    yield Parser("pid", lambda: Support(False, (BuildError("parse", str(os.getpid())),)))
    yield Parser("refuse", refuse)
    yield Parser("crash", crash)
    yield Parser("leave", lambda: os._exit(7))
    yield Parser("hang", lambda: time.sleep(60))
    yield Parser("fail", fail)
    yield Parser("bug", bug)
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Asks the parser of this name, in one worker."""
    site, folder = tmp_path / "site", tmp_path / "work"
    info = site / "parsers-1.dist-info"
    info.mkdir(parents=True)
    folder.mkdir()
    (site / "parsers.py").write_text(PARSERS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parsers\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[trtdebug]\nparsers = parsers\n")
    monkeypatch.syspath_prepend(str(site))
    save_model(identity_identity(), tmp_path / "model.onnx")
    worker = SupportWorker("pid", folder, WorkerLimits(2.0, 4 << 30))

    def ask(name: str):
        question = SupportQuestion(name, str(tmp_path / "model.onnx"), BuildOptions(plugins=("a.so",)))
        return worker(question)

    yield ask
    worker.close()


def test_an_answer_comes_as_it_was_given(ask) -> None:
    found = ask("refuse")
    assert (found.parsed, [s.nodes for s in found.subgraphs]) == (False, [("a", "b"), ()])
    [error] = found.errors
    assert (error.node, error.operator, error.inside, error.nodes) == ("n", "Op", ("outer",), ("m",))


def test_one_process_answers_until_it_breaks(ask) -> None:
    first, second = ask("pid"), ask("pid")
    assert first == second
    assert ask("crash").parsed is None
    assert ask("pid") != first


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("crash", "crash", "SIGSEGV (segmentation fault)"),
        ("leave", "crash", "exit code 7"),
        ("hang", "timeout", "no answer within 2 s"),
        ("fail", "build", "TensorRT makes no builder here. Get one."),
        ("bug", "crash", "ZeroDivisionError: oops"),
    ],
)
def test_what_is_no_answer_is_named(ask, name: str, kind: str, says: str) -> None:
    found = ask(name)
    assert found.parsed is None
    assert [error.kind for error in found.errors] == [kind]
    assert says in found.errors[0].message
