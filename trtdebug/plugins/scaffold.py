"""Writes a new extension: one check, one fix, and tests that pass."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path
from string import Template

from trtdebug import __version__
from trtdebug.core.errors import UserError

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "{module}/__init__.py": "module/__init__.py",
    "tests/test_{module}.py": "tests/test_plugin.py",
}


def create(name: str, parent: Path) -> Path:
    """Writes the package `parent/trtdebug-<name>` and returns its folder. `name` may start with "trtdebug-".

    Raises:
        UserError: the name is no package name, or the folder is there or can't be written.
    """
    short = name.removeprefix("trtdebug-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", short):
        raise UserError(
            f"{name!r} is no name for an extension.", "Use lower-case letters, digits and '-': my-check."
        )
    words = {
        "name": short,
        "distribution": f"trtdebug-{short}",
        "module": f"trtdebug_{short.replace('-', '_')}",
        "version": ".".join(__version__.split(".")[:2]),
    }
    folder = parent / words["distribution"]
    template = importlib.resources.files("trtdebug.plugins") / "template"
    try:
        folder.mkdir(parents=True)
        for target, source in _FILES.items():
            path = folder / target.format(**words)
            path.parent.mkdir(exist_ok=True)
            text = template.joinpath(f"{source}.tmpl").read_text(encoding="utf-8")
            path.write_text(Template(text).substitute(words), encoding="utf-8")
    except FileExistsError:
        raise UserError(f"{folder} is there already.", "Choose another name or --dir.") from None
    except OSError as error:
        raise UserError(f"{folder} can't be written: {error.strerror}.", "Choose another --dir.") from None
    return folder
