"""Bans by the editable timing cache: on the real bindings of 10 and 11 as far as it goes, and on TensorRT-RTX.

The bindings give real keys, values and flags; the cache itself takes a GPU and is played by `timing_caches`.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bindings
import pytest
from rtx_build import Built, Job

from trtdebug.graph.load import save_model

PREPARED = """
import sys
from pathlib import Path
from timing_caches import FakeConfig, autotunes
from autotuning_logs import EDITABLE, KEY_A, KEY_B
from trtdebug.backends.tensorrt.cache_rules import CacheRules
from trtdebug.backends.tensorrt.editable_cache import EditableCache
from trtdebug.backends.tensorrt.logger import collected
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, UseTactic
CHOSEN = {KEY_A: "0x665ded9abbf88", KEY_B: "0x1"}

def built(*bans, uses=(), refuses=(), forgets=False, log=EDITABLE, folder=None):
    config = FakeConfig(refuses)
    with collected() as sink:
        cache = EditableCache(CacheRules.of(bans, uses), sink, folder)
        engine = cache.build(config, autotunes(config, log, CHOSEN, forgets))
    return engine.decode(), cache.built, config
"""


@pytest.fixture(params=bindings.TENSORRT)
def said(request: pytest.FixtureRequest, child):
    """Runs Python code with a version's `tensorrt`; gives what it assigned to `answer`."""

    def run(code: str, *arguments: str) -> Any:
        done = child(request.param).run(
            "-c", f"import json\n{PREPARED}\n{code}\nprint()\nprint(json.dumps(answer))", *arguments
        )
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_a_banned_tactic_gives_way_to_the_cheapest_other(said, tmp_path: Path) -> None:
    code = """
engine, result, config = built(BanTactic("fc1", "0x665ded9abbf88"), folder=Path(sys.argv[1]))
answer = engine, result.held, result.ignored(()), result.notes(()), sorted(config.flags)
"""
    engine, cache, ignored, notes, flags = said(code, str(tmp_path))
    assert list(cache.values()) == ["0x93e4ef8ad243", "0x1"]
    assert str(0x93E4EF8AD243) in engine
    assert ignored == []
    assert notes[0] == "in the timing cache: 'fc1': 0x93e4ef8ad243 (gemm_f32_64x32)"
    assert flags == ["EDITABLE_TIMING_CACHE"]
    assert (tmp_path / "timing.cache").read_bytes().decode() == engine
    tables = json.loads((tmp_path / "autotuning.json").read_text(encoding="utf-8"))
    assert [len(op["candidates"]) for op in tables] == [3, 1]


def test_a_tactic_to_be_used_is_used(said) -> None:
    code = """
_, result, _ = built(uses=(UseTactic("fc1", "0x2AD3A182FB05C"),))
_, missing, _ = built(uses=(UseTactic("fc1", "0x77"),))
answer = list(result.held.values()), missing.ignored(())
"""
    cache, ignored = said(code)
    assert cache == ["0x2ad3a182fb05c", "0x1"]
    assert ignored == ["'fc1' cannot have the tactic 0x77: TensorRT does not offer it in this build"]


def test_what_is_not_chosen_needs_no_second_build(said) -> None:
    code = """
_, result, _ = built(BanTactic("fc1", "0x2ad3a182fb05c"), BanTactic("fc1", "0x5"), forgets=True)
answer = list(result.held.values()), result.again, result.ignored(()), result.notes(())
"""
    cache, again, ignored, notes = said(code)
    assert cache == ["0x665ded9abbf88", "0x1"]
    assert (again, ignored) == ([], [])
    assert notes == ["'fc1' has no tactic 0x5 in this build: nothing to ban"]


def test_a_build_that_times_anew_does_not_keep_the_ban(said) -> None:
    code = """
_, result, _ = built(BanTactic("fc1", "0x665ded9abbf88"), forgets=True)
answer = result.ignored(())
"""
    anew, again = said(code)
    assert anew == (
        "TensorRT did not keep to its timing cache: the entry 'fc1': 0x93e4ef8ad243 (gemm_f32_64x32) became "
        "0x665ded9abbf88"
    )
    assert again == "TensorRT timed 'fc1' once more and chose 0x665ded9abbf88, which is banned"


