"""Lists the names of a TensorRT module: prints JSON. Runs by itself, in the environment of that TensorRT.

    python listing.py                          the tensorrt that this Python imports
    python listing.py > tensorrt-8.6.0.json    how the recorded listing was made, with TensorRT 8.6.0's wheel

Where the libraries that TensorRT 8.6 wants (cuDNN, cuBLAS) are not, empty ones of those names will do: symbols are
bound lazily.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from types import ModuleType
from typing import Any


def listing(module: ModuleType) -> dict[str, Any]:
    """Names of a TensorRT module.

    Returns:
        `version`; `members`: public attributes by class, enumerators included, what a class inherits from another
        of TensorRT left out, functions and constants of the module under "";
        `read_only`: properties that cannot be set, by class.
    """
    classes = {name: found for name, found in vars(module).items() if _is_own_class(name, found)}
    nested = {
        f"{n}.{k}": found for n, c in classes.items() for k, found in vars(c).items() if _is_enum(found)
    }
    loose = [n for n, f in vars(module).items() if n[0] != "_" and not inspect.isclass(f) and _is_api(f)]
    members = {name: _own(found) for name, found in {**classes, **nested}.items()}
    read_only = {
        name: [n for n in members[name] if _is_read_only(found, n)] for name, found in classes.items()
    }
    return {
        "version": str(module.__version__),
        "members": {"": sorted(loose), **dict(sorted(members.items()))},
        "read_only": {name: found for name, found in sorted(read_only.items()) if found},
    }


def _is_own_class(name: str, found: object) -> bool:
    return inspect.isclass(found) and "tensorrt" in found.__module__ and not name.startswith("_")


def _is_api(found: object) -> bool:
    return callable(found) or _is_enum(type(found))


def _is_enum(found: object) -> bool:
    return inspect.isclass(found) and hasattr(found, "__members__")


def _own(found: type) -> list[str]:
    if _is_enum(found):
        return sorted(found.__members__)  # type: ignore[attr-defined]
    inherited = {n for base in found.__mro__[1:] if "tensorrt" in base.__module__ for n in vars(base)}
    return sorted(n for n in dir(found) if not n.startswith("_") and n not in inherited)


def _is_read_only(found: type, name: str) -> bool:
    value = inspect.getattr_static(found, name, None)
    return isinstance(value, property) and value.fset is None


def as_json(names: dict[str, Any]) -> str:
    """The listing as JSON, a class a line."""

    def lines(found: dict[str, list[str]]) -> str:
        return "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()) + "\n}"

    version, members, read_only = (
        json.dumps(names["version"]),
        lines(names["members"]),
        lines(names["read_only"]),
    )
    return f'{{"version": {version},\n"members": {members},\n"read_only": {read_only}}}\n'


if __name__ == "__main__":
    sys.setdlopenflags(os.RTLD_LAZY)
    sys.stdout.write(as_json(listing(importlib.import_module("tensorrt"))))
