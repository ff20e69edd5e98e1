"""What a notebook shows: well-formed, self-contained, and deaf to what names say."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest
from in_process import jobs_run_here

import trtdebug
from trtdebug.api.notebook import result_page
from trtdebug.api.plot import error_by_depth

HOSTILE = "</td><script>alert(1)</script>\"'&\x1b[31m\n\u202e" + "x" * 4000


@pytest.fixture(scope="module")
def table(layernorm: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> trtdebug.LayerTable:
    with jobs_run_here():
        session = tmp_path_factory.mktemp("layers") / "s"
        return trtdebug.compare(layernorm, fp16=True, candidate="emulator", session=session)


def texts(page: str) -> str:
    """What the page says. Raises where it is not well-formed."""
    root = ElementTree.fromstring(page)
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= {
        *("div", "b", "table", "tr", "th", "td", "svg", "title", "line", "circle", "text")
    }
    return "\n".join(root.itertext())


def test_the_report_in_short(result: trtdebug.DebugResult) -> None:
    page = result._repr_html_()
    said = texts(page)
    for word in (
        "diverges",
        "norm_pow",
        "pin 4 nodes to FP32",
        "verified",
        str(result.session / "report.html"),
    ):
        assert word in said
    assert "http" not in page


def test_the_layer_table_has_a_plot_with_a_point_a_tensor(table: trtdebug.LayerTable) -> None:
    page = table._repr_html_()
    assert "norm_pow: local 0.000395, 719 NaN or Inf" in texts(page)
    assert table.failing[0].node == "norm_pow"
    assert page.count("<circle") == 2 + sum(1 + (row.local is not None) for row in table)
    assert len(table) == len(list(table))


def test_a_plot_of_many_tensors_stays_small_and_keeps_the_worst(table: trtdebug.LayerTable) -> None:
    good = next(row for row in table.rows if row.propagated.status == "pass")
    bad = replace(good, propagated=replace(good.propagated, tensor="worst", nonfinite=3, status="fail"))
    rows = [good] * 10_000
    rows[7_777] = replace(bad, tensor="worst")
    plot = error_by_depth(rows)
    assert "worst: propagated" in plot
    assert len(plot) < 400_000


def test_names_do_nothing(result: trtdebug.DebugResult) -> None:
    report = copy.deepcopy(dict(result.report))
    report["reason"] = report["model"]["path"] = HOSTILE
    report["unknown"] = [HOSTILE]
    report["culprits"][0]["nodes"] = [HOSTILE]
    report["fixes"][0]["summary"] = HOSTILE
    page = result_page(report, Path(HOSTILE))
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "alert(1)" in texts(page)


def test_the_compare_function_and_command_see_the_same(table: trtdebug.LayerTable) -> None:
    assert table.status == "fail"
    assert table.rule == "||c - r|| / ||r|| <= 0.01"
    assert {"norm_pow", "norm_var"} <= {row.node for row in table.failing}
