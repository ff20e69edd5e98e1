"""Runs a TensorRT engine once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trtdebug.repro.scripts.cuda import cuda
from trtdebug.repro.scripts.result import Tensor, Untestable


def infer(trt: Any, logger: Any, cudart: Any, plan: Any, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Runs the engine once."""
    engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
    context = engine.create_execution_context() if engine is not None else None
    if context is None:
        raise Untestable("the engine was built, but could not be loaded (out of GPU memory?)")
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]
    host: dict[str, Tensor] = {}
    device: dict[str, int] = {}
    try:
        for name in inputs:
            # 8.6 has no INT64: its engines read INT32.
            host[name] = np.ascontiguousarray(feeds[name], dtype=_dtype(engine, name))
            if not context.set_input_shape(name, host[name].shape):
                raise Untestable(f"the engine refuses shape {list(host[name].shape)} for input {name}")
        for name in names:
            if name not in host:
                shape = tuple(context.get_tensor_shape(name))
                if -1 in shape:
                    raise Untestable(f"the shape of output {name} depends on the data")
                host[name] = np.empty(shape, dtype=_dtype(engine, name))
            if engine.get_tensor_location(name) == trt.TensorLocation.HOST:
                address = host[name].ctypes.data
            else:
                address = device[name] = cuda(cudart.cudaMalloc(max(host[name].nbytes, 1)), "take GPU memory")
            context.set_tensor_address(name, address)
        kind = cudart.cudaMemcpyKind
        for name in set(inputs) & set(device):
            copy = cudart.cudaMemcpy(
                device[name], host[name].ctypes.data, host[name].nbytes, kind.cudaMemcpyHostToDevice
            )
            cuda(copy, f"copy input {name}")
        stream = cuda(cudart.cudaStreamCreate(), "create a stream")
        if not context.execute_async_v3(stream):
            raise Untestable("the engine refuses to run")
        cuda(cudart.cudaStreamSynchronize(stream), "wait for the engine")
        for name in set(device) - set(inputs):
            copy = cudart.cudaMemcpy(
                host[name].ctypes.data, device[name], host[name].nbytes, kind.cudaMemcpyDeviceToHost
            )
            cuda(copy, f"copy output {name}")
    finally:
        for address in device.values():
            cudart.cudaFree(address)
    return {name: host[name] for name in names if name not in inputs}


def _dtype(engine: Any, name: str) -> np.dtype[np.generic]:
    """numpy's dtype of an engine's input or output; trt.nptype fails in 8.6 with numpy 1.24 and later."""
    kind = str(engine.get_tensor_dtype(name).name)
    dtype = {"FLOAT": "float32", "HALF": "float16"}.get(kind, kind.lower())
    if dtype not in ("float32", "float16", "int8", "uint8", "int32", "int64", "bool"):
        raise Untestable(f"numpy has no type for tensor {name} ({kind})")
    return np.dtype(dtype)
