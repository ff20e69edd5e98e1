"""`trtdebug doctor`: what works here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trtdebug import __version__
from trtdebug.cli.console import say, say_json, say_table
from trtdebug.cli.errors import user_errors
from trtdebug.cli.options import Json
from trtdebug.cli.plugins import load

_PACKAGES = (
    "onnx",
    "onnx-graphsurgeon",
    "onnxruntime",
    "onnxruntime-gpu",
    "polygraphy",
    "numpy",
    "tensorrt",
    "cuda-python",
)


@user_errors
def doctor(json: Json = False) -> None:
    """What works on this machine: GPU, backends, extensions. And why not."""
    data = _examine()
    if json:
        say_json(data)
        return
    say(f"trtdebug {data['trtdebug']}, Python {data['python']}, {data['platform']}")
    say(f"GPU      {data['gpu'] or 'none found (nvidia-smi)'}")
    rows = list(_rows(data))
    say_table(("", "name", "state"), rows, (f"{kind:8} {name:18} {state}" for kind, name, state in rows))


def _rows(data: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Kind, name and state of everything that was looked at."""
    for name, backend in data["backends"].items():
        works = f"works, {backend['version']} {backend['device']}".rstrip()
        yield "backend", name, works if backend["ok"] else f"no: {backend['reason']}"
    for name, version in data["packages"].items():
        yield "package", name, version or "not installed"
    for extension in data["extensions"]:
        error = f": {extension['error']}" if extension["error"] else ""
        provider = f"{extension['distribution']} {extension['version']}"
        yield "plugin", extension["name"], f"({provider}) {extension['state']}{error}"


def _examine() -> dict[str, Any]:
    import platform

    from trtdebug.backends.base import TriesOut

    plugins = load()
    backends = {}
    for name, backend in plugins.backends().items():
        found = backend.try_out() if isinstance(backend, TriesOut) else backend.probe()
        backends[name] = {
            "ok": found.ok,
            "version": found.version,
            "device": found.device,
            "reason": found.reason,
        }
    return {
        "trtdebug": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "gpu": _gpu(),
        "backends": backends,
        "packages": {name: _version(name) for name in _PACKAGES},
        "extensions": [
            {
                "name": p.name,
                "distribution": p.distribution,
                "version": p.version,
                "state": p.state,
                "error": p.error,
            }
            for p in plugins.plugins()
            if not p.builtin
        ],
    }


def _gpu() -> str:
    import shutil
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return ""
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return "; ".join(done.stdout.strip().splitlines()) if done.returncode == 0 else ""


def _version(name: str) -> str | None:
    import importlib.metadata  # slow: 20 ms

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
