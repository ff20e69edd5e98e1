"""The autotuning log of real builds: its choices are those that the engine shows, and bans by their hashes hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from seed_models import model_of, node, value, weight

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.autotuned import normalised
from trtdebug.backends.tensorrt.autotuning import AutotuningReader
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.inspect import inspector_json, parse_dump
from trtdebug.backends.tensorrt.logger import collected, trt_logger
from trtdebug.backends.tensorrt.network import parse_network
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic

pytestmark = pytest.mark.gpu


def convolutions() -> onnx.ModelProto:
    """Two convolutions of unlike shapes: conv1 with a Relu, conv2 without."""
    random = np.random.default_rng(0)

    def kernel(name: str, *shape: int) -> onnx.TensorProto:
        return weight(name, random.standard_normal(shape).astype(np.float32) / 10)

    return model_of(
        [
            node("Conv", ["x", "w1"], ["c1"], "conv1", pads=[1] * 4),
            node("Relu", ["c1"], ["r1"], "relu1"),
            node("Conv", ["r1", "w2"], ["y"], "conv2", pads=[1] * 4),
        ],
        [value("x", [4, 8, 32, 32])],
        [value("y", [4, 32, 32, 32])],
        [kernel("w1", 16, 8, 3, 3), kernel("w2", 32, 16, 3, 3)],
    )


def products() -> onnx.ModelProto:
    """MatMul, Softmax, MatMul: what Myelin autotunes."""
    random = np.random.default_rng(0)
    weights = [weight(n, random.standard_normal((128, 128)).astype(np.float32)) for n in ("w1", "w2")]
    return model_of(
        [
            node("MatMul", ["x", "w1"], ["a"], "product1"),
            node("Softmax", ["a"], ["b"], "soft", axis=-1),
            node("MatMul", ["b", "w2"], ["y"], "product2"),
        ],
        [value("x", [128, 128])],
        [value("y", [128, 128])],
        weights,
    )


def test_the_log_tells_the_tactics_of_the_engine() -> None:
    import tensorrt as trt

    if not compat.has("FP16_FLAG"):
        pytest.skip(
            "all is Myelin's in a strongly typed network, whose tactics the inspector does not number"
        )
    model, reader = convolutions(), AutotuningReader()
    nodes = model.graph.node
    with collected() as log, log.heard(reader.read):
        parsed = parse_network(
            model.SerializeToString(), [n.name for n in nodes], [n.op_type for n in nodes], False, log
        )
        config = parsed.builder.create_builder_config()
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        config.set_flag(trt.BuilderFlag.FP16)
        serialised = parsed.builder.build_serialized_network(parsed.network, config)
        engine = trt.Runtime(trt_logger()).deserialize_cuda_engine(serialised)
        dump = parse_dump(inspector_json(engine))
    found = reader.result()
    assert found.unread == ()
    assert [op.unknown for op in found.ops if op.unknown] == []
    shown = {layer.name: layer for layer in dump.layers if layer.type == "CaskConvolution"}
    assert shown
    for name, layer in shown.items():
        tuned = [op for op in found.ops if op.name == name]
        chosen = {op.selected: op for op in tuned}[normalised(layer.tactic_id or "")]
        assert layer.tactic in {c.kernel for c in chosen.candidates if c.tactic == chosen.selected}
        usable = [c.cost_ms for c in chosen.candidates if c.cost_ms is not None]
        assert min(usable) == next(c.cost_ms for c in chosen.candidates if c.tactic == chosen.selected)


def test_a_hash_is_banned_where_the_cache_is_editable(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(products(), path)
    if not compat.has("EDITABLE_TIMING_CACHE"):
        with pytest.raises(BuildFailure, match="has no editable timing cache"):
            TensorrtBackend().build(
                BuildRequest(path, BuildOptions(), tmp_path, (BanTactic("product1", "0x5"),))
            )
        return
    listed = TensorrtBackend().build(
        BuildRequest(path, BuildOptions(), tmp_path, (BanTactic("product1", "0x5"),))
    )
    [before] = [t for t in listed.info().tactics if t.layer == "product1"]
    assert before.chosen is not None
    assert len(before.offered) > 1
    listed.close()
    ban = BanTactic("product1", before.chosen)
    built = TensorrtBackend().build(
        BuildRequest(path, BuildOptions(), tmp_path, (ban,), artifacts=tmp_path / "trial")
    )
    [after] = [t for t in built.info().tactics if t.layer == "product1"]
    built.close()
    assert built.info().ignored == ()
    assert after.chosen in {one.tactic for one in before.offered} - {before.chosen}
    assert (tmp_path / "trial" / "timing.cache").stat().st_size > 0
