"""docs/rewrites.md tells of every rewrite, and its example works."""

from __future__ import annotations

import re
import types
from pathlib import Path

import numpy as np
import onnx
from rewriting import assert_same, kinds, model_of, run

from trtdebug.core.intervention import ReplaceGraph
from trtdebug.fixes.rewrites import FIXES
from trtdebug.plugins.testing import fix_context, load_plugin, run_fix

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rewrites.md").read_text(encoding="utf-8")


def test_every_rewrite_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.M)
    assert rows == [*(fix.name for fix in FIXES), "layernorm-operator"]


def test_the_example_is_a_plugin_that_works() -> None:
    module = types.ModuleType("example")
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S)), module.__dict__)
    kept: list[onnx.ModelProto] = []

    def keep(model: onnx.ModelProto) -> ReplaceGraph:
        kept.append(model)
        return ReplaceGraph("0.onnx", "00")

    model = model_of("a = Mul(x, x) b = Sqrt(a) y = Neg(b)", [2, 3])
    fix = load_plugin(module).fixes()["abs"]
    [proposal] = run_fix(fix, fix_context(model, [["node_of_a"]], keep_model=keep))
    assert proposal.summary == "Abs in place of the root of a square, at 1 place"
    assert kinds(kept[0]) == ["Abs", "Neg"]
    feeds = {"x": np.linspace(-3, 3, 6, dtype=np.float32).reshape(2, 3)}
    assert_same(run(model, feeds), run(kept[0], feeds))
    assert run_fix(fix, fix_context(model, [["node_of_y"]], keep_model=keep)) == ()
