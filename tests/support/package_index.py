"""A package index of wheels, served to pip on this machine."""

from __future__ import annotations

import contextlib
import threading
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CHECK = """
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check
@hookimpl
def trtdebug_checks():
    yield Check(__name__, "looks", run=lambda context: ())
"""


def add_extension(
    index: Path, name: str, version: str, *, api: str = "1", requires: Sequence[str] = ()
) -> Path:
    """Adds the wheel of an extension with a check; `api` is the range that it states."""
    module = name.replace("-", "_")
    points = f"[trtdebug]\n{name} = {module}\n[trtdebug.api]\n{api} = {module}\n"
    return add(index, name, version, source=CHECK, points=points, requires=requires)


def add(
    index: Path, name: str, version: str, *, source: str = "", points: str = "", requires: Sequence[str] = ()
) -> Path:
    """Adds the wheel of any package with one module."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {r}\n" for r in requires)
    files = {
        f"{module}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": points,
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    wheel = index / name / f"{module}-{version}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return wheel


class _Quiet(SimpleHTTPRequestHandler):
    """Lists a folder as a page of links, which is what PEP 503 wants."""

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(index: Path) -> Iterator[str]:
    """The index's URL, for as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(index)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
