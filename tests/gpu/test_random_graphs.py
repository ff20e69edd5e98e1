"""64 random graphs of real op mixes on real TensorRT: what is forced is built, or what could not be is named."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest
from mix_trials import Lanes, MixTrials, error, float_nodes, mixed
from op_mix_graphs import SEEDS

from trtdebug.core.outcome import Outcome
from trtdebug.session.executor import WorkerProcess
from trtdebug.session.limits import WorkerLimits, default_memory

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(400)]

SECONDS = 60  # a build of the slowest takes some; a hang is an outcome, too
WORKERS = 4
PINNED = SEEDS[::8]
UNNAMED = 3
"""Graphs of all that may fail inside of Myelin, which says of no node that it is to blame."""
UNPINNABLE = {"If", "Loop", "LSTM", "GRU", "QuantizeLinear", "DequantizeLinear"}


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    lanes = []
    for number in range(WORKERS):
        folder = tmp_path_factory.mktemp(f"mixes{number}")
        limits = WorkerLimits(SECONDS, default_memory() // WORKERS)
        worker = WorkerProcess(folder, limits, backend="tensorrt")
        worker.start(warm=True)
        lanes.append(MixTrials(folder, "tensorrt", worker))
    shared = Lanes(lanes)
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def forced(trials: Lanes) -> Mapping[int, Outcome]:
    """One build a graph with every float node in FP16."""
    started = time.perf_counter()
    found = trials.forced(SEEDS)
    print(f"\n{_table(trials, found)}\n{time.perf_counter() - started:.0f} s with {WORKERS} workers")
    return found


def test_no_build_breaks_the_worker(forced: Mapping[int, Outcome]) -> None:
    broken = {s: o for s, o in forced.items() if o.signature and o.signature.kind in ("crash", "timeout")}
    assert not broken, _reasons(broken)


def test_what_tensorrt_lacks_is_refused_at_its_node(forced: Mapping[int, Outcome], trials: Lanes) -> None:
    for seed in (s for s in SEEDS if mixed(s).lacking):
        outcome = forced[seed]
        assert outcome.status == "untestable", seed
        assert outcome.signature is not None
        assert outcome.signature.kind == "build-failure"
        assert _ops(trials, seed)[str(outcome.node)] == mixed(seed).lacking, outcome.reason


def test_every_other_graph_builds_or_says_what_does_not(forced: Mapping[int, Outcome], trials: Lanes) -> None:
    unnamed = _unnamed(trials, forced)
    print(f"\nblamed on no node: {_reasons(unnamed) or 'none'}")
    assert len(unnamed) <= UNNAMED, _reasons(unnamed)
    built = [s for s, o in forced.items() if o.status != "untestable"]
    assert len(built) >= 0.75 * len(SEEDS), _reasons(forced)


def test_nodes_that_cannot_be_forced_are_named(forced: Mapping[int, Outcome], trials: Lanes) -> None:
    for seed, outcome in forced.items():
        if outcome.engine is None:
            continue
        ops = _ops(trials, seed)
        told = {*outcome.engine.unverified, *outcome.engine.refused}
        assert told <= set(ops), seed
        absent = " ".join(n for n in outcome.engine.notes if "have no layer" in n)
        cannot = {n for n in float_nodes(trials.model(seed)) if ops[n] in UNPINNABLE and n not in absent}
        assert cannot <= told, (seed, cannot - told)
        noted = any("cannot be set" in note for note in outcome.engine.notes)
        assert noted or not cannot, (seed, outcome.engine.notes)


def test_the_graphs_are_healthy_in_fp16(forced: Mapping[int, Outcome]) -> None:
    wrong = {s: o for s, o in forced.items() if o.status == "fail"}
    assert not wrong, _reasons(wrong)


def test_half_of_the_nodes_pinned_is_no_worse(forced: Mapping[int, Outcome], trials: Lanes) -> None:
    """Scattered pins leave islands of FP16; 8.6's Myelin built one of eight such mixtures, and said so."""
    pinned = trials.forced([s for s in PINNED if forced[s].status != "untestable"], pinned=True)
    kinds = Counter[str]()
    for seed, outcome in pinned.items():
        if outcome.status == "untestable":
            kinds["untestable"] += 1
            continue
        assert outcome.status == "pass", f"{seed}: {outcome.reason}"
        assert error(outcome) <= max(2 * error(forced[seed]), 6e-3), seed
        kinds["better" if error(outcome) < error(forced[seed]) else "as good"] += 1
    unnamed = _unnamed(trials, pinned)
    print(
        f"\nhalf of the nodes pinned to FP32: {dict(kinds)}; blamed on no node: {_reasons(unnamed) or 'none'}"
    )
    assert kinds["untestable"] < len(pinned), _reasons(pinned)


