"""`trtdebug autocast`: two sets of pins side by side, from a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trtdebug_modelopt.command import autocast

from trtdebug.core.errors import UserError


def fix(nodes: list[str], beside: str = "", **other: Any) -> dict[str, Any]:
    plain = {
        "kind": "pin",
        "summary": "",
        "interventions": [{"kind": "PinPrecision", "nodes": nodes, "dtype": "fp32"}] if nodes else [],
        "verified": True,
        "builds_passed": [2, 2],
        "reason": "",
        "untestable": False,
        "latency_ms": None,
        "beside": beside,
    }
    return plain | other


def written(folder: Path, *fixes: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps({"schema": 1, "fixes": fixes}))
    return folder


def test_shows_both_sets_node_by_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = {"latency_ms": {"natural": 1.0, "fixed": 1.25, "fp32": 2.0}}
    wrong = {"verified": False, "builds_passed": [0, 1], "reason": "y: NaN"}
    autocast(written(tmp_path, fix(["b", "cc"], "AutoCast", **wrong), fix(["a", "b"], **slow)))
    assert capsys.readouterr().out.splitlines() == [
        "ours      2 pins, verified (2 of 2 builds), 1.25 ms",
        "AutoCast  2 pins, does not hold (0 of 1 builds): y: NaN",
        "1 in both, 1 only ours, 1 only AutoCast's",
        "",
        "node  ours  AutoCast",
        "b     FP32  FP32",
        "a     FP32  -",
        "cc    -     FP32",
    ]


def test_of_several_sets_the_last_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried = [
        fix(["a"], "AutoCast", verified=False),
        fix(["a", "b"], "AutoCast"),
        fix(["c"], verified=False),
        fix(["d"]),
    ]
    autocast(written(tmp_path, *tried), as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["ours"]["nodes"], said["ours"]["state"]) == (["d"], "verified")
    assert (said["autocast"]["nodes"], said["autocast"]["state"]) == (["a", "b"], "verified")


def test_says_why_autocast_could_not_be_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = fix(
        [], "AutoCast", verified=False, untestable=True, builds_passed=[0, 0], reason="there is none."
    )
    autocast(written(tmp_path, missing, fix([], kind="knob")))
    assert capsys.readouterr().out.splitlines() == [
        "ours      no pins",
        "AutoCast  0 pins, could not be tested: there is none.",
        "0 in both, 0 only ours, 0 only AutoCast's",
    ]


def test_takes_the_newest_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no finished session"):
        autocast()
    written(tmp_path / ".trtdebug" / "20250101-000000-m", fix(["old"], "AutoCast"))
    written(tmp_path / ".trtdebug" / "20250102-000000-m", fix(["new"], "AutoCast"))
    autocast()
    assert "new" in capsys.readouterr().out


def test_a_session_without_it_or_without_a_report(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has nothing of AutoCast") as error:
        autocast(written(tmp_path, fix(["a"])))
    assert "trtdebug resume" in error.value.hint
    with pytest.raises(UserError, match=r"report.json cannot be read"):
        autocast(tmp_path / "nowhere")