def test_what_cannot_be_banned_is_a_build_failure(said) -> None:
    code = """
def refused(*bans, **more):
    try:
        built(*bans, **more)
    except BuildFailure as failure:
        return failure.message, failure.hint

fc1, fc2 = BanTactic("fc1", "0x665ded9abbf88"), BanTactic("fc2", "0x1")
answer = [
    refused(fc2),
    refused(fc1, BanTactic("fc1", "0x93e4ef8ad243"), BanTactic("fc1", "0x2ad3a182fb05c")),
    refused(fc1, refuses=(KEY_A,)),
    refused(BanTactic("fc3", "0x1")),
    refused(fc1, log=EDITABLE.replace(f"(key: {KEY_A})", "")),
    refused(fc1, log=""),
]
"""
    only, every, update, unknown, keyless, nothing = said(code)
    assert only[0] == "0x1 is the only implementation that TensorRT has of 'fc2': it cannot be banned."
    assert "tactic_sources" in only[1]
    assert every[0] == "all 3 tactics that TensorRT has of 'fc1' are banned, or could not be timed."
    assert update[0].startswith("TensorRT's timing cache does not take the entry 'fc1': 0x93e4ef8ad243 ")
    assert unknown == ["TensorRT autotuned no 'fc3' in this build.", "What it autotuned: fc1."]
    assert keyless[0] == "'fc1' has no key in the build log, so the timing cache cannot choose its tactic."
    assert nothing[0].startswith("TensorRT autotuned nothing in this build whose tactic could be chosen")


def test_invalid_entries_are_as_the_rules_take_them(said) -> None:
    """What TensorRT's own types refuse, our rules refuse before."""
    code = """
import tensorrt as trt
def raises(action):
    try:
        action()
    except Exception as error:
        return type(error).__name__
answer = [
    raises(lambda: trt.TimingCacheKey.parse("0x12")),
    raises(lambda: trt.TimingCacheValue(-1, 1.0)),
    raises(lambda: CacheRules.of([BanTactic("a", "0x" + "f" * 16)], ())),
    raises(lambda: CacheRules.of([BanTactic("a", "-0x1")], ())),
    str(trt.TimingCacheKey.parse(KEY_A.upper().replace("X", "x"))) == KEY_A,
    trt.TimingCacheValue(2**64 - 2, 0.5).timingMSec,
]
"""
    assert said(code) == ["ValueError", "TypeError", "BuildFailure", "BuildFailure", True, 0.5]


def test_rtx_takes_the_flag_and_autotunes_nothing(
    child, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A real builder of the family of 11: its kernels are made when the engine runs, so its cache stays empty."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[4] / "samples"))
    model = tmp_path / "model.onnx"
    save_model(importlib.import_module("layernorm_overflow").build(), model)
    jobs = [
        Job(str(model), "fp16"),
        Job(str(model), "fp16", bans={"fc1": "0x1"}),
        Job(str(model), "fp16", bans={"fc1": "0x1"}, knobs={"optimization_level": "0"}),
    ]
    script = Path(bindings.__file__).with_name("rtx_build.py")
    lines = (
        child(bindings.RTX).run(str(script), said="\n".join(json.dumps(asdict(job)) for job in jobs)).stdout
    )
    plain, banned, level = (Built(**json.loads(line)) for line in lines.splitlines() if line.startswith("{"))
    assert plain.size > 0
    assert banned.failure == (
        "TensorRT autotuned nothing in this build whose tactic could be chosen, 'fc1' neither."
    )
    assert level.failure.startswith("at optimization_level 0 TensorRT ignores its timing cache")


def test_what_rtx_logs_of_its_choice(child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of what is no table of Myelin's stands in the line of formats."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[4] / "samples"))
    model = tmp_path / "model.onnx"
    save_model(importlib.import_module("layernorm_overflow").build(), model)
    code = """
import json, sys
import tensorrt as trt
from trtdebug.backends.tensorrt.autotuning import AutotuningReader
from trtdebug.backends.tensorrt.editable_cache import contents
from trtdebug.backends.tensorrt.logger import collected, trt_logger
logger, reader, lines = trt_logger(), AutotuningReader(), []
def listen(message):
    reader.read(message)
    lines.append(message)
with collected() as log, log.heard(listen):
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse_from_file(sys.argv[1])
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.EDITABLE_TIMING_CACHE)
    taken = config.set_timing_cache(config.create_timing_cache(b""), False)
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        profile.set_shape(tensor.name, *[[max(size, 2) for size in tensor.shape]] * 3)
    config.add_optimization_profile(profile)
    assert builder.build_serialized_network(network, config) is not None
    cache = config.get_timing_cache()
    key = trt.TimingCacheKey.parse("0x" + "0" * 32)
    kept = contents(cache), cache.update(key, trt.TimingCacheValue(5, 1.0))
[op] = reader.result().ops
formats = [line for line in lines if "Autotuning format" in line]
print(json.dumps([taken, kept, op.key, op.runner, len(op.candidates), "{key: None}" in formats[0]]))
"""
    said = child(bindings.RTX).run("-c", code, str(model)).stdout.splitlines()[-1]
    assert json.loads(said) == [True, [{}, False], None, "Myelin", 0, True]
