"""What an ONNX parser of the TensorRT family takes of a model, in its own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trtdebug.backends.base import BuildRequest, Subgraph, Support
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.complaints import parse_failure, parser_error
from trtdebug.backends.tensorrt.logger import collected, quiet_polygraphy, share_logger
from trtdebug.backends.tensorrt.network import new_network
from trtdebug.backends.tensorrt.plugin_libraries import load_plugin_libraries
from trtdebug.graph.load import external_files, parse_model
from trtdebug.graph.names import node_names


def support(request: BuildRequest) -> Support:
    """What TensorRT's parser says of the request's model.

    Raises:
        BuildFailure: no builder can be had here, or a plugin library does not load.
    """
    import tensorrt as trt

    logger = share_logger()
    strong = not compat.has("WEAK_TYPING")
    with quiet_polygraphy(), collected() as log:
        load_plugin_libraries(request.options.plugins)
        trt.init_libnvinfer_plugins(logger, "")

        def make() -> tuple[Any, Any]:
            held = new_network(strong, log)
            return held, trt.OnnxParser(held[1], logger)

        return parser_support(request.model, make, log.errors)


def parser_support(
    path: Path, new_parser: Callable[[], tuple[Any, Any]], log_errors: Sequence[str]
) -> Support:
    """What a parser says of a model file.

    Args:
        new_parser: makes an OnnxParser on a network of its own; gives what has to live as long, and the parser.
        log_errors: grows by what the parser logs as errors.
    """
    model = parse_model(path)
    names, operators = node_names(model), [node.op_type for node in model.graph.node]
    held, parser = new_parser()
    apart = external_files(model)
    parsed = parser.parse_from_file(str(path)) if apart else parser.parse(path.read_bytes())
    said = [parser.get_error(index) for index in range(parser.num_errors)]
    if parsed and not said:
        return Support(True)
    errors = [parser_error(error, names, operators, log_errors) for error in said]
    first = " ".join(log_errors[0].split()) if log_errors else ""
    held, parser = new_parser()
    cut = _subgraphs(parser, path, names)
    del held
    return Support(False, parse_failure(errors, first).errors, cut)


def _subgraphs(parser: Any, path: Path, names: Sequence[str]) -> tuple[Subgraph, ...]:
    """How the parser cuts the model."""
    ask = compat.optional(parser, "OnnxParser.supports_model_v2")
    if ask is None:
        _, found = parser.supports_model(path.read_bytes(), str(path))
        cut = [(nodes, supported) for nodes, supported in found]
    else:
        ask(path.read_bytes(), str(path))
        cut = [
            (parser.get_subgraph_nodes(index), parser.is_subgraph_supported(index))
            for index in range(parser.num_subgraphs)
        ]
    return tuple(Subgraph(tuple(names[n] for n in nodes), bool(supported)) for nodes, supported in cut)
