"""The same tactic sources for trtexec, which changes the default, and for Polygraphy, which lists all of them."""

from __future__ import annotations

import pytest

from trtdebug.backends.tensorrt.source_flags import polygraphy_sources, trtexec_sources

OF_LIBRARIES = "-CUBLAS,-CUBLAS_LT,-CUDNN"
ONLY_CUDNN = "+CUDNN,-CUBLAS,-CUBLAS_LT,-EDGE_MASK_CONVOLUTIONS,-JIT_CONVOLUTIONS"


@pytest.mark.parametrize(
    ("value", "version", "flag"),
    [
        (OF_LIBRARIES, "8.6.0", OF_LIBRARIES),
        (OF_LIBRARIES, "11.0", ""),  # trtexec of 11 refuses names that it does not know
        ("-CUBLAS,-JIT_CONVOLUTIONS", "11.0", "-JIT_CONVOLUTIONS"),
        ("CUDNN", "10.0", ONLY_CUDNN),
        ("CUDNN,JIT_CONVOLUTIONS,-JIT_CONVOLUTIONS", "10.0", ONLY_CUDNN),
        ("CUDNN", "11.0", "+CUDNN,-EDGE_MASK_CONVOLUTIONS,-JIT_CONVOLUTIONS"),  # refused by name
    ],
)
def test_trtexec(value: str, version: str, flag: str) -> None:
    assert trtexec_sources(value, version) == flag


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("CUDNN,CUBLAS", ("CUDNN", "CUBLAS")),
        ("CUDNN,CUBLAS,-CUDNN", ("CUBLAS",)),
        (OF_LIBRARIES, ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")),
        (f"{OF_LIBRARIES},-JIT_CONVOLUTIONS", ("EDGE_MASK_CONVOLUTIONS",)),
        ("-CUBLAS", None),
        ("-JIT_CONVOLUTIONS", None),
    ],
)
def test_polygraphy(value: str, names: tuple[str, ...] | None) -> None:
    assert polygraphy_sources(value) == names
