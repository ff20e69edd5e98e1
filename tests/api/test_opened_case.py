"""What is left of a session that never began."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import onnx
import pytest

import trtdebug
from trtdebug.api import opened_case
from trtdebug.session.files import write_text
from trtdebug.session.lock import locked


def test_a_session_that_another_process_has_made_is_not_removed(
    layernorm: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, real = tmp_path / "session", opened_case.load_plugins

    def while_another_makes_it() -> object:
        write_text(session / "case.json", "{}")
        return real()

    monkeypatch.setattr(opened_case, "load_plugins", while_another_makes_it)
    with pytest.raises(trtdebug.UserError, match="'nope'"):
        trtdebug.debug(layernorm, candidate="nope", session=session)
    assert (session / "case.json").exists()


def test_a_session_that_another_process_begins_is_not_removed(
    layernorm: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, real = tmp_path / "session", opened_case.load_plugins
    with ExitStack() as other:

        def while_another_begins() -> object:
            other.enter_context(locked(session))
            return real()

        monkeypatch.setattr(opened_case, "load_plugins", while_another_begins)
        with pytest.raises(trtdebug.UserError, match="is in use by process"):
            trtdebug.debug(layernorm, candidate="emulator", session=session)
        assert (session / "session.lock").exists()
