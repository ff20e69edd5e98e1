"""trtdebug: from an ONNX model that goes wrong in TensorRT to its smallest cause, a verified fix and a repro."""

__version__ = "0.1.0"
