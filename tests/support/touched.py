"""Finds in Python source what it uses of TensorRT's API, without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

CLASS_OF = {
    "builder": "Builder",
    "cache": "ITimingCache",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "layer": "ILayer",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "registry": "IPluginRegistry",
    "runtime": "Runtime",
    "tensor": "ITensor",
}
"""What an object of TensorRT is called in the backend, and its class; of other names the class is not known."""

MODULES = ("trt", "tensorrt")
_PROBES = ("getattr", "hasattr", "setattr")
_CALLED = re.compile(r"[(\[]")


@dataclass(frozen=True)
class Use:
    """One use of an attribute.

    Attributes:
        owner: class, or enum, of TensorRT; "" = the module itself; None = an object whose class is not known.
        written: it is assigned.
    """

    owner: str | None
    attribute: str
    place: str
    written: bool = False

    @property
    def path(self) -> str:
        """As it stands in the table of `compat`: "Class" or "Class.attribute"."""
        return f"{self.owner}.{self.attribute}" if self.owner else self.attribute


def uses(folder: Path) -> list[Use]:
    """Every use of an attribute in a folder's Python files that may be one of TensorRT's.

    Left out is what belongs to this package for certain: attributes of other modules, of `self`, of parameters that are
    annotated with anything but Any, and of what is taken out of those.
    """
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.py"))}
    typed = frozenset(n.name for tree in trees.values() for n in ast.walk(tree) if _is_typed_function(n))
    return [
        use
        for name, tree in trees.items()
        for use in _Scan(name, _imports(tree), typed).of(tree, frozenset())
    ]


def constants(folder: Path) -> dict[str, str]:
    """Every string in a folder's Python files that is one word, docstrings left out, and where it stands."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found[node.value] = f"{path.name}:{node.lineno}"
    return found


def methods(folder: Path) -> set[str]:
    """Names of all methods of classes that are defined within functions, as those that inherit from TensorRT are."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")]
    functions = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    classes = [c for function in functions for c in ast.walk(function) if isinstance(c, ast.ClassDef)]
    return {n.name for c in classes for n in c.body if isinstance(n, ast.FunctionDef)}


def _is_typed_function(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.ClassDef]:
    if isinstance(node, ast.FunctionDef):
        return node.returns is not None and "Any" not in ast.unparse(node.returns)
    return isinstance(node, ast.ClassDef)


def _imports(tree: ast.AST) -> frozenset[str]:
    aliases = (a for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names)
    return frozenset((a.asname or a.name).split(".")[0] for a in aliases) - set(MODULES)


@dataclass(frozen=True)
class _Scan:
    """Uses in one file.

    Attributes:
        imported: modules and what is imported from them.
        typed: classes and functions of the package that give something of its own.
    """

    file: str
    imported: frozenset[str]
    typed: frozenset[str]

    def of(self, node: ast.AST, ours: frozenset[str]) -> Iterator[Use]:
        """Uses under `node`; `ours` are the names in scope that hold something of this package."""
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            ours = _names_of_ours(node, ours, self.typed)
        if isinstance(node, ast.Attribute):
            yield from self._use(node, node.value, node.attr, ours, isinstance(node.ctx, ast.Store))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PROBES:
            name = node.args[1]
            if isinstance(name, ast.Constant):
                yield from self._use(node, node.args[0], str(name.value), ours, node.func.id == "setattr")
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "compat.optional":
            owner, _, name = ast.literal_eval(node.args[1]).rpartition(".")
            yield Use(owner, name, f"{self.file}:{node.lineno}")
        for child in ast.iter_child_nodes(node):
            if child not in (getattr(node, "annotation", None), getattr(node, "returns", None)):
                yield from self.of(child, ours)

    def _use(
        self, node: ast.expr, value: ast.expr, name: str, ours: frozenset[str], written: bool
    ) -> Iterator[Use]:
        place = f"{self.file}:{node.lineno}"
        root = _root(value)
        if name.startswith("__") or isinstance(value, ast.Constant | ast.JoinedStr):
            return
        if isinstance(root, ast.Name) and root.id in MODULES:
            # trt.X or trt.X.Y; what hangs on a call is an object whose class is not known
            path = ast.unparse(value).partition(".")[2]
            yield Use(None if _CALLED.search(path) else path, name, place, written)
        elif isinstance(value, ast.Name) and value.id in ours | self.imported | {"self", "cls"}:
            return
        else:
            called = value.attr if isinstance(value, ast.Attribute) else ast.unparse(value)
            yield Use(CLASS_OF.get(called.lstrip("_")), name, place, written)


def _root(value: ast.expr) -> ast.expr:
    while isinstance(value, ast.Attribute | ast.Call | ast.Subscript):
        value = value.func if isinstance(value, ast.Call) else value.value
    return value


def _names_of_ours(
    function: ast.FunctionDef | ast.Lambda, ours: frozenset[str], typed: frozenset[str]
) -> frozenset[str]:
    """Names that hold something of this package: parameters annotated with it, what is taken out of those, and
    what typed functions give."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    own = {a.arg for a in arguments if a.annotation is not None and ast.unparse(a.annotation) != "Any"}
    names = (set(ours) - {a.arg for a in arguments}) | own | {"self"}
    for _ in range(3):  # names taken out of names taken out of parameters
        for node in ast.walk(function):
            if isinstance(node, ast.AnnAssign) and "Any" not in ast.unparse(node.annotation):
                names |= _targets(node.target)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                names.add(node.name)
            elif isinstance(node, ast.For | ast.comprehension) and names & _names(node.iter):
                names |= _targets(node.target)
            elif isinstance(node, ast.Assign) and _is_ours(node.value, names | typed):
                names |= {n for target in node.targets for n in _targets(target)}
    return frozenset(names)


def _is_ours(value: ast.expr, ours: set[str]) -> bool:
    holds_theirs = isinstance(value, ast.Attribute) and value.attr in CLASS_OF  # parsed.network, say
    root = _root(value)
    return isinstance(root, ast.Name) and root.id in ours and not holds_theirs


def _names(node: ast.expr) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _targets(target: ast.expr) -> set[str]:
    return {n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
