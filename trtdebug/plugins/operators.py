"""Custom operators from files: Python functions marked `@operator`, or a model file's ONNX functions."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar

from trtdebug.core.case import OperatorSource
from trtdebug.core.errors import UserError
from trtdebug.plugins.types import Operator, ValueType

if TYPE_CHECKING:
    import onnx

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__trtdebug_operator__"
IN_FILES = ("python", "functions")
"""Kinds of sources that tell what they implement."""
_LIBRARIES = (".so", ".dll", ".dylib")


def operator(
    op: str,
    domain: str = "",
    *,
    infer: Callable[..., Sequence[ValueType]] | None = None,
    body: onnx.FunctionProto | None = None,
    seconds: float = 120.0,
) -> Callable[[F], F]:
    """Marks a function as what an operator computes; it stays the function it is. Arguments as in `Operator`.

    Example::

        @operator("Swish", "my.ops")
        def swish(x, beta=1.0):
            return x / (1 + np.exp(-beta * x))
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, Operator(op, domain, function, infer, body, seconds))
        return function

    return mark


def marked_operators(module: object) -> tuple[Operator, ...]:
    """What `@operator` marked in a module, and instances of `Operator` in it, in their order."""
    found: dict[int, Operator] = {}
    for value in vars(module).values():
        marked = value if isinstance(value, Operator) else getattr(value, _MARK, None)
        if isinstance(marked, Operator):
            found[id(marked)] = marked
    return tuple(found.values())


def operator_source(path: Path) -> OperatorSource:
    """What a file that the user gave is, by its suffix. Raises `UserError` for a file that is none of these."""
    if not path.is_file():
        raise UserError(f"there is no operators file {path}.", "Check --operators.")
    path = path.resolve()
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.suffix == ".py":
        return OperatorSource("python", str(path), content)
    if path.suffix == ".onnx":
        return OperatorSource("functions", str(path), content)
    if path.suffix in _LIBRARIES:
        return OperatorSource("library", str(path), content)
    raise UserError(
        f"{path.name} is no file that operators come from.",
        "--operators takes .py (functions marked @operator), .onnx (ONNX functions) or a library for onnxruntime.",
    )


@lru_cache(maxsize=16)
def operators_of(source: OperatorSource) -> tuple[Operator, ...]:
    """The operators in a Python file or a file of ONNX functions.

    Raises:
        UserError: the file has changed since, cannot be read, or holds none.
    """
    path = Path(source.name)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != source.content:
        raise UserError(
            f"the operators file {path} is not what it was when the case was opened.",
            "Start a new session with it.",
        )
    found = marked_operators(_module(path, source.content)) if source.kind == "python" else _functions(path)
    if not found:
        how = (
            "mark functions with @operator" if source.kind == "python" else "its model has to hold functions"
        )
        raise UserError(f"{path} holds no operators.", f"See docs/custom-operators.md: {how}.")
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{path} has two implementations of {twice}.", "Leave one of them.")
    return found


class _AsItIs(SourceFileLoader):
    """Compiles the file anew. Python takes compiled code of a file of the same size and second for that of the file."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _module(path: Path, content: str) -> object:
    name = f"trtdebug_operators_{content[:16]}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItIs(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
        ]
        line = where[-1] if where else getattr(error, "lineno", None)
        at = f", line {line}" if line else ""
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"the operators file {path}{at} raises {said}.", "It has to be importable by itself."
        ) from error
    return module


def _functions(path: Path) -> tuple[Operator, ...]:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError:
        raise UserError(f"{path} is not an ONNX model.", "Give a model file that holds functions.") from None
    return tuple(Operator(function.name, function.domain, body=function) for function in model.functions)
