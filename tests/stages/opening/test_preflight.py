"""From what the user gave to a case: what is chosen is told, what does not fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_backend import FakeBackend
from onnx import helper
from seed_models import clamped_gemm, identity_add_identity, shape_arithmetic

from trtdebug.backends.tensorrt.probe import probe
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import UserError
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS, load_plugins
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.session.job import TensorRef
from trtdebug.session.session import Session
from trtdebug.stages.opening import backends
from trtdebug.stages.opening.backends import find_backend
from trtdebug.stages.opening.preflight import CaseRequest, Prepared, prepare, store_samples

PLUGINS = load_plugins(third_party=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    save_model(shape_arithmetic(), tmp_path / "shapes.onnx")
    return tmp_path


def prepared(folder: Path, model: str = "model.onnx", precision: Any = "fp16", **request: Any) -> Prepared:
    request = {"candidate": "emulator"} | request
    return prepare(CaseRequest(folder / model, BuildOptions(precision), **request), PLUGINS)


def ids(case: Prepared) -> list[str]:
    return [f.id for f in case.findings]


def test_sizes_that_were_chosen_are_told(folder: Path) -> None:
    case = prepared(folder, "shapes.onnx")
    assert case.samples[0]["tensor0"].shape == (1, 3, 64, 5)
    assert [f.message for f in case.findings] == [
        "input 'tensor0': dimension 0 (A) was set to 1",
        "input 'tensor0': dimension 2 (B) was set to 64",
    ]


def test_sizes_that_were_given_are_taken(folder: Path) -> None:
    case = prepared(folder, "shapes.onnx", input_shapes=["tensor0:2x3x4x5"])
    assert case.samples[0]["tensor0"].shape == (2, 3, 4, 5)
    assert case.findings == ()


def test_a_profile_is_run_at_what_it_is_tuned_for(folder: Path) -> None:
    profile = {
        "min_shapes": ["tensor0:1x3x1x5"],
        "opt_shapes": ["tensor0:2x3x4x5"],
        "max_shapes": ["tensor0:4x3x9x5"],
    }
    case = prepared(folder, "shapes.onnx", **profile)
    assert case.samples[0]["tensor0"].shape == (2, 3, 4, 5)
    assert case.case.options.profiles == {"tensor0": Profile((1, 3, 1, 5), (2, 3, 4, 5), (4, 3, 9, 5))}
    assert case.findings == ()
    explicit = prepared(folder, "shapes.onnx", **profile, input_shapes=["tensor0:4x3x9x5"])
    assert explicit.samples[0]["tensor0"].shape == (4, 3, 9, 5)


def test_a_profile_holds_for_every_input_with_its_named_dimension(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    inputs = [value("a", 1, ["n", 3]), value("b", 1, ["n", "m"]), value("c", 1, [2])]
    nodes = [helper.make_node("Relu", [i], [f"{i}_out"], i) for i in "abc"]
    outputs = [value(f"{i}_out", 1, None) for i in "abc"]
    save_model(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs)), tmp_path / "two.onnx")
    both = {"min_shapes": ["a:1x3"], "opt_shapes": ["a:2x3"], "max_shapes": ["a:8x3"]}
    case = prepared(tmp_path, "two.onnx", **both)
    assert case.case.options.profiles["b"] == Profile((1, 64), (2, 64), (8, 64))
    assert "c" not in case.case.options.profiles
    both["min_shapes"] += ["b:1x4"]
    both["max_shapes"] += ["b:4x4"]
    with pytest.raises(UserError, match=r"'n' is \[1,2,8\] .* of 'a' but \[1,4,4\] in that of 'b'"):
        prepared(tmp_path, "two.onnx", **both, input_shapes=["a:4x3", "b:4x4"])


def test_a_candidate_may_refuse_options_before_anything_is_built(folder: Path) -> None:
    class Picky(FakeBackend):
        def check_options(self, options: BuildOptions, model: Path) -> None:
            raise UserError(f"no {options.precision} for {model.name}")

    class Registers:
        @hookimpl
        def trtdebug_backends(self) -> list[Picky]:
            return [Picky()]

    plugins = PluginManager.load(builtins=[*BUILTINS, Registers()], third_party=False)
    with pytest.raises(UserError, match=r"no fp16 for model\.onnx"):
        prepare(CaseRequest(folder / "model.onnx", BuildOptions("fp16"), candidate="fake"), plugins)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int8", "calibration_cache": "nowhere"}, "there is no calibration cache nowhere"),
        ({"precision": "fp16", "calibration_cache": __file__}, "Give --int8 with it"),
        ({"plugins": ("nowhere.so",)}, "there is no plugin library nowhere.so"),
    ],
)
def test_files_of_the_build_have_to_be_there(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(CaseRequest(folder / "model.onnx", BuildOptions(**options)), PLUGINS)


def test_without_int8_the_emulator_says_who_runs_a_quantised_model(folder: Path) -> None:
    with pytest.raises(UserError, match="Q/DQ model as it is written --candidate onnxruntime"):
        prepare(CaseRequest(folder / "model.onnx", BuildOptions("int8"), candidate="emulator"), PLUGINS)


def test_a_profile_without_its_optimum_is_tuned_for_its_maximum(folder: Path) -> None:
    case = prepared(folder, min_shapes=["tensor0:1x3x64x64"], max_shapes=["tensor0:4x3x64x64"])
    assert case.case.options.profiles["tensor0"].opt == (4, 3, 64, 64)


@pytest.mark.parametrize(
    ("precision", "request_", "vacuous"),
    [
        ("fp32", {}, True),
        ("fp16", {}, False),
        ("fp16", {"candidate": "onnxruntime"}, True),
        ("fp32", {"candidate": "onnxruntime", "candidate_model": "shapes.onnx"}, False),
    ],
)
def test_a_candidate_that_is_the_reference_is_told(
    precision: str, request_: dict[str, Any], vacuous: bool, folder: Path
) -> None:
    if "candidate_model" in request_:
        request_ = request_ | {"candidate_model": folder / "shapes.onnx"}
    case = prepared(folder, "shapes.onnx", precision, **request_)
    assert ("candidate-is-reference" in ids(case)) == vacuous
    advice = [f.mitigation for f in case.findings if f.id == "candidate-is-reference"]
    assert all(("--fp16" in text) == ("candidate" not in request_) for text in advice)


def test_auto_tells_when_it_takes_the_emulator(folder: Path) -> None:
    case = prepared(folder, candidate="auto")
    if probe().ok:
        assert case.case.candidate == "tensorrt"
    else:
        assert case.case.candidate == "emulator"
        assert "candidate-emulated" in ids(case)


def test_the_wrong_sample_of_several_is_named(folder: Path) -> None:
    samples = folder / "samples"
    samples.mkdir()
    np.savez(samples / "0.npz", tensor0=np.zeros((1, 3, 64, 64), np.float32))
    np.savez(samples / "1.npz", tensor0=np.zeros((1, 3, 64), np.float32))
    with pytest.raises(UserError, match=r"sample 2 of 2: Input 'tensor0' has shape \[1,3,64\]"):
        prepared(folder, inputs=samples)


def test_the_candidate_model_has_to_take_the_samples(folder: Path) -> None:
    save_model(clamped_gemm(), folder / "gemm.onnx")
    with pytest.raises(UserError, match=r"the candidate model gemm.onnx: Input 'tensor0' has shape"):
        prepared(folder, candidate_model=folder / "gemm.onnx")


def test_samples_are_stored_as_they_are(folder: Path) -> None:
    case = prepared(folder)
    session = Session(folder / "session")
    store_samples(case, session.tensors)
    assert case.case.samples == ("s0",)
    assert np.array_equal(session.tensors.get("s0", TensorRef("tensor0")), case.samples[0]["tensor0"])


def test_the_case_names_its_inputs_by_content(folder: Path) -> None:
    first, again, other = prepared(folder), prepared(folder), prepared(folder, seed=1)
    assert first.case == again.case
    assert first.case.inputs_sha256 != other.case.inputs_sha256


def test_a_backend_that_an_extension_has_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_IN_EXTENSIONS", {"far": "trtdebug-far"})
    with pytest.raises(UserError, match="the extension trtdebug-far has it") as told:
        find_backend("far", PLUGINS, "candidate")
    assert told.value.hint == "`trtdebug ext install trtdebug-far`"


def test_a_backend_of_an_extension_that_is_not_to_load_is_told_as_such() -> None:
    pytest.importorskip("trtdebug_rtx")
    with pytest.raises(UserError, match="extension rtx is disabled, and has it: drop --no-plugins"):
        find_backend("tensorrt-rtx", PLUGINS, "candidate")
