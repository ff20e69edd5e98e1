"""What TensorRT-RTX's parser says of model files, asked without any code of ours. Prints JSON, a line a file.

Runs by itself, where `tensorrt_rtx_bindings` can be imported. Each line of stdin is a path.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    import tensorrt_rtx_bindings as trt

    class Silent(trt.ILogger):
        def __init__(self):
            trt.ILogger.__init__(self)

        def log(self, severity, message):
            pass

    logger = Silent()
    builder = trt.Builder(logger)
    for line in sys.stdin:
        network = builder.create_network(0)
        parser = trt.OnnxParser(network, logger)
        parsed = parser.parse(Path(line.strip()).read_bytes())
        errors = []
        for index in range(parser.num_errors):
            error = parser.get_error(index)
            errors.append(
                {
                    "code": error.code().name,
                    "index": error.node(),
                    "name": error.node_name(),
                    "operator": error.node_operator(),
                    "message": " ".join(error.desc().split()),
                }
            )
        print(json.dumps({"parsed": parsed, "errors": errors}), flush=True)
