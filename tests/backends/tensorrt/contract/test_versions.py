"""Nothing but `compat` decides by a version, or by looking whether TensorRT has something."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import trtdebug

PACKAGE = Path(trtdebug.__file__).parent
COMPAT = PACKAGE / "backends" / "tensorrt" / "compat.py"
# Copied into repro and fix folders, where there is no trtdebug.
ALONE = (
    *(PACKAGE / "scripts").glob("*.py"),
    *(PACKAGE / "repro" / "scripts").glob("*.py"),
    *(PACKAGE / "export" / "scripts").glob("*.py"),
)
OF_PACKAGES = (PACKAGE / "plugins" / "pip.py", PACKAGE / "plugins" / "upgrading.py")
"""They compare versions of pip and of extensions."""
_MODULE = re.compile(r"(trt|tensorrt)\b")
# A version by itself or what `parse_version` makes of it; the opset's and the IR's are attributes of other things.
_VERSION = re.compile(r"(?<![.\w])version\b|parse_version|__version__")
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def decisions(source: str) -> Iterator[str]:
    """Comparisons of TensorRT's version, and probing of the tensorrt module, in Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare | ast.Call) and _decides(node):
            yield f"{node.lineno}: {ast.unparse(node)}"


def _decides(node: ast.Compare | ast.Call) -> bool:
    text = ast.unparse(node)
    if isinstance(node, ast.Compare):
        ordered = any(isinstance(op, _ORDER) for op in node.ops)
        return "trt.__version__" in text or (ordered and _VERSION.search(text) is not None)
    if isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr"):
        return _MODULE.match(ast.unparse(node.args[0])) is not None and (node.func.id, len(node.args)) != (
            "getattr",
            2,
        )
    return isinstance(node.func, ast.Attribute) and node.func.attr == "startswith" and "version" in text


@pytest.mark.parametrize(
    "source",
    [
        "trt.__version__ == '8.6.0'",
        "parse_version(trt.__version__) >= (10, 0)",
        "if version < (11, 0): pass",
        "hasattr(trt.BuilderFlag, 'FP16')",
        "getattr(trt, 'OnnxParserFlag', None)",
        "trt.__version__.startswith('8')",
    ],
)
def test_a_decision_is_seen(source: str) -> None:
    assert list(decisions(source))


def test_only_compat_decides_by_version() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path not in (COMPAT, *ALONE, *OF_PACKAGES)]
    found = {str(p.relative_to(PACKAGE)): list(decisions(p.read_text(encoding="utf-8"))) for p in files}
    assert not {name: places for name, places in found.items() if places}


def test_the_backend_probes_no_object_of_tensorrt() -> None:
    """`hasattr` hides from the table what is asked for; `compat.optional` looks it up there."""
    backend = [path for path in COMPAT.parent.glob("*.py") if path != COMPAT]
    found = {
        f"{path.name}:{node.lineno}"
        for path in backend
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr"
    }
    assert not found
