"""Extensions as pip would leave them: a module and a dist-info on sys.path."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from trtdebug.plugins.manager import PluginManager


@pytest.fixture
def extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PluginManager]:
    """`extension(name, source, api=None)` installs trtdebug-NAME 1.2; a manager with what was installed so far."""
    folder, names = tmp_path / "site", []
    monkeypatch.syspath_prepend(str(folder))

    def install(name: str, source: str, api: str | None = None) -> PluginManager:
        module = f"trtdebug_{name}"
        info = folder / f"{module}-1.2.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: trtdebug-{name}\nVersion: 1.2\n")
        points = f"[trtdebug]\n{name} = {module}\n"
        points += f"[trtdebug.api]\n{api} = {module}\n" if api is not None else ""
        (info / "entry_points.txt").write_text(points)
        monkeypatch.delitem(sys.modules, module, raising=False)
        names.append(f"trtdebug-{name}")
        monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", ",".join(names))
        return PluginManager.load()

    return install