def _unnamed(trials: Lanes, outcomes: Mapping[int, Outcome]) -> dict[int, Outcome]:
    """Outcomes that blame no node of their graph: allowed where it was Myelin that failed, and said so in words."""
    unnamed = {}
    for seed, outcome in outcomes.items():
        if outcome.status != "untestable":
            continue
        ops = _ops(trials, seed)
        assert len(outcome.reason.split()) >= 3, f"{seed}: {outcome.reason!r}"
        assert outcome.node is None or outcome.node in ops, f"{seed}: {outcome.node}"
        tensors = {t for n in trials.model(seed).graph.node for t in n.output if t}
        said = [n for n in ops if f"'{n}'" in outcome.reason]
        said += [t for t in tensors if re.search(rf"tensor '?{re.escape(t)}\b", outcome.reason)]
        if outcome.node is None and not said:
            blamed = "myelin" in outcome.reason.lower() or "ForeignNode" in outcome.reason
            assert blamed, f"{seed}: {outcome.reason}"
            unnamed[seed] = outcome
    return unnamed


def _ops(trials: Lanes, seed: int) -> dict[str, str]:
    return {n.name: n.op_type for n in trials.model(seed).graph.node}


def _reasons(outcomes: Mapping[int, Outcome]) -> str:
    return "; ".join(f"{seed}: {o.reason[:200]}" for seed, o in outcomes.items() if o.reason)


def _table(trials: Lanes, outcomes: Mapping[int, Outcome]) -> str:
    """A line a graph, and how many of each kind."""
    lines, kinds = [], Counter[str]()
    for seed, outcome in outcomes.items():
        kind = _kind(outcome)
        kinds[kind] += 1
        size = len(trials.model(seed).graph.node)
        seconds = outcome.build_seconds + outcome.run_seconds
        worst = f"{error(outcome):.1e}" if outcome.tensors else "-"
        engine = outcome.engine
        told = f"{len(engine.unverified)} not seen" if engine else f"node {outcome.node}"
        notes = " | ".join(engine.notes) if engine else ""
        why = f"{outcome.reason} {notes}".strip()[:220]
        lines.append(f"{seed:3} {size:4} nodes {seconds:5.1f} s  {kind:24} {worst:8} {told:14} {why}")
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    total = sum(o.build_seconds + o.run_seconds for o in outcomes.values())
    return "\n".join([*lines, f"{len(outcomes)} graphs in {total:.0f} s: {counts}"])


def _kind(outcome: Outcome) -> str:
    if outcome.status == "untestable":
        if outcome.signature is None:
            return "precision refused"
        if outcome.signature.kind != "build-failure":
            return outcome.signature.kind
        return "refused by the parser" if "parser refuses" in outcome.reason else "not built"
    notes = outcome.engine.notes if outcome.engine else ()
    relaxed = any("relaxed" in n or "dropped" in n for n in notes)
    built = "built, relaxed" if relaxed else "built, with notes" if notes else "built"
    return built if outcome.status == "pass" else f"{built}, wrong"
