"""What a parser takes, asked by the tensorrt backend: of TensorRT-RTX's for real, of 8.6's by its way of answering."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import bindings
import onnx
import pytest
from capability_models import branches_with_nonzero, det_in_a_branch
from seed_models import unknown_operator, with_if

from trtdebug.backends.base import Subgraph
from trtdebug.backends.tensorrt.support import parser_support
from trtdebug.core.build_error import BuildError
from trtdebug.graph.load import save_model

ASK = """
import json, sys
from pathlib import Path
from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.support import support
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.jsonable import to_data
for name in sys.argv[1:]:
    try:
        said = to_data(support(BuildRequest(Path(name), BuildOptions(), Path(name).parent)))
    except BuildFailure as failure:
        said = failure.message
    print("said", json.dumps(said))
"""


def asked(child, *paths: Path):
    done = child.run("-c", ASK, *map(str, paths))
    return [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("said ")]


def test_by_the_parser_of_tensorrt_rtx(child, tmp_path: Path) -> None:
    makers = (with_if, unknown_operator, branches_with_nonzero, det_in_a_branch)
    for make in makers:
        onnx.save(make(), tmp_path / f"{make.__name__}.onnx")
    taken, unknown, nonzero, det = asked(
        child(bindings.RTX), *(tmp_path / f"{make.__name__}.onnx" for make in makers)
    )
    assert taken == {"parsed": True, "errors": [], "subgraphs": []}
    assert unknown["parsed"] is False
    assert [(e["node"], e["operator"], e["code"]) for e in unknown["errors"]] == [
        ("unknown", "UnknownNode", "INVALID_NODE")
    ]
    assert [s["nodes"] for s in unknown["subgraphs"]] == [["first"], ["last"]]
    left = {n for s in nonzero["subgraphs"] for n in s["nodes"]}
    assert "nonzero" not in left
    assert [(e["inside"], e["operator"]) for e in det["errors"]] == [(["branch"], "Det")]


def test_weights_beside_the_model_are_found(child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtdebug.graph.load.EXTERNAL_ABOVE", 100)
    monkeypatch.setattr("trtdebug.graph.load._SMALL_TENSOR", 1)
    text = '<ir_version: 8, opset_import: ["" : 13]> g (float[1,64] x) => (float y) { a = MatMul(x, w) y = Det(a) }'
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.helper.make_tensor("w", 1, [64, 64], bytes(64 * 64 * 4), raw=True))
    save_model(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx.data").is_file()
    [said] = asked(child(bindings.RTX), tmp_path / "model.onnx")
    assert [(e["operator"], e["code"]) for e in said["errors"]] == [("Det", "UNSUPPORTED_NODE")]
    assert [s["nodes"] for s in said["subgraphs"]] == [["node_of_a"]]


@pytest.mark.parametrize("version", bindings.TENSORRT)
def test_without_a_builder_there_is_no_parser(child, version: str, tmp_path: Path) -> None:
    onnx.save(with_if(), tmp_path / "model.onnx")
    [said] = asked(child(version), tmp_path / "model.onnx")
    assert said.startswith("TensorRT makes no builder here: ")


class OldParser:
    """Answers as 8.6 does: errors without names, and pairs from supports_model."""

    def __init__(self, refused: int) -> None:
        self.num_errors = 0
        self._refused = refused

    def parse(self, data: bytes) -> bool:
        self.num_errors = 1
        return False

    def get_error(self, index: int) -> SimpleNamespace:
        says = {
            "node": self._refused,
            "code": "ErrorCode.UNSUPPORTED_NODE",
            "desc": "No importer\n registered",
        }
        return SimpleNamespace(**{name: lambda value=value: value for name, value in says.items()})

    def supports_model(self, data: bytes, path: str):
        return False, [([0], True), ([2], False)]


def test_of_8_6_pairs_of_nodes_and_a_word(tmp_path: Path) -> None:
    onnx.save(unknown_operator(), tmp_path / "model.onnx")
    found = parser_support(tmp_path / "model.onnx", lambda: (None, OldParser(1)), [])
    error = BuildError("parse", "No importer registered", "UNSUPPORTED_NODE", "unknown", "UnknownNode")
    assert (found.parsed, found.errors) == (False, (error,))
    assert found.subgraphs == (Subgraph(("first",), True), Subgraph(("last",), False))
