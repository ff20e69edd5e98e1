"""The proposals, and whole sessions on the CPU: planted layers are named, and the fewest left in float."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
import trtdebug_quant
from trtdebug_quant.fix import _sets
from trtdebug_quant.layers import Layer

from trtdebug.core.case import BuildOptions, OutputTolerance, Tolerance
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.outcome import Signature
from trtdebug.debugger import Debugger
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.testing import fix_context, load_plugin, run_fix
from trtdebug.plugins.types import ReplaceGraph
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples

pytest_plugins = ["trtdebug.plugins.fixtures"]


@pytest.fixture
def proposed(trtdebug_plugin):
    """`proposed(model, ...)`: the proposals, and the models that were kept for them."""
    fix = trtdebug_plugin(trtdebug_quant).fixes()["quant-leave-float"]

    def run(model, sample, tolerance=Tolerance(), **other):
        kept = []

        def keep(rewritten):
            kept.append(rewritten)
            return ReplaceGraph(f"{len(kept)}.onnx", "")

        context = fix_context(
            model, [], samples=[sample], **{"precision": "int8", "keep_model": keep, **other}
        )
        context = replace(context, case=replace(context.case, tolerance=tolerance))
        return run_fix(fix, context), kept

    return run


def test_proposes_the_fewest_layers_then_more_the_worst_first(proposed, quantised, sample, spoiled):
    proposals, kept = proposed(spoiled(quantised, r2_scale=0.1), sample)
    assert [p.cost for p in proposals] == [1, 2, 3, 5]
    assert all(p.kind == "rewrite" and p.rounds for p in proposals)
    assert proposals[0].summary == "leave 1 of 5 quantised layers in float: n_c3"
    assert proposals[-1].summary.endswith(" and 1 more")
    counts = [sum(n.op_type == "DequantizeLinear" for n in model.graph.node) for model in kept]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


@pytest.mark.parametrize(
    ("tolerance", "costs"),
    [
        (Tolerance(), [2, 3, 4, 5]),  # INT8's default: a relative RMS error of 0.1
        (Tolerance(rms_rel=1.0), [1, 2, 3, 5]),
        (Tolerance(atol=1.0), [1, 2, 3, 5]),
        (Tolerance(rms_rel=1e-4), [5]),
        (Tolerance(rtol=1e-6), [5]),
        (Tolerance(rms_rel=1e-4, outputs={"y": OutputTolerance(rms_rel=1.0)}), [1, 2, 3, 5]),
    ],
)
def test_how_many_it_takes_is_a_matter_of_the_tolerance(
    trtdebug_plugin, proposed, quantised, sample, spoiled, tolerance, costs
):
    model = spoiled(quantised, r2_scale=60, f_scale=60)
    proposals, _ = proposed(model, sample, tolerance=tolerance)
    assert [p.cost for p in proposals] == costs


@dataclass(frozen=True)
class Needs:
    """A trial that is right as soon as one of these sets is float."""

    sets: tuple[str, ...]

    def is_right(self, floating):
        return any(set(names) <= {layer.node for layer in floating} for names in self.sets)


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (["a"], ["a", "ab", "abc", "abcde", "abcdef"]),
        (["c"], ["c", "abc", "abcd", "abcde", "abcdef"]),
        (["bd"], ["bd", "abcd", "abcde", "abcdef"]),
        (["bcd", "ad"], ["ad", "abcd", "abcde", "abcdef"]),
        (["abcdef"], ["abcdef"]),
        (["f"], ["f", "abcdef"]),
    ],
)
def test_layers_that_need_not_be_float_are_quantised_again(needs, expected):
    layers = [Layer(name, "Conv", (), (), name) for name in "abcdef"]
    found = ["".join(layer.node for layer in chosen) for chosen in _sets(Needs(tuple(needs)), layers)]
    assert found == expected


@pytest.mark.parametrize(
    "other",
    [
        {"precision": "fp16"},
        {"realises": {"PinPrecision"}},
        {"keep_model": None},
        {"signature": Signature("build-failure")},
    ],
)
def test_proposes_nothing_where_it_cannot_help(proposed, quantised, sample, other):
    assert proposed(quantised, sample, **other)[0] == ()


def test_proposes_nothing_for_a_float_model(proposed, network, sample):
    assert proposed(network, sample)[0] == ()


def test_says_what_keeps_it_from_measuring(proposed, quantised):
    (proposal,), _ = proposed(quantised, {"x": np.ones((1, 1), np.float32)})
    assert proposal.obstacle.startswith("onnxruntime does not run the model: ")
    assert proposal.interventions == ()


# sessions --------------------------------------------------------------------------------------------------


@pytest.fixture
def diagnosed(network, sample, tmp_path):
    """`diagnosed(quantised model)`: as by `trtdebug fix float.onnx --candidate-model int8.onnx --int8`."""
    onnx.save(network, tmp_path / "float.onnx")

    def run(model) -> Diagnosis:
        onnx.save(model, tmp_path / "int8.onnx")
        plugins = load_plugin(*BUILTINS, trtdebug_quant)
        request = CaseRequest(
            tmp_path / "float.onnx",
            BuildOptions(precision="int8"),
            candidate="onnxruntime",
            candidate_model=tmp_path / "int8.onnx",
            samples=[sample],
        )
        prepared = prepare(request, plugins)
        session = Session(tmp_path / "s", InProcess(tmp_path / "s", plugins.backends()))
        session.store_case(prepared.case)
        store_samples(prepared, session.tensors)
        return Debugger(Context(session, prepared.case, plugins), prepared.findings, "fix").run()

    return run


def test_a_healthy_quantised_model_matches(diagnosed, quantised):
    found = diagnosed(quantised)
    assert (found.verdict, found.fixes, found.findings) == ("matches", (), ())


@pytest.mark.parametrize(
    ("changes", "left", "culprit", "findings"),
    [
        ({"r2_scale": 0.05}, ["n_c3"], "n_c3", {"quant-clips"}),
        ({"w4_scale": 3}, ["n_m"], "n_m", {"quant-weights-differ"}),
        ({"r2_scale": 60, "f_scale": 60}, ["n_m", "n_c3"], "n_c3", {"quant-wastes"}),
        ({"x_scale": 0.1, "w2_scale": 3}, ["n_c1", "n_c2"], "n_c1", {"quant-clips", "quant-weights-differ"}),
    ],
)
def test_planted_layers_are_named_and_the_fewest_are_left_in_float(
    diagnosed, quantised, spoiled, changes, left, culprit, findings
):
    found = diagnosed(spoiled(quantised, **changes))
    assert found.verdict == "diverges"
    assert [node for c in found.culprits for node in c.nodes] == [culprit]
    *failed, fix = found.fixes
    assert fix.verified
    assert not any(f.verified for f in failed)
    summary, _, names = fix.summary.partition(": ")
    assert summary == f"leave {len(left)} of 5 quantised layers in float"
    assert set(names.split(", ")) == set(left)
    assert findings <= {f.id for f in found.findings}
    assert found.fix_folder is not None
