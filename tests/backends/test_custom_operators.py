"""Models with custom operators on onnxruntime and the emulator."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import ort
import pytest
from custom_models import (
    CUBE,
    DOMAIN,
    SWISH,
    cube_model,
    function_file,
    model,
    one_node,
    swish_function,
    swish_model,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper
from random_graphs import random_graph

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions, OperatorSource
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import PinPrecision
from trtdebug.plugins.operators import operator_source
from trtdebug.plugins.types import Operator

X = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
POSITIVE = np.maximum(X, 0)
TENSORS = ("a", "b", "c", "d", "y")


@pytest.fixture
def request_for(tmp_path):
    """`request_for(model, [files or texts of operators])`"""

    def made(model_, operators=(), precision="fp32", **more):
        onnx.save(model_, tmp_path / "model.onnx")
        sources = []
        for position, operators_file in enumerate(operators):
            path = operators_file
            if isinstance(path, str):
                path = tmp_path / f"ops{position}.py"
                path.write_text(operators_file)
            sources.append(operator_source(path))
        options = BuildOptions(precision, operators=tuple(sources))
        return BuildRequest(tmp_path / "model.onnx", options, tmp_path, **more)

    return made


def test_every_tensor_is_what_the_function_body_gives(request_for):
    engine = OnnxruntimeBackend().build(request_for(swish_model(), [SWISH], outputs=TENSORS))
    found = engine.run({"x": X})
    assert list(found) == list(TENSORS)
    with_body = swish_model()
    with_body.functions.append(swish_function())
    for name, value in ort.run(with_body, {"x": X}, TENSORS).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
    assert "my.ops::Swish" in engine.info().notes[0]


def test_shapes_may_differ_from_run_to_run_and_nothing_is_opened_twice(request_for):
    engine = OnnxruntimeBackend().build(request_for(swish_model(), [SWISH]))
    three, one = engine.run({"x": X})["y"], engine.run({"x": X[:1]})["y"]
    np.testing.assert_allclose(three[:1], one, rtol=1e-5)
    assert len(engine._engines) == 3


def test_only_what_the_outputs_depend_on_is_run(request_for):
    broken = SWISH.replace("beta=1.0", "beta").replace("return", "assert beta == 1.5; return")
    engine = OnnxruntimeBackend().build(request_for(swish_model(), [broken], outputs=("b",)))
    assert list(engine.run({"x": X})) == ["b"]  # swish2 has no beta, and is not called


def test_the_model_s_own_inputs_and_weights_can_be_outputs(request_for):
    engine = OnnxruntimeBackend().build(request_for(swish_model(), [SWISH], outputs=("x", "w", "y")))
    found = engine.run({"x": X})
    np.testing.assert_array_equal(found["x"], X)
    assert found["w"].shape == (8, 8)


def test_a_body_from_a_file_serves_all_the_same_and_in_bodies_of_the_model_too(request_for, tmp_path):
    file = function_file(tmp_path / "functions.onnx")
    found = OnnxruntimeBackend().build(request_for(swish_model(), [file], outputs=TENSORS)).run({"x": X})
    own = OnnxruntimeBackend().build(request_for(swish_model(), [SWISH], outputs=TENSORS)).run({"x": X})
    for name in TENSORS:
        np.testing.assert_allclose(found[name], own[name], rtol=1e-5, atol=1e-6)
    OnnxruntimeBackend().build(request_for(in_branch("Swish"), [file])).run({"x": X})


def test_a_file_of_the_user_goes_before_the_model_s_own_function(request_for):
    with_body = swish_model()
    with_body.functions.append(swish_function())
    zero = SWISH.replace("x / (1 + np.exp(-beta * x))", "x * 0")
    found = OnnxruntimeBackend().build(request_for(with_body, [zero])).run({"x": X})
    assert not found["y"].any()


def in_branch(op):
    inner = helper.make_node(op, ["x"], ["i"], "inner", domain=DOMAIN)
    body = helper.make_graph([inner], "body", [], [onnx.ValueInfoProto(name="i")])
    yes = helper.make_node(
        "Constant", [], ["yes"], "yes", value=helper.make_tensor("", onnx.TensorProto.BOOL, [], [1])
    )
    return model([yes, helper.make_node("If", ["yes"], ["y"], "if", then_branch=body, else_branch=body)])


def test_python_in_a_body_is_refused_plainly(request_for):
    with pytest.raises(
        BuildFailure, match=r"my\.ops::Swish stands in a body of If 'if', where no Python function"
    ):
        OnnxruntimeBackend().build(request_for(in_branch("Swish"), [SWISH]))


@pytest.mark.parametrize("backend", [OnnxruntimeBackend(), EmulatorBackend()])
@pytest.mark.parametrize("domain", [DOMAIN, ""])
def test_without_an_implementation_the_operator_is_named_and_how_to_give_one(request_for, backend, domain):
    with pytest.raises(
        BuildFailure, match=rf"no implementation of {domain and domain + '::'}Foo \(node 'custom'\)"
    ) as caught:
        backend.build(request_for(one_node("Foo", domain), precision="fp16"))
    assert caught.value.node == "custom"
    assert "--operators FILE" in caught.value.hint


def test_a_piece_that_does_not_take_what_the_function_gave_blames_its_node(request_for):
    counting = CUBE.replace("x * x * x", "x.astype(np.int64)")
    engine = OnnxruntimeBackend().build(request_for(cube_model(), [counting]))
    with pytest.raises(BuildFailure, match="onnxruntime cannot load the model") as caught:
        engine.run({"x": X})
    assert caught.value.node == "log"


def test_a_failure_in_the_function_is_the_engine_s(request_for):
    raising = CUBE.replace("return x * x * x", "raise RuntimeError('no\\nway')")
    with pytest.raises(BuildFailure, match=r"the custom operator my\.ops::Cube raises RuntimeError: no way"):
        OnnxruntimeBackend().build(request_for(cube_model(), [raising])).run({"x": X})


def as_custom(model_, ops):
    """The model, with its top-level nodes of these operators in a domain of its own; and a file for them."""
    for node in model_.graph.node:
        if node.op_type in ops:
            node.domain = DOMAIN
    model_.opset_import.add(domain=DOMAIN, version=1)
    lines = ["import numpy as np", "from trtdebug.plugins.operators import operator"]
    numpy_names = {
        "Relu": "np.maximum(a, 0)",
        "Neg": "-a",
        "Identity": "a",
        "Add": "a + b",
        "Sub": "a - b",
        "Mul": "a * b",
    }
    for op in sorted(ops):
        lines += [f"@operator('{op}', '{DOMAIN}')", f"def {op}(a, b=None):", f"    return {numpy_names[op]}"]
    return "\n".join(lines)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 10**6),
    st.sets(st.sampled_from(["Relu", "Neg", "Identity", "Add", "Sub", "Mul"]), min_size=1),
    st.sampled_from([None, 64, 200]),
)
def test_random_graphs_give_the_same_bits_with_operators_in_python(request_for, seed, ops, memory):
    plain = random_graph(seed, 20, loops=True)
    random = np.random.default_rng(seed)
    feeds = {name: random.normal(size=(4, 4)).astype(np.float32) for name in "xy"}
    tensors = [o for n in plain.graph.node for o in n.output]
    expected = ort.run(plain, feeds, tensors)
    custom = random_graph(seed, 20, loops=True)
    text = as_custom(custom, ops)
    engine = OnnxruntimeBackend().build(
        request_for(custom, [text], outputs=tuple(tensors), max_memory=memory)
    )
    found = {name: np.array(value) for name, value in engine.stream(feeds)}
    assert found.keys() == set(tensors)
    for name in tensors:
        np.testing.assert_array_equal(found[name], expected[name])


def test_the_emulator_rounds_around_the_function_and_says_so(request_for):
    request = request_for(cube_model(), [CUBE], "fp16", outputs=("a", "b", "y"), sample=lambda: {"x": X})
    engine = EmulatorBackend().build(request)
    found = engine.run({"x": X})
    a = np.maximum(X, 0).astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(found["a"], a, rtol=1e-3)
    np.testing.assert_array_equal(found["b"], (found["a"] ** 3).astype(np.float16).astype(np.float32))
    notes = engine.info().notes
    assert notes[0] == "3 of 3 float nodes work in fp16"
    assert "my.ops::Cube; rounded around them" in notes[1]


def test_a_pinned_custom_node_works_in_full_in_the_emulator(request_for):
    request = request_for(cube_model(), [CUBE], "fp16", outputs=("b",), sample=lambda: {"x": X})
    pinned = replace(request, interventions=(PinPrecision(("relu", "cube")),))
    found = EmulatorBackend().build(pinned).run({"x": X})
    np.testing.assert_array_equal(found["b"], POSITIVE * POSITIVE * POSITIVE)


def test_the_emulator_needs_no_sample_where_the_model_declares_types(request_for):
    with pytest.raises(BuildFailure, match="types of what custom operators give are not known"):
        EmulatorBackend().build(request_for(cube_model(), [CUBE], "fp16"))
    declared = cube_model()
    declared.graph.value_info.append(helper.make_tensor_value_info("b", 1, ["N", 8]))
    EmulatorBackend().build(request_for(declared, [CUBE], "fp16")).run({"x": X})


def test_an_operator_of_an_extension_is_used_where_the_case_names_it(request_for):
    cube = Operator("Cube", DOMAIN, lambda x: x * x * x)
    request = request_for(cube_model(), outputs=("b",), extensions={cube.name: cube})
    with pytest.raises(BuildFailure, match=r"no implementation of my\.ops::Cube"):
        OnnxruntimeBackend().build(request)
    named = replace(request.options, operators=(OperatorSource("extension", cube.name, "trtdebug-cube 1.0"),))
    found = OnnxruntimeBackend().build(replace(request, options=named)).run({"x": X})
    np.testing.assert_array_equal(found["b"], POSITIVE * POSITIVE * POSITIVE)
    with pytest.raises(
        BuildFailure, match=r"no extension has my\.ops::Cube any more; it came from trtdebug-cube 1\.0"
    ):
        OnnxruntimeBackend().build(replace(request, options=named, extensions={}))


def test_a_library_that_is_none_for_onnxruntime_is_named(request_for, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (tmp_path / "empty.c").write_text("int nothing;")
    (tmp_path / "quiet.c").write_text("void *RegisterCustomOps(void *options, void *api) { return 0; }")
    for name in ("empty", "quiet"):
        line = [compiler, "-shared", "-fPIC", "-o", tmp_path / f"{name}.so", tmp_path / f"{name}.c"]
        subprocess.run(line, check=True)
    with pytest.raises(
        BuildFailure, match=r"does not load the library of operators .*empty\.so.*RegisterCustomOps"
    ):
        OnnxruntimeBackend().build(request_for(cube_model(), [tmp_path / "empty.so"]))
    engine = OnnxruntimeBackend().build(request_for(cube_model(), [tmp_path / "quiet.so", CUBE]))
    assert engine.run({"x": X})["y"].shape == (3, 8)
    request = request_for(cube_model(), [tmp_path / "quiet.so", CUBE])
    shutil.copyfile(tmp_path / "empty.so", tmp_path / "other.so")
    (tmp_path / "other.so").replace(tmp_path / "quiet.so")  # a loaded library is not to be written to
    with pytest.raises(BuildFailure, match=r"quiet\.so is not what it was when the case was opened"):
        OnnxruntimeBackend().build(request)


def test_operators_of_a_real_library(request_for):
    extensions = pytest.importorskip("onnxruntime_extensions")
    signs = model(
        [
            helper.make_node("NegPos", ["x"], ["n", "p"], "signs", domain="ai.onnx.contrib"),
            helper.make_node("Add", ["n", "p"], ["y"], "add"),
        ]
    )
    signs.opset_import.add(domain="ai.onnx.contrib", version=1)
    library = (operator_source(Path(extensions.get_library_path())),)
    request = request_for(signs, outputs=("n", "p", "y"), sample=lambda: {"x": X})
    for backend, precision in ((OnnxruntimeBackend(), "fp32"), (EmulatorBackend(), "fp16")):
        options = BuildOptions(precision, operators=library)
        found = backend.build(replace(request, options=options)).run({"x": X})
        np.testing.assert_allclose(found["p"], np.maximum(X, 0), rtol=1e-3)
