"""A command line that the user is told leaves out the plugins that this one leaves out, and so repeats it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import onnx.parser
import pytest
from in_process import jobs_run_here, trtdebug

from trtdebug.cli.again import again
from trtdebug.graph.load import save_model

OVERFLOWING = """<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y)
                 { a = Mul(x, x) y = Sqrt(a) }"""


@pytest.fixture(autouse=True)
def _whole():
    """What was chosen holds for this process."""
    yield
    trtdebug("ext", "list")


@pytest.mark.parametrize(
    "before",
    [
        [],
        ["--no-config"],
        ["-p", "no:rewrites"],
        ["--no-config", "--no-plugins", "-p", "no:fixes", "-p", "no:a b"],
    ],
    ids=" ".join,
)
def test_with_the_options_before_the_command(before: list[str]) -> None:
    trtdebug(*before, "ext", "list")
    assert again("resume", Path("my session")) == shlex.join(["trtdebug", *before, "resume", "my session"])


def test_reports_repros_and_what_goes_on_tell_it(tmp_path: Path) -> None:
    save_model(onnx.parser.parse_model(OVERFLOWING), tmp_path / "model.onnx")
    with jobs_run_here():
        line = [
            "run",
            tmp_path / "model.onnx",
            "--fp16",
            "--candidate",
            "emulator",
            "--val-range",
            "[300,400]",
        ]
        done = trtdebug("-p", "no:rewrites", *line, "--session", tmp_path / "s", "--json", "--quiet")
    report = json.loads(done.stdout)
    told = shlex.join(["trtdebug", "-p", "no:rewrites", *map(str, line)])
    assert report["command"] == told
    assert f"found by `{told}`" in (Path(report["repro"]["path"]) / "README.md").read_text(encoding="utf-8")
    node = report["culprits"][0]["nodes"][0]
    skipped = trtdebug("-p", "no:rewrites", "skip", node, "--session", tmp_path / "s")
    assert skipped.stdout.endswith(f"go on: trtdebug -p no:rewrites resume {tmp_path / 's'}\n")


def test_a_folder_whose_name_begins_with_a_dash_is_no_option() -> None:
    assert again("resume", Path("-d1")) == "trtdebug resume ./-d1"
    assert again("resume", Path("d1"), "--json") == "trtdebug resume d1 --json"
