"""Engines that left a record on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_json import TRT8
from fake_backend import job

from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.core.outcome import EngineInfo, LayerInfo, Outcome
from trtdebug.stages.engines.recorded import is_recorded, load_job, recorded_engine

INFO = EngineInfo("tensorrt", "8.6.0", "GPU", (LayerInfo("fc", ("fc",), "fp16", milliseconds=0.5),))


def trial(session: Path, name: str, purpose: str, info: EngineInfo = INFO, record: bool = False) -> Path:
    folder = session / "trials" / name
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(dumps(job(purpose=purpose, record=record)))
    (folder / "outcome.json").write_text(dumps(Outcome("pass")))
    (folder / "engine.json").write_text(dumps(info))
    return folder


def test_a_trial_and_its_file_tell_the_same(tmp_path: Path) -> None:
    folder = trial(tmp_path, "aa", "forced")
    assert recorded_engine(folder) == recorded_engine(folder / "engine.json") == INFO


def test_of_a_session_the_build_as_the_user_makes_it(tmp_path: Path) -> None:
    trial(tmp_path, "aa", "forced", EngineInfo("tensorrt", "0"))
    trial(tmp_path, "bb", "as built")
    assert recorded_engine(tmp_path) == INFO


def test_layers_in_tensorrts_own_terms(tmp_path: Path) -> None:
    path = tmp_path / "layers.json"  # as trtexec --exportLayerInfo writes them
    path.write_text(TRT8)
    assert is_recorded(path)
    info = recorded_engine(path)
    assert [layer.nodes for layer in info.layers] == [(), ("conv1", "relu1"), ()]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no JSON"),
        ("[]", "tells nothing"),
        ('{"a": 1}', "tells nothing"),
        ('{"Layers": 3}', "readable"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        recorded_engine(path)


def test_folders_without_an_engine_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a session nor a trial"):
        recorded_engine(tmp_path)
    trial(tmp_path, "aa", "forced")
    with pytest.raises(UserError, match="holds no engine"):
        recorded_engine(tmp_path)
    with pytest.raises(UserError, match="No such file"):
        recorded_engine(tmp_path / "missing.json")


def test_an_engine_file_becomes_a_job_that_compares_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.engine"
    path.write_bytes(b"ftrt" + bytes(60))
    job = load_job(path, ("lib.so",), 7)
    assert (job.backend, job.samples, job.expected, job.profile_runs) == ("tensorrt", (), None, 7)
    assert job.options.plugins == ("lib.so",)
    path.write_bytes(b"ftrt" + bytes(61))
    assert load_job(path).model_sha256 != job.model_sha256
