"""Workers that are started before the session knows what it will ask of them."""

from __future__ import annotations

import pytest

from trtdebug.session.ahead import end_waiting, start_ahead, take


@pytest.fixture(autouse=True)
def _nobody_waits():
    yield
    end_waiting()


def test_a_worker_is_taken_once():
    start_ahead({"TRTDEBUG_NO_PLUGINS": "1"}, "onnxruntime")
    worker = take({"TRTDEBUG_NO_PLUGINS": "1"}, "onnxruntime")
    assert worker is not None
    assert worker.ended() is None
    assert take({"TRTDEBUG_NO_PLUGINS": "1"}, "onnxruntime") is None
    worker.end()


@pytest.mark.parametrize(
    ("environment", "warm"), [({}, "onnxruntime"), ({"TRTDEBUG_NO_PLUGINS": "1"}, "emulator")]
)
def test_one_of_other_plugins_or_another_backend_is_not_taken(environment, warm):
    start_ahead({"TRTDEBUG_NO_PLUGINS": "1"}, "onnxruntime")
    assert take(environment, warm) is None


def test_what_nobody_takes_is_ended():
    start_ahead({}, "onnxruntime")
    process = take({}, "onnxruntime")
    start_ahead({}, "emulator")
    end_waiting()
    assert take({}, "emulator") is None
    assert process is not None
    assert process.ended() is None  # it had been taken
    process.end()
