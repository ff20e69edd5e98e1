"""polygraphy_constraints.py, by Polygraphy's own way to scripts, on a stand-in for TensorRT's network.

The network of a weakly typed TensorRT cannot be had without a GPU; tests/gpu builds with the real one.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from polygraphy.backend.common import invoke_from_script
from polygraphy.backend.trt import PostprocessNetwork

CULPRITS = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")


class Tensor:
    def __init__(self, name: str, kind: str = "FLOAT") -> None:
        self.name, self.dtype, self.shape = name, SimpleNamespace(name=kind), (1,)
        self.is_shape_tensor, self.is_execution_tensor = False, True


class Layer:
    """A layer of one node; `inputs` come before `output`."""

    def __init__(
        self, name: str, node: str, inputs: list[Tensor], output: Tensor, kind: str = "UNARY"
    ) -> None:
        self.name, self.metadata = name, f"[ONNX Layer: {node}]" if node else ""
        self.type = SimpleNamespace(name=kind)
        self.inputs, self.output = inputs, output
        self.num_inputs, self.num_outputs = len(inputs), 1
        self.precision: Any = None
        self.output_types: dict[int, Any] = {}

    def get_input(self, index: int) -> Tensor:
        return self.inputs[index]

    def get_output(self, index: int) -> Tensor:
        return self.output

    def set_output_type(self, index: int, dtype: Any) -> None:
        self.output_types[index] = dtype


class Network:
    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        self.inputs, self.outputs = [layers[0].inputs[0]], [layers[-1].output]
        self.num_layers, self.num_inputs, self.num_outputs = len(layers), 1, 1
        self.get_layer, self.get_input, self.get_output = (
            list(layers).__getitem__,
            self.inputs.__getitem__,
            self.outputs.__getitem__,
        )
        self.mark_output = self.outputs.append


def network(*nodes: str) -> Network:
    """A chain in which each node has a layer, and the second node two and a helper."""
    tensors = [Tensor(f"t{i}") for i in range(len(nodes) + 1)]
    layers = [Layer(n, n, [tensors[i]], tensors[i + 1]) for i, n in enumerate(nodes)]
    small = Tensor("small")
    helper = Layer("ONNXTRT_broadcast", "", [Tensor("c")], small, "SHUFFLE")
    second = Layer(f"{nodes[1]}_7", nodes[1], [layers[1].output, small], Tensor("more"), "ELEMENTWISE")
    return Network(*layers[:2], helper, second, *layers[2:])


@pytest.fixture
def folder(fixed, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fixed.folder, tmp_path / "fix"))


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module with data types only, where there is no TensorRT."""
    kinds = SimpleNamespace(__members__={"FLOAT": "float", "HALF": "half"})
    module = SimpleNamespace(DataType=kinds, __version__="8.6.0")
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


def postprocess(folder: Path, parsed: Network) -> Network:
    """As `polygraphy convert --trt-npps polygraphy_constraints.py` does, `postprocess` being its default name."""
    script = str(folder / "polygraphy_constraints.py")
    step = PostprocessNetwork(
        (None, parsed, None), func=lambda network: invoke_from_script(script, "postprocess", network=network)
    )
    return step()[1]


def test_all_layers_of_the_pinned_nodes_are_pinned(folder: Path, tensorrt, capsys) -> None:
    parsed = postprocess(folder, network("fc1", *CULPRITS, "fc2"))
    pinned = {layer.name for layer in parsed.layers if layer.precision == "float"}
    assert pinned == {*CULPRITS, "norm_pow_7", "ONNXTRT_broadcast"}
    assert all(layer.output_types == {0: "float"} for layer in parsed.layers if layer.name in pinned)
    assert "pinned: 'norm_pow_7' to fp32" in capsys.readouterr().out


def test_a_pin_without_a_layer_is_told(folder: Path, tensorrt, capsys) -> None:
    postprocess(folder, network("fc1", *CULPRITS[:3], "fc2"))
    assert "note: 'norm_sqrt' has no layer" in capsys.readouterr().out


def test_another_model_is_refused(folder: Path, tensorrt) -> None:
    with pytest.raises(ValueError, match="no layer of 'norm_pow': is it the model of the fix"):
        postprocess(folder, network("a", "b", "c"))


def test_outputs_of_the_fix(folder: Path, tensorrt) -> None:
    fix = json.loads((folder / "fix.json").read_text())
    fix["interventions"] = [{"kind": "BreakFusion", "tensor": "t2"}]
    (folder / "fix.json").write_text(json.dumps(fix))
    parsed = postprocess(folder, network("fc1", "fc2", "fc3"))
    assert [t.name for t in parsed.outputs] == ["t3", "t2"]
    fix["interventions"] = [{"kind": "BreakFusion", "tensor": "nothing"}]
    (folder / "fix.json").write_text(json.dumps(fix))
    with pytest.raises(ValueError, match="'nothing' cannot be made an output"):
        postprocess(folder, network("fc1", "fc2", "fc3"))


def test_the_commands_options_are_polygraphys(fixed) -> None:
    """Its own parser takes the command of the README."""
    import shlex

    from polygraphy.tools.convert import Convert

    readme = (fixed.folder / "README.txt").read_text()
    [line] = [x.strip() for x in readme.splitlines() if x.strip().startswith("polygraphy convert")]
    import argparse

    parser = argparse.ArgumentParser()
    tool = Convert()
    tool.setup_parser(parser.add_subparsers())
    args = parser.parse_args(["convert", *shlex.split(line)[2:]])
    assert args.fp16
    assert args.precision_constraints == "obey"
    assert args.trt_network_postprocess_script == ["polygraphy_constraints.py"]
