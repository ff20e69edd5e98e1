"""One file of a module and of what it takes from the package."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from trtdebug.scripts.bundle import bundle

SCRIPTS = ("trtdebug.export.scripts.build", "trtdebug.export.scripts.polygraphy_constraints")


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_holds_all_that_it_uses_and_imports_python_only(script: str) -> None:
    text = bundle(script)
    ast.parse(
        text, feature_version=(3, 8)
    )  # so that an older Python comes as far as to say that it is too old
    tree = ast.parse(text)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    modules = {(getattr(n, "module", None) or n.names[0].name).partition(".")[0] for n in imports}
    assert modules <= {*sys.stdlib_module_names, "tensorrt"}
    top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert "tensorrt" not in {n.names[0].name for n in top}
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert len(defined) == len(set(defined))
    assert {"read_layers", "owners", "plan_precision", "apply_precision"} <= set(defined)


def test_the_functions_are_those_of_the_backend() -> None:
    from trtdebug.backends.tensorrt import layers, precision

    text = bundle(SCRIPTS[0])
    for module in (layers, precision):
        source = Path(module.__file__ or "").read_text(encoding="utf-8")
        wanted = next(
            n for n in ast.parse(source).body if getattr(n, "name", "") in ("read_layers", "plan_precision")
        )
        assert ast.get_source_segment(source, wanted) in text


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`package(name=source, ...)`: modules of a package that `bundle` takes for its own."""
    import trtdebug

    monkeypatch.setattr(trtdebug, "__path__", [*trtdebug.__path__, str(tmp_path)])

    def write(**modules: str) -> None:
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source)

    return write


HEAD = '"""Doc."""\n\nfrom __future__ import annotations\n\n'


def test_definitions_come_after_what_they_use(package) -> None:
    package(
        part_a=HEAD + "from math import pi as PI\n\n# why\nLIMIT = 2\n'''documented'''\n\n"
        "def area():\n    return helper() * LIMIT\n\ndef helper():\n    return PI\n\ndef unused():\n    pass\n",
        part_b=HEAD
        + "from trtdebug import part_a\nfrom trtdebug.part_a import area\n\nprint(area(), part_a.LIMIT)\n",
        part_c=HEAD + "from trtdebug import part_a\n\ndef twice():\n    return 2 * part_a.area()\n",
        part_d=HEAD + "from trtdebug.part_c import twice\n\nRESULT = twice()\n",
    )
    text = bundle("trtdebug.part_d")
    assert "# why\nLIMIT = 2\n'''documented'''" in text
    assert "unused" not in text
    space: dict[str, float] = {}
    exec(text, space)
    assert round(space["RESULT"], 2) == 12.57


def test_two_meanings_of_one_name_are_refused(package) -> None:
    package(
        part_e=HEAD + "def one():\n    return _same()\n\ndef _same():\n    return 1\n",
        part_f=HEAD + "def two():\n    return _same()\n\ndef _same():\n    return 2\n",
        part_g=HEAD
        + "from trtdebug.part_e import one\nfrom trtdebug.part_f import two\n\nprint(one(), two())\n",
        part_h=HEAD + "from trtdebug.part_e import nothing\n\nprint(nothing)\n",
    )
    with pytest.raises(ValueError, match=r"both trtdebug\.part_e and trtdebug\.part_f define _same"):
        bundle("trtdebug.part_g")
    with pytest.raises(ValueError, match="does not define nothing"):
        bundle("trtdebug.part_h")


def test_a_name_of_the_script_itself_is_one_meaning_too(package) -> None:
    package(
        part_i=HEAD + "def one():\n    return _same()\n\ndef _same():\n    return 1\n",
        part_j=HEAD + "from trtdebug.part_i import one\n\ndef _same():\n    return 3\n\nprint(one())\n",
    )
    with pytest.raises(ValueError, match="define _same"):
        bundle("trtdebug.part_j")
