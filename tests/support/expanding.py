"""What holds of a model in which operators were replaced by bodies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import onnx
from rewriting import Array, assert_same, run

from trtdebug.fixes.ladder.sources import sources
from trtdebug.graph.expand import Bodies, expand
from trtdebug.graph.types import value_type
from trtdebug.graph.walk import all_nodes


def assert_expanded(
    model: onnx.ModelProto,
    ops: Collection[str],
    feeds: Mapping[str, Array],
    bodies: Iterable[Bodies] = sources(()),
    *,
    expected: Mapping[str, Array] | None = None,
    tolerance: float = 1e-6,
) -> onnx.ModelProto:
    """Replaces all of these operators; the model has to become one as clean that gives the same; returns it.

    `expected`: what it has to give, where onnxruntime is known to be off.
    """
    before = model.SerializeToString()
    found = expand(model, lambda call: call.node.op_type in ops, bodies)
    assert found is not None, "nothing was replaced"
    assert model.SerializeToString() == before, "the source was changed"
    result = found.model
    assert not found.left
    assert not {node.op_type for node in all_nodes(result.graph.node)} & set(ops)
    onnx.checker.check_model(result, full_check=True)
    assert (result.ir_version, result.opset_import) == (model.ir_version, model.opset_import)
    assert not result.functions
    ends = [[(v.name, value_type(v)) for v in (*m.graph.input, *m.graph.output)] for m in (model, result)]
    assert ends[0] == ends[1]
    names = [node.name for node in result.graph.node]
    assert len(set(names)) == len(names)
    assert all(names)
    assert_same(expected or run(model, feeds), run(result, feeds), tolerance)
    return result


def assert_kept(model: onnx.ModelProto, ops: Collection[str], bodies: Iterable[Bodies] = sources(())) -> None:
    """Nothing is known that equals these operators as they stand there."""
    assert expand(model, lambda call: call.node.op_type in ops, bodies) is None
