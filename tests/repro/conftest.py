"""Small failing models, recorded on onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtdebug.core.outcome import Signature
from trtdebug.graph.index import GraphIndex
from trtdebug.repro.spec import ReproSpec


@dataclass(frozen=True)
class Recorded:
    """A model file and every tensor of one run of it, as .npy files."""

    path: Path
    index: GraphIndex
    tensors: dict[str, Path]

    def spec(self, nodes: Sequence[str], kind: str = "nonfinite") -> ReproSpec:
        """A spec of a piece: all tensors are offered, `export` takes those that it needs."""
        return ReproSpec(
            model=self.path,
            nodes=tuple(nodes),
            inputs=self.tensors,
            expected=self.tensors,
            signature=Signature(kind),  # type: ignore[arg-type]
            limit=1e-2,
            versions={"onnxruntime": onnxruntime.__version__},
            command="trtdebug run model.onnx --fp16",
        )


@pytest.fixture
def record(tmp_path: Path):
    """`record(model, feeds)`: writes the model and everything that it computes."""

    def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> Recorded:
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        index = GraphIndex(model)
        marked = onnx.ModelProto()
        marked.CopyFrom(model)
        del marked.graph.output[:]
        marked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in index.tensors)
        session = onnxruntime.InferenceSession(marked.SerializeToString(), providers=["CPUExecutionProvider"])
        values = dict(zip(index.tensors, session.run(list(index.tensors), feeds), strict=True)) | feeds
        (tmp_path / "tensors").mkdir()
        tensors = {}
        for i, (name, value) in enumerate(values.items()):
            tensors[name] = tmp_path / "tensors" / f"{i}.npy"
            np.save(tensors[name], value)
        return Recorded(path, index, tensors)

    return run


@pytest.fixture
def layernorm(record, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """samples/layernorm_overflow.py, recorded."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "samples"))
    from layernorm_overflow import build

    x = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    return record(build(), {"x": x})


@pytest.fixture
def odd_names(record) -> Recorded:
    """square -> halve, all tensors and nodes under names that no file system would take."""
    names = {"in": "../../x:0", "mid": "/大/" + "n" * 4000, "out": "..", "two": "a|b`c'\n,*"}
    nodes = [
        helper.make_node("Mul", [names["in"], names["in"]], [names["mid"]], name="/block.0/平方,0"),
        helper.make_node("Div", [names["mid"], names["two"]], [names["out"]], name="a `tick` | pipe"),
    ]
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info(names["in"], TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info(names["out"], TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.float32(1e6), names["two"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return record(model, {names["in"]: np.linspace(300, 400, 7, dtype=np.float32)})


@pytest.fixture
def recurrent(record) -> Recorded:
    """lstm -> square."""
    rng = np.random.default_rng(0)
    w, r = (rng.normal(0, 0.3, (1, 16, 4)).astype(np.float32) for _ in range(2))
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="lstm", hidden_size=4),
        helper.make_node("Mul", ["y", "y"], ["z"], name="square"),
    ]
    graph = helper.make_graph(
        nodes,
        "recurrent",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 1, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [3, 1, 1, 4])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(r, "r")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return record(model, {"x": rng.normal(size=(3, 1, 4)).astype(np.float32)})
