"""As much of TensorRT-RTX as it takes to build a repro; found by a process whose PYTHONPATH names this folder.

It builds no network in which all tensors of a set are outputs. FAKE_RTX_REFUSES has the sets, as JSON, or how many
outputs are too many. Tensors of a set that the ONNX model does not have are the network's own.
"""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import onnx

__version__ = "1.7.1"
REFUSED = json.loads(os.environ.get("FAKE_RTX_REFUSES", "[]"))
MOST = REFUSED if isinstance(REFUSED, int) else None
SETS = [] if MOST is not None else [set(marks) for marks in REFUSED]
ERROR = SimpleNamespace(name="ERROR")
FLOAT = SimpleNamespace(name="FLOAT")


class ILogger:
    pass


class NetworkDefinitionCreationFlag:
    pass


class BuilderFlag:
    TF32 = 0


class Tensor(SimpleNamespace):
    dtype, shape, is_shape_tensor, is_execution_tensor = FLOAT, (1,), False, True


class Layer:
    def __init__(self, name: str, reads: list[Tensor], writes: list[Tensor]) -> None:
        self.name, self.metadata, self.type = name, "", SimpleNamespace(name="ELEMENTWISE")
        self.num_inputs, self.num_outputs = len(reads), len(writes)
        self.get_input, self.get_output = reads.__getitem__, writes.__getitem__


class Network:
    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.get_layer, self.get_input, self.get_output = (
            lambda i: self.layers[i],
            lambda i: self.inputs[i],
            lambda i: self.outputs[i],
        )

    num_layers = property(lambda self: len(self.layers))
    num_inputs = property(lambda self: len(self.inputs))
    num_outputs = property(lambda self: len(self.outputs))

    def mark_output(self, tensor: Tensor) -> None:
        self.outputs.append(tensor)


class OnnxParser:
    def __init__(self, network: Network, logger: Any) -> None:
        self.network = network

    def parse_from_file(self, path: str) -> bool:
        graph = onnx.load(path).graph
        known = {v.name: Tensor(name=v.name) for v in graph.input}
        self.network.inputs = list(known.values())
        for node in graph.node:
            written = {name: Tensor(name=name) for name in node.output}
            reads = [known[name] for name in node.input if name in known]
            self.network.layers.append(Layer(node.name, reads, list(written.values())))
            known |= written
        for name in set().union(*SETS) - set(known):
            self.network.layers.append(Layer(name, [], [Tensor(name=name)]))
        self.network.outputs = [known[value.name] for value in graph.output]
        return True


class Config:
    def set_flag(self, flag: Any) -> None:
        pass

    clear_flag = add_optimization_profile = set_flag


class Builder:
    def __init__(self, logger: Any) -> None:
        self.logger = logger
        self.create_builder_config = Config
        self.create_optimization_profile = lambda: SimpleNamespace(set_shape=lambda *shapes: None)

    def create_network(self, flags: int) -> Network:
        return Network()

    def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
        outputs = {tensor.name for tensor in network.outputs}
        too_many = MOST is not None and len(outputs) >= MOST
        if not too_many and not any(marks <= outputs for marks in SETS):
            return b"engine"
        what = f"Could not find any implementation for node {{ForeignNode[{min(outputs)}...{max(outputs)}]}}."
        self.logger.log(ERROR, f"IBuilder::buildSerializedNetwork: Error Code 10: Internal Error ({what})")
        return None


def get_plugin_registry() -> Any:
    return SimpleNamespace(all_creators=[])
