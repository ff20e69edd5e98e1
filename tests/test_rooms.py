"""A room imports only from rooms below its own, and what is said of rooms holds in the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import trtdebug

PACKAGE = Path(trtdebug.__file__).parent
FLOORS = (
    {"core"},
    {"graph", "scripts"},
    {"oracle", "search"},
    {"plugins"},
    {"backends"},
    {"session"},
    {"checks", "fixes", "stages"},
    {"repro", "export", "report"},
    {"debugger"},
    {"api"},
    {"pytest_plugin", "testing"},
    {"cli"},
)
"""docs/how-it-works.md, section Rooms; those of one floor do not import each other either."""
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
STAGES = (
    {"inputs", "recurrence", "viewed"},
    {"context"},
    {"jobs", "low_trials", "repeated"},
    {"opening", "unbuilt"},
    {"capability", "verdicts"},
    {"observing", "engines"},
    {"localising", "other_causes"},
    {"fixing", "tactics"},
)
"""The parts of `stages`, from the bottom."""
SOURCES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, in functions too; not what only a type checker reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for block in [
        n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)
    ]:
        block.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{a.name}") for a in node.names)


def test_every_room_has_a_floor() -> None:
    assert {room_of(p) for p in SOURCES} - {"__init__", "__main__"} == set(FLOOR_OF)


@pytest.mark.parametrize("room", sorted(FLOOR_OF))
def test_a_room_imports_only_from_below(room: str) -> None:
    upward = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in SOURCES
        if room_of(path) == room
        for line, name in imported(path)
        if name.startswith("trtdebug.")
        for other in [name.split(".")[1]]
        if other in FLOOR_OF and other != room and FLOOR_OF[other] >= FLOOR_OF[room]
    ]
    assert not upward


def test_a_part_of_stages_imports_only_from_below() -> None:
    floor_of = {part: number for number, parts in enumerate(STAGES) for part in parts}
    stages = PACKAGE / "stages"
    upward = []
    for path in sorted(stages.rglob("*.py")):
        part = path.relative_to(stages).parts[0].removesuffix(".py")
        for line, name in imported(path):
            if part != "__init__" and name.startswith("trtdebug.stages."):
                other = name.split(".")[2]
                if other != part and floor_of[other] >= floor_of[part]:
                    upward.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not upward


def test_tensorrt_is_imported_by_its_backend_only_and_in_functions() -> None:
    alone = ("scripts/", "repro/scripts/", "export/scripts/")  # run where there is no trtdebug
    places = []
    for path in SOURCES:
        where = path.relative_to(PACKAGE).as_posix()
        top = {n.lineno for n in ast.parse(path.read_text(encoding="utf-8")).body}
        for line, name in imported(path):
            if name.split(".")[0] == "tensorrt" and not where.startswith(alone):
                inside = where.startswith("backends/tensorrt/")
                places += [] if inside and line not in top else [f"{where}:{line}"]
    assert not places


def test_search_knows_no_onnx() -> None:
    foreign = {"onnx", "onnxruntime", "tensorrt", "polygraphy", "onnx_graphsurgeon"}
    assert not [
        (p.name, name)
        for p in SOURCES
        if room_of(p) == "search"
        for _, name in imported(p)
        if name.split(".")[0] in foreign
    ]


def test_nothing_below_the_command_line_prints() -> None:
    alone = ("scripts/", "repro/scripts/", "export/scripts/", "backends/run_plan.py", "cli/")
    printing = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in SOURCES
        if not path.relative_to(PACKAGE).as_posix().startswith(alone)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing
