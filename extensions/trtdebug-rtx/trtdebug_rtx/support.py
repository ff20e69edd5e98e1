"""What TensorRT-RTX's parser takes of a model; needs no GPU."""

from __future__ import annotations

from typing import Any

from trtdebug.backends.base import BuildRequest, Support
from trtdebug.backends.tensorrt.support import parser_support
from trtdebug_rtx.build import new_builder
from trtdebug_rtx.module import logger, said, tensorrt_rtx
from trtdebug_rtx.request import refuse_plugins


def support(request: BuildRequest) -> Support:
    """Asks the parser.

    Raises:
        BuildFailure: no builder can be had here, or it is to load plugins.
    """
    refuse_plugins(request)
    trt: Any = tensorrt_rtx()
    said.clear()
    builder = new_builder()

    def make() -> tuple[Any, Any]:
        network = builder.create_network(0)
        return network, trt.OnnxParser(network, logger())

    return parser_support(request.model, make, said)
