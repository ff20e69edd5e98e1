"""Autotuning tables on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from autotuning_logs import EDITABLE, FOREIGN, RUNNERS

from trtdebug.backends.tensorrt.autotuning import parse_log
from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.stages.tactics.tables import holds_tables, recorded_tables


@pytest.mark.parametrize("text", [EDITABLE, FOREIGN, RUNNERS])
def test_a_log_and_what_a_trial_keeps_of_it(tmp_path: Path, text: str) -> None:
    log, kept = tmp_path / "build.log", tmp_path / "autotuning.json"
    log.write_text(text, encoding="utf-8")
    kept.write_text(dumps(parse_log(text).ops), encoding="utf-8")
    assert holds_tables(log)
    assert holds_tables(kept)
    assert recorded_tables(log) == recorded_tables(kept) == parse_log(text)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("build.log", b"[I] nothing was autotuned\n", "holds no autotuning tables"),
        ("build.txt", b"\xff\x00\xfe", "holds no autotuning tables"),
        ("autotuning.json", b"{}", "holds no autotuning tables"),
        ("autotuning.json", b"[{", "holds no autotuning tables"),
        ("gone.log", None, "can't be read: No such file"),
    ],
)
def test_what_holds_none(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        recorded_tables(tmp_path / name)


def test_other_files_are_not_asked() -> None:
    assert not any(map(holds_tables, map(Path, ("m.onnx", "engine.json", "session", "e.plan"))))
