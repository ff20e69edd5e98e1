"""From an ONNX model to a TensorRT network: the parser, and what it complains of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt.complaints import parse_failure, parser_error
from trtdebug.backends.tensorrt.logger import LogSink, share_logger
from trtdebug.core.errors import BuildFailure


@dataclass
class ParsedNetwork:
    """A builder, its network and the parser, whose memory the network's weights lie in."""

    builder: Any
    network: Any
    parser: Any
    source: bytes | Path


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

    logger = share_logger()
    builder, network = new_network(strong, log)
    trt.init_libnvinfer_plugins(logger, "")
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse(source) if isinstance(source, bytes) else parser.parse_from_file(str(source))
    said = [parser.get_error(index) for index in range(parser.num_errors)]
    errors = [parser_error(error, node_names, operators, log.errors) for error in said]
    if errors or not parsed:
        raise parse_failure(errors, log.first_error())
    return ParsedNetwork(builder, network, parser, source)


def new_network(strong: bool, log: LogSink) -> tuple[Any, Any]:
    """A builder, and an empty network of it.

    Raises:
        BuildFailure: no builder can be had here.
    """
    from polygraphy.backend.trt import create_network

    try:
        builder, network = create_network(strongly_typed=strong)
    except TypeError as error:  # what pybind makes of a builder that cannot be had
        why = (
            log.first_error()
            or "it does not say why; most often the driver is too old or the GPU not supported"
        )
        raise BuildFailure(f"TensorRT makes no builder here: {why}") from error
    return builder, network
