"""`assert_matches`, as a function and as a fixture of the pytest plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from in_process import jobs_run_here
from seed_models import clamped_gemm

import trtdebug

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def no_workers() -> Iterator[None]:
    with jobs_run_here():
        yield


def test_a_model_that_matches_gives_the_result(tmp_path: Path) -> None:
    result = trtdebug.assert_matches(clamped_gemm(), fp16=True, candidate="emulator", session=tmp_path / "s")
    assert result.matches


def test_a_failure_tells_the_cause_and_the_fix_in_words(layernorm: onnx.ModelProto, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as error:
        trtdebug.assert_matches(layernorm, fp16=True, candidate="emulator", session=tmp_path / "s")
    lines = str(error.value).splitlines()
    assert lines[0].endswith(": diverges")
    assert "  cause: norm_pow: fed with the reference's inputs: 719 of 1024 elements become" in str(
        error.value
    )
    assert "  fix (verified): pin 4 nodes to FP32: norm_pow, norm_var, norm_eps, norm_sqrt" in lines
    assert lines[-1] == f"  report: {tmp_path / 's' / 'report.txt'}"


def test_what_cannot_be_compared_is_no_match(tmp_path: Path) -> None:
    model = clamped_gemm()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises((AssertionError, trtdebug.UserError), match="NoSuchOperator"):
        trtdebug.assert_matches(model, fp16=True, candidate="emulator", session=tmp_path / "s")


def test_the_fixture_is_found_by_its_entry_point(
    layernorm: onnx.ModelProto, pytester: pytest.Pytester
) -> None:
    onnx.save(layernorm, pytester.path / "bad.onnx")
    onnx.save(clamped_gemm(), pytester.path / "good.onnx")
    pytester.makepyfile(
        """
        def test_good(assert_matches, tmp_path):
            assert assert_matches("good.onnx", fp16=True).session == tmp_path / "trtdebug-1"

        def test_bad(assert_matches):
            assert_matches("bad.onnx", fp16=True, until="localise")
        """
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--trtdebug-candidate", "emulator")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["E *AssertionError: *bad.onnx: diverges", "E *cause: norm_pow: *"])
    done.stdout.no_fnmatch_line("*trtdebug/api/*")  # the test's own line is shown, not ours
