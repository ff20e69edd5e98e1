"""Weights that FP16 does not hold, read where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from mapped_models import mapped_model

from trtdebug.checks import half_weights
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_mapped
from trtdebug.plugins.types import CheckContext


def test_large_weights_are_read_from_their_file_a_block_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mapped_model(tmp_path, monkeypatch)
    model = load_mapped(path)
    context = CheckContext(path=path, model=model, index=GraphIndex(model), precision="fp16")
    whole = list(half_weights.run(context))
    monkeypatch.setattr(half_weights, "_BLOCK", 1000)
    assert list(half_weights.run(context)) == whole
    assert [finding.id for finding in whole] == ["fp16-weight-subnormal"]
