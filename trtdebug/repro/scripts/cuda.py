"""The CUDA runtime by cuda-python."""

from __future__ import annotations

from typing import Any

from trtdebug.repro.scripts.result import Untestable


def cuda_runtime() -> Any:
    """cuda-python's module of the runtime, old or new; there is a GPU. Raises `Untestable`."""
    runtime = _cudart()
    if not cuda(runtime.cudaGetDeviceCount(), "find a GPU"):
        raise Untestable("there is no GPU")
    return runtime


def _cudart() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError:
        try:
            from cuda import cudart as runtime
        except ImportError as error:
            raise Untestable(f"cuda-python is not installed ({error}): pip install cuda-python") from None
    return runtime


def cuda(answer: tuple[Any, ...], what: str) -> Any:
    """The value of a CUDA call, which returns (error, value...)."""
    if int(answer[0]) != 0:
        raise Untestable(f"CUDA could not {what}: {answer[0]}")
    return answer[1] if len(answer) > 1 else None
