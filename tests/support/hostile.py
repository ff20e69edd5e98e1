"""Extensions that do what none should: as pip leaves them, all in one folder."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

HEAD = """\
import os, sys, time
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, Finding, FixProposal, FixProposer, Metric, PinPrecision, ReportFormat
"""
EVERY_HOOK = (
    *("backends", "checks", "fixes", "metrics", "localizers", "inputs", "reports", "executors", "operators"),
    "commands(app)",
    "trial_finished(event)",
    "session_finished(event)",
)


@dataclass(frozen=True)
class Hostile:
    """A package: its module's source, and what else its metadata say.

    Attributes:
        said: what is to be told of it.
        points: entry points beside the module's own.
        listed: a listing shows it; else it only goes wrong within a session.
    """

    said: str
    source: str = ""
    points: str = ""
    listed: bool = True

    @property
    def module(self) -> str:
        return HEAD + textwrap.dedent(self.source)


def check(body: str) -> str:
    """A module with a check whose `run` does this."""
    run = textwrap.indent(textwrap.dedent(body), "    ")
    return (
        f"def run(context):\n{run}\n    return ()\n\n"
        "@hookimpl\ndef trtdebug_checks():\n    yield Check(__name__, 'hostile', run=run)\n"
    )


def hook(name: str, body: str) -> str:
    """A module with one hook that does this."""
    return f"@hookimpl\ndef trtdebug_{name}:\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\n"


HOSTILE: dict[str, Hostile] = {
    "raises-at-import": Hostile("RuntimeError: out of order", "raise RuntimeError('out of order')"),
    "syntax-error": Hostile("SyntaxError", "def broken(:"),
    "missing-dependency": Hostile("ModuleNotFoundError: No module named 'nowhere'", "import nowhere"),
    "exits-at-import": Hostile("Exited: os._exit(7)", "os._exit(7)"),
    "sys-exits-at-import": Hostile("SystemExit: 7", "sys.exit(7)"),
    "hangs-at-import": Hostile("took more than", "time.sleep(600)"),
    **{
        f"raises-in-{name.partition('(')[0].replace('_', '-')}": Hostile(
            "ZeroDivisionError",
            hook(name if "(" in name else f"{name}()", "1 / 0"),
            listed="(" not in name,
        )
        for name in EVERY_HOOK
        if not name.startswith("commands")
    },
    "garbage-in-hook": Hostile("has to return an iterable of Check", hook("checks()", "return [1, 2]")),
    "garbage-in-check": Hostile("has to yield Findings", check("return ['text']"), listed=False),
    "garbage-in-finding": Hostile(
        "severity is 'bad'", check("return [Finding('x', 'bad', 'y')]"), listed=False
    ),
    "garbage-in-fix": Hostile(
        "is no intervention that can be stored",
        """
        def propose(context):
            yield FixProposal("pin", "garbage", (PinPrecision(["a", 1], "fp32"),))
        @hookimpl
        def trtdebug_fixes():
            yield FixProposer("garbage", "", propose=propose)
        """,
        listed=False,
    ),
    "garbage-in-report": Hostile(
        "has to give text",
        hook("reports()", "yield ReportFormat('garbage', '', 'garbage.bin', render=lambda report: b'x')"),
        listed=False,
    ),
    "hangs-in-check": Hostile(
        "took more than",
        check(
            """
            while True:
                try:
                    time.sleep(600)
                except BaseException:
                    pass
            """
        ),
        listed=False,
    ),
    "exits-in-check": Hostile("Exited: os._exit(7)", check("os._exit(7)"), listed=False),
    "sys-exits-in-check": Hostile("SystemExit", check("sys.exit(7)"), listed=False),
    "hangs-in-metric": Hostile(
        "took more than",
        hook("metrics()", "yield Metric('slow', '', compute=lambda r, c: time.sleep(600))"),
        listed=False,
    ),
    "takes-ids": Hostile(
        "'half-weights' is taken by checks (trtdebug",
        hook("checks()", "yield Check('half-weights', '', run=lambda context: ())"),
    ),
    "takes-a-command": Hostile(
        "the command 'run' is that of trtdebug itself",
        "def run(): ...",
        "[trtdebug.commands]\nrun = {module}:run\n",
    ),
    "takes-an-option": Hostile(
        "TypeError: --fp16 is the name of two options",
        """
        import typer
        from typing import Annotated
        Twice = Annotated[bool, typer.Option("--fp16")]
        def hello(one: Twice = False, two: Twice = False): ...
        """,
        "[trtdebug.commands]\nhello-hostile = {module}:hello\n",
    ),
    "too-new": Hostile("it needs API 2, and", "os._exit(7)", "[trtdebug.api]\n2 = {module}\n"),
    "too-old": Hostile("it is too old", "os._exit(7)", "[trtdebug.api]\n0 = {module}\n"),
    "misspelt": Hostile("Did you mean trtdebug_checks?", hook("chekcs()", "return ()")),
    "wrong-arguments": Hostile("Did you mean event?", hook("trial_finished(evnt)", "return None")),
    "prints-binary": Hostile(
        "bytes to stdout",
        "os.write(1, bytes(range(256)))\n" + check("sys.stdout.buffer.write(bytes(range(256)))"),
    ),
    "prints": Hostile("bytes to stdout", hook("session_finished(event)", "print('done')"), listed=False),
    "changes-the-model": Hostile("changed the model", check("del context.model.graph.node[:]"), listed=False),
    "changes-a-weight": Hostile(
        "changed the model", check("context.model.graph.initializer[0].raw_data = bytes(4)"), listed=False
    ),
    "changes-an-array": Hostile("read-only", check("context.sample['x'][:] = 0"), listed=False),
    "changes-the-report": Hostile(
        "changed the report", hook("session_finished(event)", "event.report.clear()"), listed=False
    ),
    "bad-backend": Hostile(
        "ZeroDivisionError",
        """
        class Bad:
            name, summary, realises, deterministic = "bad", "", frozenset(), True
            def probe(self): 1 / 0
            def build(self, request): 1 / 0
        @hookimpl
        def trtdebug_backends():
            yield Bad()
        """,
        listed=False,
    ),
}
ONLY_ASKED = ("takes-an-option", "bad-backend")
"""Nobody meets these within a session."""


def install(folder: Path) -> dict[str, str]:
    """Writes all of them; the environment in which exactly they are found."""
    for name, hostile in HOSTILE.items():
        add(folder, f"hostile-{name}", hostile.module, hostile.points)
    return environment(folder, [f"trtdebug-hostile-{name}" for name in HOSTILE])


def add(folder: Path, name: str, module: str, points: str = "") -> None:
    """Writes the distribution trtdebug-NAME 0.1."""
    own = f"trtdebug_{name}".replace("-", "_")
    info = folder / f"{own}-0.1.dist-info"
    info.mkdir(parents=True)
    (folder / f"{own}.py").write_text(module)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: trtdebug-{name}\nVersion: 0.1\n")
    text = "" if "[trtdebug.commands]" in points else f"[trtdebug]\n{name} = {own}\n"
    (info / "entry_points.txt").write_text(text + points.format(module=own))


def environment(folder: Path, names: list[str]) -> dict[str, str]:
    """In which these distributions in the folder are found, and no others load."""
    return {
        "PYTHONPATH": str(folder),
        "TRTDEBUG_LOAD_PLUGINS": ",".join(names),
        "TRTDEBUG_CONFIG": "",
        "TRTDEBUG_PLUGIN_SECONDS": "1",
    }
