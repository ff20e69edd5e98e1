"""Rewritten models: equal on the reference before anything else, kept by their content, cured by no builder's mood."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_line import events
from in_process import jobs_run_here, trtdebug
from keeping_backend import KeepingBackend, diagnose, opened
from rewriting import model_of
from several_workers import with_workers

from trtdebug.backends.base import BuildRequest
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, ReplaceGraph
from trtdebug.core.outcome import Signature
from trtdebug.graph import load
from trtdebug.graph.load import content_sha256, load_model
from trtdebug.plugins.rewrites import rewrite_fix
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer
from trtdebug.stages.fixing.fix import fix
from trtdebug.stages.fixing.rewrites import Proof, keep_model, prove
from trtdebug.stages.localising.localise import Located

SAMPLES = Path(__file__).resolve().parents[3] / "samples"


def sample(name: str, monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    monkeypatch.syspath_prepend(str(SAMPLES))
    model: onnx.ModelProto = importlib.import_module(name).build()
    return model


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """An MLP with one LayerNorm that overflows."""
    return sample("layernorm_overflow", monkeypatch)


@dataclass(frozen=True)
class Proposes:
    """A plugin that proposes, before anything else, the model as `change` leaves it."""

    change: Callable[[onnx.ModelProto], None]

    @hookimpl
    def trtdebug_fixes(self) -> Iterable[FixProposer]:
        return [FixProposer("first", "for tests", self.propose)]

    def propose(self, context: FixContext) -> Iterator[FixProposal]:
        model = onnx.ModelProto()
        model.CopyFrom(context.model)
        self.change(model)
        assert context.keep_model is not None
        yield FixProposal("rewrite", "changed", (context.keep_model(model),), 0.0)


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.name == name)


def scale_gamma(model: onnx.ModelProto) -> None:
    """Off by 1e-4: no FP16 build would notice."""
    weight = next(i for i in model.graph.initializer if i.name == "norm.gamma")
    louder = onnx.numpy_helper.to_array(weight) * np.float32(1 + 1e-4)
    weight.CopyFrom(onnx.numpy_helper.from_array(louder, weight.name))


def rename_output(model: onnx.ModelProto) -> None:
    node(model, "logits").output[0] = model.graph.output[0].name = "scores"


def break_node(model: onnx.ModelProto) -> None:
    node(model, "fc3_relu").op_type = "NoSuchOperator"


def identity(model: onnx.ModelProto) -> None:
    """Equal to the model, and no help at all."""
    model.graph.node.insert(0, onnx.helper.make_node("Identity", ["x"], ["x_again"], "again"))
    node(model, "fc1").input[0] = "x_again"


@pytest.mark.parametrize(
    ("change", "reason", "untestable"),
    [
        (scale_gamma, "'logits' differs (off by 0.000", False),
        (rename_output, "outputs differ from the model's", False),
        (break_node, "the reference cannot run the rewritten model", True),
    ],
    ids=["other numbers", "another output", "an operator that nobody knows"],
)
def test_what_is_not_equal_on_the_reference_is_never_built(
    change: Callable[[onnx.ModelProto], None],
    reason: str,
    untestable: bool,
    demo: onnx.ModelProto,
    tmp_path: Path,
) -> None:
    backend = KeepingBackend()
    first, *_, last = diagnose(opened(demo, tmp_path, backend, Proposes(change))).fixes
    assert (first.kind, first.verified, first.builds_passed) == ("rewrite", False, (0, 0))
    assert reason in first.reason
    assert first.untestable == untestable
    assert last.verified
    assert not any("rewrites" in str(request.model) for request in backend.requests)


def test_of_near_equal_values_a_model_in_low_precision_may_choose_another(tmp_path: Path) -> None:
    """As the case itself is judged: rounded, both are 1, and the first of them is taken."""
    model = model_of("y = ArgMax <axis = 1> (x)", [1, 2], outputs="int64 y")
    np.savez(tmp_path / "near.npz", x=np.array([[1.0, 1.0001]], np.float32))
    ctx = opened(model, tmp_path, KeepingBackend(), inputs=tmp_path / "near.npz")
    ctx.record()
    lower = model_of("low = Round(x) y = ArgMax <axis = 1> (low)", [1, 2], outputs="int64 y")
    proposal = FixProposal("rewrite", "rounded", (keep_model(ctx, lower),), 0.0, rounds=True)
    assert prove(ctx, proposal).reason == ""


HEAD = 1 + 2e-7 * np.random.default_rng(7).normal(size=(8, 8))
"""Columns that differ by roundings only."""


def proven(folder: Path, body: str, other: str, x: np.ndarray, **constants: np.ndarray) -> Proof:
    """Whether a model of the body `other` is proven equal to that of `body`, in which `i` is an output."""
    weights = {name: value.astype(np.float32) for name, value in constants.items()}
    outputs = "int64 i, float y"
    np.savez(folder / "x.npz", x=x.astype(np.float32))
    model = model_of(body, x.shape, weights, outputs=outputs)
    ctx = opened(model, folder, KeepingBackend(), inputs=folder / "x.npz")
    ctx.record()
    rewritten = model_of(other, x.shape, weights, outputs=outputs)
    return prove(ctx, FixProposal("rewrite", "", (keep_model(ctx, rewritten),), 0.0))


def test_a_choice_among_what_is_equal_up_to_rounding_is_no_difference(tmp_path: Path) -> None:
    """The same sums of products in another order: the indices differ, and no value by more than a rounding."""
    head = np.concatenate([HEAD, HEAD], 1) * (1 + 1e-7 * np.arange(16))
    x = np.random.default_rng(0).normal(size=(64, 8))
    body = "h = MatMul(x, w) i = ArgMax <axis = 1> (h) y = Neg(x)"
    other = "a = Mul(x, third) b = MatMul(a, w) h = Mul(b, three) i = ArgMax <axis = 1> (h) y = Neg(x)"
    proof = proven(tmp_path, body, other, x, w=head, third=np.float32(1) / 3, three=np.array(3))
    assert proof.reason == ""
    assert proof.note == (
        "equal on the reference on 1 sample up to 0 of the scale; of near-equal values others are chosen in 'i'"
    )


def test_what_rounding_of_the_values_explains_makes_choices_near(tmp_path: Path) -> None:
    """A difference of near equals: its digits are rounding, and so is which of them is the largest."""
    x = 1 + 1e-5 * np.random.default_rng(1).normal(size=(64, 8))
    body = "h = Add(x, c) y = Sub(h, c) i = ArgMax <axis = 1> (y)"
    other = "y = Identity(x) i = ArgMax <axis = 1> (y)"
    proof = proven(tmp_path, body, other, x, c=np.array(300))
    assert proof.reason == ""
    assert proof.note.endswith(
        "which its own rounding explains; of near-equal values others are chosen in 'i'"
    )


def test_flips_between_near_equals_excuse_no_choice_of_values_that_are_far_apart(tmp_path: Path) -> None:
    """In FP64 most rows choose otherwise, but not the last; in that one the rewritten model chooses the smallest."""
    x = np.concatenate([1 + 6e-8 * np.random.default_rng(1).integers(0, 2, (7, 8)), [np.arange(8)]])
    sign = np.ones((8, 1))
    sign[7] = -1
    body = "h = Add(x, c) i = ArgMax <axis = 1> (h) y = Neg(x)"
    other = "a = Add(x, c) h = Mul(a, sign) i = ArgMax <axis = 1> (h) y = Neg(x)"
    proof = proven(tmp_path, body, other, x, c=np.array(3), sign=sign)
    assert proof.reason.endswith(
        "its output 'i' differs (1 of 8 choices differ, 1 of them between values that are far apart)"
    )
    assert not proof.untestable


def test_weights_among_the_inputs_may_go(demo: onnx.ModelProto, tmp_path: Path) -> None:
    """As folding does with those of a model of IR version 3."""

    def unlisted(model: onnx.ModelProto) -> None:
        del model.graph.input[1:]

    types = {i.name: (i.data_type, i.dims) for i in demo.graph.initializer}
    demo.graph.input.extend(onnx.helper.make_tensor_value_info(n, *type_) for n, type_ in types.items())
    first, *_ = diagnose(opened(demo, tmp_path, KeepingBackend(), Proposes(unlisted))).fixes
    assert first.reason.startswith("forced into FP16 everywhere it still fails")


def test_equal_on_one_sample_is_not_enough(tmp_path: Path) -> None:
    """Rewritten, the model clamps at 5, which only the second sample exceeds."""

    def clamp(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(5), "five"))
        model.graph.node.insert(0, onnx.helper.make_node("Min", ["x", "five"], ["z"], "clamp"))
        model.graph.node[1].input[0] = "z"

    model = model_of("a = Mul(x, big) b = Mul(a, a) y = Sqrt(b)", [1, 2], {"big": np.float32(300)})
    samples = tmp_path / "samples"
    samples.mkdir()
    for number, value in enumerate([1, 7]):
        np.savez(samples / f"{number}.npz", x=np.full((1, 2), value, np.float32))
    ctx = opened(model, tmp_path, KeepingBackend(), Proposes(clamp), inputs=samples)
    assert len(ctx.case.samples) == 2
    first = diagnose(ctx).fixes[0]
    assert (first.kind, first.builds_passed) == ("rewrite", (0, 0))
    assert "'y' differs" in first.reason


def test_one_that_passes_by_the_builders_mood_alone_is_no_fix(demo: onnx.ModelProto, tmp_path: Path) -> None:
    backend = KeepingBackend()
    first, *_ = diagnose(opened(demo, tmp_path, backend, Proposes(identity))).fixes
    assert first.reason.startswith("forced into FP16 everywhere it still fails")
    assert first.builds_passed == (0, 0)
    built = [r for r in backend.requests if "rewrites" in str(r.model)]
    assert [r.interventions for r in built] == [(ForcePrecision("fp16"),)]


def test_a_norm_whose_square_is_scaled_is_proven_forced_and_built(
    demo: onnx.ModelProto, tmp_path: Path
) -> None:
    """By hook, as an extension does it, and tried before the pins since the extension says that it costs nothing."""
    from trtdebug.fixes.rewrites.scaled_square import REWRITE

    class Extension:
        @hookimpl
        def trtdebug_fixes(self) -> Iterable[FixProposer]:
            def propose(context: FixContext) -> Iterator[FixProposal]:
                yield from (replace(p, cost=0.0) for p in rewrite_fix(REWRITE).propose(context))

            return [FixProposer("mine", "for tests", propose)]

    backend = KeepingBackend()
    [fix] = diagnose(opened(demo, tmp_path, backend, Extension())).fixes
    assert (fix.kind, fix.verified, fix.builds_passed) == ("rewrite", True, (2, 2))
    assert fix.note.startswith("equal on the reference on 1 sample up to ")
    assert fix.latency_ms is not None
    forced, *natural = (r.interventions for r in backend.requests if "rewrites" in str(r.model))
    assert (forced, natural) == ((ForcePrecision("fp16"),), [(), ()])


@pytest.mark.parametrize(("workers", "rounds"), [(1, 4), (4, 1)])
def test_several_workers_force_a_rewritten_model_and_build_it_as_the_user_does_at_once(
    workers: int, rounds: int, demo: onnx.ModelProto, tmp_path: Path
) -> None:
    ctx = opened(demo, tmp_path, KeepingBackend())
    session = with_workers(ctx, workers)
    ctx.record()
    culprit = Culprit(("norm_pow",), "precision", "fails alone")
    [tried] = fix(ctx, Signature("mismatch", ("logits",)), Located((culprit,), None), (), (), 2)
    assert (tried.kind, tried.verified, tried.builds_passed) == ("rewrite", True, (2, 2))
    assert (session.rounds, session.counts.builds) == (rounds, 4)


def test_pins_of_the_same_nodes_come_first(demo: onnx.ModelProto, tmp_path: Path) -> None:
    [fix] = diagnose(opened(demo, tmp_path, KeepingBackend())).fixes
    assert (fix.kind, fix.verified) == ("pin", True)


def refuse_whole_exponents(request: BuildRequest) -> None:
    """As TensorRT 8.6 does."""
    model = load_model(request.model)
    whole = {i.name for i in model.graph.initializer if i.data_type != onnx.TensorProto.FLOAT}
    for found in model.graph.node:
        if found.op_type == "Pow" and found.input[1] in whole:
            raise BuildFailure("a Pow of two types is not supported.", node=found.name)


def test_a_model_that_is_not_built_is_rewritten_until_it_is(tmp_path: Path) -> None:
    model = model_of("h = Tanh(x) p = Pow(h, two) y = Neg(p)", [2, 3], {"two": np.int64(2)})
    diagnosis = diagnose(opened(model, tmp_path, KeepingBackend(on_build=refuse_whole_exponents)))
    assert diagnosis.verdict == "untestable"
    assert {n for c in diagnosis.culprits for n in c.nodes} == {"node_of_p"}
    fix = diagnosis.fixes[-1]
    assert (fix.kind, fix.verified, fix.builds_passed) == ("rewrite", True, (2, 2)), fix.reason
    assert fix.summary == "INT64 constants narrowed, at 1 place"


# kept -----------------------------------------------------------------------------------------------------------


def test_a_kept_model_is_named_by_its_content(demo: onnx.ModelProto, tmp_path: Path) -> None:
    ctx = opened(demo, tmp_path, KeepingBackend())
    one, again = keep_model(ctx, demo), keep_model(ctx, demo)
    assert one == again
    assert one.sha256 == content_sha256(Path(one.model))
    identity(demo)
    other = keep_model(ctx, demo)
    assert other.model != one.model
    assert load_model(Path(other.model)) == demo


def test_large_weights_lie_outside(
    demo: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "EXTERNAL_ABOVE", 1 << 10)
    ctx = opened(demo, tmp_path, KeepingBackend())
    identity(ctx.model)
    kept = keep_model(ctx, ctx.model)
    assert Path(f"{kept.model}.data").exists()
    assert load_model(Path(kept.model)) == ctx.model
    proposal = FixProposal("rewrite", "", (kept,))
    ctx.record()
    assert prove(ctx, proposal).note.startswith("equal on the reference")


def test_a_trial_does_not_depend_on_where_the_session_lies(demo: onnx.ModelProto, tmp_path: Path) -> None:
    ctx = opened(demo, tmp_path, KeepingBackend())
    here, there = ReplaceGraph("/here/0.onnx", "aa"), ReplaceGraph("/there/0.onnx", "aa")
    job = ctx.candidate_job("", (here,))
    assert job.sha256 == ctx.candidate_job("", (there,)).sha256
    assert job.sha256 != ctx.candidate_job("", (replace(here, sha256="bb"),)).sha256
    assert job.sha256 != ctx.candidate_job("").sha256


# end to end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "summary", "nodes"),
    [
        ("layernorm_overflow", "scale before the square of a norm, at 1 place", {"norm_pow", "norm_sqrt"}),
        ("exp_overflow", "Softmax in place of exp over its sum, at 1 place", {"exp", "sum", "div"}),
    ],
)
def test_without_pins_a_rewrite_cures_the_samples_and_a_moved_session_repeats_nothing(
    name: str, summary: str, nodes: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(sample(name, monkeypatch), tmp_path / "model.onnx")
    command = (
        "--no-plugins",
        "-p",
        "no:fixes",
        "fix",
        "model.onnx",
        "--fp16",
        "--candidate",
        "emulator",
        "--json",
        "--session",
    )
    monkeypatch.chdir(tmp_path)
    with jobs_run_here():
        done = trtdebug(*command, "one")
    assert done.code == 1, done.stderr
    report = json.loads(done.stdout)
    assert nodes <= {n for c in report["culprits"] for n in c["nodes"]}
    fix = next(f for f in report["fixes"] if f["verified"])
    assert (fix["kind"], fix["summary"], fix["builds_passed"]) == ("rewrite", summary, [1, 1])
    assert fix["max_rel_after"] < 1e-2
    [graph] = fix["interventions"]
    assert (tmp_path / graph["model"]).exists()

    shutil.move(tmp_path / "one", tmp_path / "two")
    again = trtdebug(*command, "two")
    assert again.code == 1, again.stderr
    started = [e["purpose"] for e in events(tmp_path / "two") if e["event"] == "trial_started"]
    assert len(started) == len([e for e in events(tmp_path / "two") if e["event"] == "trial_finished"])
    assert json.loads(again.stdout)["trials"]["builds"] == 0


EXTENSION = """
from trtdebug.graph.rewrite import Draft, Rewrite
from trtdebug.plugins.rewrites import rewrite_fix
from trtdebug.plugins.spec import hookimpl


