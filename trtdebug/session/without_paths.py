"""Texts without the paths of this machine: what is sent away tells nothing of its folders."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_TOKEN = re.compile(r"/[^\s\"'`<>|,;:()\[\]{}=*?\\]+")
"""What may be an absolute path, or the name of a node: exporters begin names with a slash, too."""


class Places:
    """Replaces paths.

    Args:
        known: absolute path -> what stands for it. Others that exist here lose their folders.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = dict(sorted(known.items(), key=lambda pair: -len(pair[0])))

    def text(self, text: str) -> str:
        """Of a line or more."""
        for path, name in self.known.items():
            text = text.replace(path, name)
        return _TOKEN.sub(lambda found: _bare(found[0]), text).replace(str(Path.home()), "~")

    def json(self, text: str) -> str:
        """Of a JSON text, in all of its strings; indented, with its keys in their order."""
        return json.dumps(self._data(json.loads(text)), indent=2, ensure_ascii=False) + "\n"

    def lines(self, text: str) -> str:
        """Of a text with a JSON value a line; damaged lines are left out."""
        return "".join(f"{line}\n" for line in map(self._line, text.splitlines()) if line)

    def _line(self, line: str) -> str:
        try:
            return json.dumps(self._data(json.loads(line)), ensure_ascii=False)
        except json.JSONDecodeError:
            return ""

    def _data(self, data: Any) -> Any:
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, list):
            return [self._data(item) for item in data]
        if isinstance(data, dict):
            return {self.text(key): self._data(value) for key, value in data.items()}
        return data


@lru_cache(maxsize=4096)
def _bare(token: str) -> str:
    """The last part of a path whose folder is here; anything else, such as a node's name, stays."""
    path = Path(token.rstrip("."))
    try:
        here = len(path.parts) > 2 and path.parent.is_dir()
    except (OSError, ValueError):  # too long for a path
        here = False
    return path.name + token[len(token.rstrip(".")) :] if here else token
