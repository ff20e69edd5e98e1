"""From an ONNX model to a TensorRT network: the parser, and what it complains of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.logger import LogSink, clean, share_logger
from trtdebug.core.errors import BuildFailure


@dataclass
class ParsedNetwork:
    """A builder, its network and the parser, whose memory the network's weights lie in."""

    builder: Any
    network: Any
    parser: Any
    source: bytes | Path


@dataclass(frozen=True)
class Complaint:
    """One error of TensorRT's ONNX parser. `node` is an ONNX node name, None where it names none."""

    code: str
    node: str | None
    operator: str
    text: str

    def __str__(self) -> str:
        at = f"node {self.node!r}" if self.node else "the model"
        op = f" ({self.operator})" if self.operator else ""
        return f"{at}{op}: {self.code}: {self.text}"


def parse_network(
    source: bytes | Path, node_names: Sequence[str], operators: Sequence[str], strong: bool, log: LogSink
) -> ParsedNetwork:
    """Parses an ONNX model.

    Args:
        source: serialised model, or the file of one with its weights beside it.
        node_names, operators: of the top-level nodes, in file order.

    Raises:
        BuildFailure: with everything that the parser complains of; names the first node that it blames.
    """
    import tensorrt as trt
    from polygraphy.backend.trt import create_network

    logger = share_logger()
    try:
        builder, network = create_network(strongly_typed=strong)
    except TypeError as error:  # what pybind makes of a builder that cannot be had
        said = (
            log.first_error()
            or "it does not say why; most often the driver is too old or the GPU not supported"
        )
        raise BuildFailure(f"TensorRT makes no builder here: {said}") from error
    trt.init_libnvinfer_plugins(logger, "")
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse(source) if isinstance(source, bytes) else parser.parse_from_file(str(source))
    complaints = [
        complaint(parser.get_error(index), node_names, operators) for index in range(parser.num_errors)
    ]
    if complaints or not parsed:
        raise parse_failure(complaints, log.first_error())
    return ParsedNetwork(builder, network, parser, source)


def complaint(error: Any, node_names: Sequence[str], operators: Sequence[str]) -> Complaint:
    """A trt.ParserError in plain data."""
    index = int(error.node())
    inside = 0 <= index < len(node_names)
    node_name = compat.optional(error, "ParserError.node_name")
    node_operator = compat.optional(error, "ParserError.node_operator")
    named = str(node_name()) if node_name is not None else ""
    node = named if named in node_names else node_names[index] if inside else named or None
    operator = str(node_operator()) if node_operator is not None else ""
    if not operator and node in node_names:
        operator = operators[node_names.index(node)]
    return Complaint(str(error.code()).rpartition(".")[2], node, operator, clean(str(error.desc())))


def parse_failure(complaints: Sequence[Complaint], log_error: str) -> BuildFailure:
    """The failure that stands for all complaints."""
    if not complaints:
        return BuildFailure(f"TensorRT's parser refuses the model: {log_error or 'it does not say why'}")
    blamed = next((c.node for c in complaints if c.node), None)
    text = "; ".join(dict.fromkeys(str(c) for c in complaints))
    return BuildFailure(f"TensorRT's parser refuses {text}", node=blamed)