def find(view):
    for root in view.index.nodes:
        square = view.writer(root.inputs[0], "Mul") if view.is_op(root, "Sqrt") else None
        if square is not None and square.inputs[0] == square.inputs[1]:
            draft = Draft(view, root.name)
            draft.op("Abs", square.inputs[0], to=root.outputs[0])
            yield draft.instead_of((square.name, root.name))


@hookimpl
def trtdebug_fixes():
    yield rewrite_fix(Rewrite("abs", "Abs in place of a root of a square", find))
"""


def test_a_rewrite_of_a_third_party_cures_its_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "trtdebug_abs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-abs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\nabs = trtdebug_abs\n")
    (tmp_path / "trtdebug_abs.py").write_text(EXTENSION)
    body = "a = Mul(x, big) b = Mul(a, a) c = Sqrt(b) y = Add(c, x)"
    onnx.save(model_of(body, [1, 16], {"big": np.float32(3000)}), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    without = ("-p", "no:fixes", "-p", "no:rewrites")
    with jobs_run_here():
        done = trtdebug(
            *without, "fix", "model.onnx", "--fp16", "--candidate", "emulator", "--json", "--quiet"
        )
    assert done.code == 1, done.stderr
    fix = json.loads(done.stdout)["fixes"][-1]
    assert (fix["kind"], fix["verified"]) == ("rewrite", True)
    assert fix["summary"] == "Abs in place of a root of a square, at 1 place"
