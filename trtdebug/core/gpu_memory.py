"""The words in which CUDA libraries and TensorRT say that the GPU has no memory left."""

from __future__ import annotations

import re

OUT_OF_GPU_MEMORY = re.compile(
    r"out of memory|OutOfMemory|MemoryAllocation|OUT_OF_MEMORY|_STATUS_ALLOC_FAILED"
    r"|GPU memory.* could not be allocated|CUDA initialization failure with error: 2\b"
)
"""Found in what they print or raise; not found in any other complaint of theirs."""
