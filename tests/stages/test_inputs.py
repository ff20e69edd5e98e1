"""Samples from files: those of each, in the order given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from trtdebug.core.errors import UserError
from trtdebug.plugins.builtin import load_plugins
from trtdebug.stages.inputs import generated, read_samples

PLUGINS = load_plugins(third_party=False)


def write(path: Path, value: float) -> Path:
    path.parent.mkdir(exist_ok=True)
    np.savez(path, x=np.full(2, value, np.float32))
    return path


def test_several_files_and_folders_give_all_their_samples_in_order(tmp_path: Path) -> None:
    write(tmp_path / "more" / "0.npz", 3)
    write(tmp_path / "more" / "1.npz", 4)
    paths = [write(tmp_path / "b.npz", 1), tmp_path / "more", write(tmp_path / "a.npz", 2)]
    assert [float(sample["x"][0]) for sample in read_samples(paths, PLUGINS)] == [1, 3, 4, 2]


MODEL = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[4] x, int64[4] ids, bool[4] mask) => (float[4] y)
    { i = Cast<to = 1>(ids) b = Cast<to = 1>(mask) s = Add(x, i) y = Add(s, b) }"""


@pytest.mark.parametrize(
    ("ranges", "named"), [({}, ["ids", "mask"]), ({"ids": (0, 99)}, ["mask"]), ({"": (0, 99)}, ["mask"])]
)
def test_integers_and_bools_that_nobody_gave_are_told(
    ranges: dict[str, tuple[float, float]], named: list[str]
) -> None:
    _, findings = generated(onnx.parser.parse_model(MODEL), {}, 0, ranges)
    told = [f for f in findings if f.id == "input-values-random"]
    assert [f.node for f in told] == named
    assert all("--inputs" in f.mitigation for f in told)


def test_one_value_for_all_is_not_called_random() -> None:
    model = onnx.parser.parse_model(MODEL.replace("int64[4] ids", "int64[1] ids"))
    _, (ids, _) = generated(model, {}, 0, {})
    assert "its int64 values are made up, all 1" in ids.message


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file or folder .*missing"):
        read_samples([write(tmp_path / "a.npz", 1), tmp_path / "missing.npz"], PLUGINS)
