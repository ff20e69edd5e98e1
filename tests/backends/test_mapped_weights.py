"""Backends on onnxruntime run a model whose weights stay in their files as they run any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from seed_models import model_of, node, value, weight

from trtdebug.backends import ort_sessions
from trtdebug.backends.base import Backend, BuildRequest
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions
from trtdebug.graph import load
from trtdebug.graph.rounding import rounded

RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 64)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """y = 1e5 * (x @ a) @ b, z = x @ c: weights that FP16 rounds, one that becomes Inf, one for one output only."""
    a, b, c = (RNG.standard_normal((64, 64)).astype(np.float32) for _ in "abc")
    b[0] = 1e5
    made = model_of(
        [
            node("MatMul", ["x", "a"], ["xa"], "xa"),
            node("MatMul", ["xa", "b"], ["y"], "y"),
            node("MatMul", ["x", "c"], ["z"], "z"),
        ],
        [value("x", [64, 64])],
        [value("y", [64, 64]), value("z", [64, 64])],
        [weight("a", a), weight("b", b), weight("c", c)],
    )
    onnx.save(made, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)
    return tmp_path / "m.onnx"


def run(backend: Backend, model: Path, outputs=None, memory=None, some=None) -> dict[str, np.ndarray]:
    options = BuildOptions(precision="fp16")
    engine = backend.build(BuildRequest(model, options, model.parent, outputs=outputs, max_memory=memory))
    given = engine.stream({"x": X}) if some is None else engine.stream_some(some, {"x": X})
    return {name: np.array(tensor) for name, tensor in given}


@pytest.mark.parametrize("backend", [OnnxruntimeBackend(), EmulatorBackend()])
@pytest.mark.parametrize(("outputs", "memory"), [(None, None), (("xa", "y", "z"), 1)])
def test_they_give_what_they_give_with_weights_loaded(
    backend: Backend, outputs, memory, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(backend, model, outputs, memory)
    monkeypatch.setattr(load, "MAPPED_ABOVE", 0)
    found = run(backend, model, outputs, memory)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, rtol=1e-4, atol=1e-3)


def test_they_are_neither_serialised_nor_read_where_no_output_needs_them(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    values_of = ort_sessions.values_of
    monkeypatch.setattr(ort_sessions, "values_of", lambda t: read.append(t.name) or values_of(t))
    monkeypatch.setattr(load, "MAPPED_ABOVE", 0)
    mapped = load.load_mapped(model)
    sessions = ort_sessions.Sessions(mapped, model.parent)
    assert mapped == load.load_mapped(model), "the model is left as it was"
    assert len(sessions._rest) < X.nbytes
    sessions.part(["z"])
    assert read == ["c"]


def test_of_some_outputs_no_other_is_computed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAPPED_ABOVE", 0)
    everything = ("xa", "y", "z")
    assert run(EmulatorBackend(), model, everything, some=["z"]).keys() == {"z"}


def test_where_a_kernel_refuses_weights_that_are_fed_they_are_constants(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(OnnxruntimeBackend(), model)
    load_session = onnxruntime.InferenceSession

    def refusing(source: bytes, *args: object, **options: object) -> object:
        if len(onnx.load_from_string(source).graph.input) > 1:
            raise RuntimeError("the weight has to be a constant")
        return load_session(source, *args, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", refusing)
    monkeypatch.setattr(load, "MAPPED_ABOVE", 0)
    found = run(OnnxruntimeBackend(), model)
    np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-4, atol=1e-3)


def test_of_a_table_only_the_rows_that_are_taken_are_rounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = RNG.standard_normal((64, 64)).astype(np.float32)
    rows = weight("rows", np.array([3, 5]))
    made = model_of(
        [node("Gather", ["table", "rows"], ["y"], "take")],
        [],
        [value("y", [2, 64])],
        [weight("table", table), rows],
    )
    path = tmp_path / "t.onnx"
    onnx.save(made, path, save_as_external_data=True, location="t.bin", size_threshold=0)
    monkeypatch.setattr(load, "MAPPED_ABOVE", 0)
    model = load.load_mapped(path)
    emulated = rounded(model, ["take"], "fp16").model
    assert "table" in next(n for n in emulated.graph.node if n.name == "take").input
    found = run(EmulatorBackend(), path)["y"]
    np.testing.assert_array_equal(found, table[[3, 5]].astype(np.float16).astype(np.float32))
