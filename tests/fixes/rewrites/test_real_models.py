"""All built-in rewrites on models that people use: what is rewritten stays equal."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
import pytest
from rewriting import assert_same, kinds, run

from trtdebug.fixes import rewrites
from trtdebug.graph.folding import fold_constants
from trtdebug.graph.load import load_model
from trtdebug.graph.rewrite import Rewrite, apply

REWRITES = ("scaled_square", "softmax", "masks", "clip", "pairs", "narrow_int64", "loop_condition")
RNG = np.random.default_rng(0)
FEEDS = {
    "magika_standard_v3_3": {"bytes": RNG.integers(0, 257, (4, 2048)).astype(np.int32)},
    "magika_fast_v2_1": {"bytes": RNG.integers(0, 257, (4, 1024)).astype(np.int32)},
    "minilm_l6_v4096": {
        "input_ids": RNG.integers(100, 4096, (2, 64)),
        "attention_mask": (np.arange(64) < [[40], [64]]).astype(np.int64),
    },
    "silero_vad_16k_static": {
        "input": RNG.normal(0, 0.1, (1, 576)).astype(np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
    },
    "silero_vad_16k_op15": {
        "input": RNG.normal(0, 0.1, (1, 576)).astype(np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16000, np.int64),
    },
}
EXPECTED = {
    ("magika_standard_v3_3", "scaled_square"): {"Abs": 2},
    ("magika_fast_v2_1", "scaled_square"): {"Abs": 1},
    ("minilm_l6_v4096", "scaled_square"): {"Abs": 13},
    ("silero_vad_16k_static", "pairs"): {},
}
"""Where there is something to do for sure: operators that have to be there then, and how often."""


def test_these_are_all() -> None:
    folder = Path(rewrites.__file__).parent
    assert {p.stem for p in folder.glob("*.py")} == {*REWRITES, "fold_constants", "__init__"}
    assert {f.name.replace("-", "_") for f in rewrites.FIXES} == {*REWRITES, "fold_constants"}


def rewrite(name: str) -> Rewrite:
    found: Rewrite = import_module(f"trtdebug.fixes.rewrites.{name}").REWRITE
    return found


@pytest.mark.parametrize("how", REWRITES)
@pytest.mark.parametrize("name", FEEDS)
def test_what_is_rewritten_stays_equal(name: str, how: str, model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path(f"{name}.onnx"))
    result = apply(rewrite(how), model)
    assert (result is not None) >= ((name, how) in EXPECTED)
    if result is None:
        return
    onnx.checker.check_model(result)
    assert (result.ir_version, result.opset_import) == (model.ir_version, model.opset_import)
    assert_same(run(model, FEEDS[name]), run(result, FEEDS[name]), 1e-5 if how == "scaled_square" else 0)
    for op, times in EXPECTED.get((name, how), {}).items():
        assert kinds(result).count(op) == times


@pytest.mark.parametrize("name", FEEDS)
def test_folded_constants_change_nothing(name: str, model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path(f"{name}.onnx"))
    folded = fold_constants(model).model
    # Silero's probability is a sigmoid's 0.003: rounding of what goes in, of size 5, shows a thousand times larger
    assert_same(run(model, FEEDS[name]), run(folded, FEEDS[name]), 1e-5)


def test_small_models_of_all_kinds(model_path: Callable[[str], Path]) -> None:
    """Loops, scans, sparse weights, custom operators, other types: none is broken, and none is rewritten by chance."""
    folder = model_path("polygraphy/residual_block.onnx").parent
    rewritten = set()
    for path in sorted(folder.glob("*.onnx")):
        model = load_model(path)
        before = model.SerializeToString()
        for how in REWRITES:
            if apply(rewrite(how), model) is not None:
                rewritten.add((path.stem, how))
        assert model.SerializeToString() == before
    assert rewritten == set()
