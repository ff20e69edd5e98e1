"""Two exports of a network whose outputs have other names, or are not the same ones."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from cases import diagnose, finding, open_case
from seed_models import model_of, node, value


def exported(*outputs: str, relu: str = "z") -> onnx.ModelProto:
    nodes = [
        node("Mul", ["x", "x"], ["p"], "mul"),
        node("Add", ["p", "x"], ["y"], "add"),
        node("Relu", ["p"], [relu], "r"),
    ]
    return model_of(nodes, [value("x", [2, 8])], [value(name, [2, 8]) for name in outputs])


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (exported("y"), "outputs: the candidate model lacks 'z'"),
        (exported("y", "z", "p"), "outputs: the reference lacks 'p'"),
        (exported("y", "w", relu="w"), "outputs: the candidate model lacks 'z'; the reference lacks 'w'"),
    ],
)
def test_outputs_of_one_model_alone_are_told_and_no_matter_of_fusion(
    theirs: onnx.ModelProto, told: str, tmp_path: Path
) -> None:
    diagnosis = diagnose(open_case(exported("y", "z"), tmp_path, against=theirs))
    assert diagnosis.verdict == "diverges"
    found = finding(diagnosis, "outputs-differ")
    assert found.message == told
    assert "by name" in found.mitigation
    assert not [line for line in diagnosis.unknown if "fusion" in line]


def test_in_another_order_they_are_the_same(tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(exported("y", "z"), tmp_path, against=exported("z", "y")))
    assert (diagnosis.verdict, diagnosis.findings) == ("matches", ())


def test_many_are_counted(tmp_path: Path) -> None:
    names = [f"o{i}" for i in range(8)]
    more = exported("y")
    more.graph.node.extend(node("Relu", ["p"], [name], name) for name in names)
    more.graph.output.extend(value(name, [2, 8]) for name in names)
    diagnosis = diagnose(open_case(exported("y"), tmp_path, against=more))
    told = finding(diagnosis, "outputs-differ").message
    assert told == "outputs: the reference lacks 'o0', 'o1', 'o2', 'o3', 'o4' and 3 more"
