"""Start-up with 30 healthy extensions installed beside none: `trtdebug --help`, `inspect` and `check`.

`python bench/extensions.py [ROUNDS]` (default 15). In turns; the least CPU time of each, which other load changes
less than medians. `--help` and `inspect` import none of them; `check` has to import all, and is there for comparison.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import bar, spread

COUNT, BUDGET_MS = 30, 50.0
_CHECK = """
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check
@hookimpl
def trtdebug_checks():
    yield Check({name!r}, "does nothing", run=lambda context: ())
def command(): ...
"""


def install(folder: Path, count: int) -> None:
    """Packages as pip leaves them: a module, a description of 200 lines, a hook, a command and an API range."""
    for number in range(count):
        name = f"healthy-{number}"
        module = f"trtdebug_healthy_{number}"
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(_CHECK.format(name=name))
        head = f"Metadata-Version: 2.1\nName: trtdebug-{name}\nVersion: 1.0\nSummary: does nothing\n"
        (info / "METADATA").write_text(head + "Requires-Dist: trtdebug\n\n" + "A line of the readme.\n" * 200)
        points = f"[trtdebug]\n{name} = {module}\n[trtdebug.api]\n1 = {module}\n"
        (info / "entry_points.txt").write_text(points + f"[trtdebug.commands]\n{name} = {module}:command\n")


def milliseconds(words: list[str], path: str) -> float:
    """CPU time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": path, "TRTDEBUG_CONFIG": ""}
    subprocess.run(
        [sys.executable, "-m", "trtdebug", *words], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(folder / "site", COUNT)
        (folder / "none").mkdir()
        model = folder / "model.onnx"
        _save_model(model)
        for words in (["--help"], ["inspect", str(model)], ["check", str(model)]):
            none: list[float] = []
            many: list[float] = []
            for number in range(rounds + 1):
                a, b = milliseconds(words, str(folder / "none")), milliseconds(words, str(folder / "site"))
                if number:  # the first fills the page cache and __pycache__
                    none.append(a)
                    many.append(b)
            print(
                f"    trtdebug {words[0]}: {spread(none, '.0f')} ms; with {COUNT} extensions {spread(many, '.0f')}"
            )
            more = [min(many) - min(none)]
            target = f"<= {BUDGET_MS:.0f}"
            if words[0] != "check":
                bar(f"ms more for {words[0]}", more, lambda x: x <= BUDGET_MS, target)


def _save_model(path: Path) -> None:
    import onnx
    import onnx.parser

    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg(x) }'
    onnx.save(onnx.parser.parse_model(text), path)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
