"""Makes one file of a module and of what it takes from trtdebug, so that it runs where trtdebug is not installed.

So a fix folder's script holds the very functions with which trtdebug builds, and no second version of them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

_PACKAGE = __name__.partition(".")[0]
_TOO_OLD = "if sys.version_info < (3, 10):\n    sys.exit('error: this script needs Python 3.10 or later')"
"""Said before anything else: TensorRT 8.6 runs on older ones, too."""


def bundle(module: str) -> str:
    """Source of `module` in which every import from this package is replaced by the definitions it stands for.

    Each definition stands once, after those that it uses, with its comments. Imports from elsewhere come first.

    Raises:
        ValueError: two modules use one name for different things, or one imports in a way that is not understood.
    """
    whole = _Bundle()
    main = whole.module(module)
    whole.origin |= dict.fromkeys(main.defined, module)
    for name in main.taken_by(main.tree.body):
        whole.take(main, name)
    for statement in main.rest:
        whole.note_imports(main, [statement])
    imports = sorted({*whole.imports, "import sys"})
    before = "\n".join([main.head, "from __future__ import annotations\n", *imports])
    return "\n\n\n".join([f"{before}\n\n{_TOO_OLD}", *whole.parts, main.text]) + "\n"


@dataclass
class _Module:
    """A module of this package as source."""

    name: str

    @cached_property
    def source(self) -> str:
        spec = find_spec(self.name)
        if spec is None or spec.origin is None:
            raise ValueError(f"no module {self.name}")
        return Path(spec.origin).read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> list[str]:
        return self.source.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> dict[str, ast.ImportFrom | ast.Import]:
        """By the name that it binds."""
        found: dict[str, ast.ImportFrom | ast.Import] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(a.asname or a.name).partition(".")[0]: node for a in node.names}
        return found

    @cached_property
    def defined(self) -> dict[str, int]:
        """Index in the tree's body by name."""
        found: dict[str, int] = {}
        for index, node in enumerate(self.tree.body):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = index
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                named = (n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
                found |= {n.id: index for n in named}
        return found

    @cached_property
    def rest(self) -> list[ast.stmt]:
        """All but docstring and imports."""
        return [n for n in self.tree.body if not isinstance(n, ast.Import | ast.ImportFrom)][1:]

    @property
    def head(self) -> str:
        """Docstring, and the comments up to the first import."""
        first = next(n for n in self.tree.body if isinstance(n, ast.Import | ast.ImportFrom))
        return "\n".join(self.lines[: first.lineno - 1])

    @property
    def text(self) -> str:
        """All of it but docstring and imports."""
        imports = [n for n in self.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        return "\n".join(self.lines[imports[-1].end_lineno or 0 :]).strip()

    def ours(self, name: str) -> str | None:
        """The module of this package from which a name is imported; None for other names."""
        node = self.imports.get(name)
        if not isinstance(node, ast.ImportFrom) or (node.module or "").partition(".")[0] != _PACKAGE:
            return None
        return node.module

    def is_module(self, name: str) -> bool:
        return name in self.modules

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The imported names that stand for modules of this package."""
        ours = ((name, self.ours(name)) for name in self.imports)
        return tuple(n for n, package in ours if package is not None and _is_package(package))

    def taken_by(self, statements: list[ast.stmt]) -> list[str]:
        """Names imported from this package that these statements use, in order; "module.name" of a module."""
        found: dict[str, None] = {}
        for statement in statements:
            for node in ast.walk(statement):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    if self.is_module(node.value.id):
                        found[f"{node.value.id}.{node.attr}"] = None
                elif isinstance(node, ast.Name) and self.ours(node.id) and not self.is_module(node.id):
                    found[node.id] = None
        return list(found)

    def segment(self, index: int) -> tuple[str, list[ast.stmt]]:
        """Text of a definition: with its decorators, the comments before it, and the docstring after it."""
        body, node = self.tree.body, self.tree.body[index]
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        while start and self.lines[start - 1].startswith("#"):
            start -= 1
        after = body[index + 1] if index + 1 < len(body) else None
        documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        end = (after if documented and after is not None else node).end_lineno or 0
        return "\n".join(self.lines[start:end]), [node]


def _is_package(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


@dataclass
class _Bundle:
    """What was gathered so far: definitions in order, and the imports that they need."""

    parts: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    origin: dict[str, str] = field(default_factory=dict)
    modules: dict[str, _Module] = field(default_factory=dict)

    def module(self, name: str) -> _Module:
        """Read once: many definitions come from one module."""
        return self.modules.setdefault(name, _Module(name))

    def take(self, module: _Module, name: str) -> None:
        """Adds what `module` imports under this name."""
        first, _, attribute = name.partition(".")
        source = module.ours(first)
        if source is None:
            raise ValueError(f"{module.name} does not import {name} from {_PACKAGE}")
        if attribute:
            self.define(self.module(f"{source}.{first}"), attribute)
        else:
            self.define(self.module(source), first)

    def define(self, module: _Module, name: str) -> None:
        """Adds a definition, after all that it uses."""
        if self.origin.get(name) == module.name:
            return
        if name in self.origin:
            raise ValueError(f"both {self.origin[name]} and {module.name} define {name}")
        if name not in module.defined:
            if not module.ours(name):
                raise ValueError(f"{module.name} does not define {name}")
            self.take(module, name)
            return
        index = module.defined[name]
        self.origin |= {n: module.name for n, i in module.defined.items() if i == index}
        text, statements = module.segment(index)
        for used in module.taken_by(statements):
            self.take(module, used)
        used_here = {n.id for s in statements for n in ast.walk(s) if isinstance(n, ast.Name)}
        for other in sorted(used_here & module.defined.keys() - {name}, key=module.defined.__getitem__):
            self.define(module, other)
        self.note_imports(module, statements)
        for alias in module.modules:
            text = re.sub(rf"\b{alias}\.(?=[A-Za-z_])", "", text)
        self.parts.append(text)

    def note_imports(self, module: _Module, statements: list[ast.stmt]) -> None:
        """Keeps the imports from elsewhere that these statements need."""
        for name in {n.id for s in statements for n in ast.walk(s) if isinstance(n, ast.Name)}:
            node = module.imports.get(name)
            if node is None or module.ours(name) or getattr(node, "module", "") == "__future__":
                continue
            alias = next(a for a in node.names if (a.asname or a.name).partition(".")[0] == name)
            bound = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
            start = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
            self.imports.add(f"{start}import {bound}")
