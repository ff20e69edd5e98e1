"""The config file: defaults of options, and which plugins load."""

from __future__ import annotations

from pathlib import Path

import hostile
import numpy as np
import onnx.parser
import pytest
from in_process import Done, trtdebug

from trtdebug.cli.config import ignore, load_config, user_file
from trtdebug.cli.options import CaseOptions
from trtdebug.graph.load import save_model

TEXT = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y)
          <float[1] w = {1000000.0}> { y = Mul(x, w) }"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a model, from whose folder `deep/er` commands are run; the user has no file of her own."""
    monkeypatch.delenv("TRTDEBUG_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    save_model(onnx.parser.parse_model(TEXT), tmp_path / "model.onnx")
    inner = tmp_path / "deep" / "er"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path


def failing(done: Done) -> str:
    assert done.code == 2, done
    assert done.stderr.startswith("error: ")
    return done.stderr


def checked(project: Path, *words: str) -> Done:
    return trtdebug("check", project / "model.onnx", *words)


def in_fp16(done: Done) -> bool:
    """Whether it was a check for a build in FP16: of such alone a weight is told that passes its range."""
    assert done.code == 0, done
    return "fp16-weight-overflow" in done.stdout


def test_without_a_file_nothing_is_set(project: Path) -> None:
    config = load_config()
    assert (config.options, config.required, config.disabled) == ({}, (), ())


@pytest.mark.parametrize(("name", "head"), [("trtdebug.toml", ""), ("pyproject.toml", "[tool.trtdebug]\n")])
def test_the_nearest_file_upwards_sets_options(project: Path, name: str, head: str) -> None:
    assert not in_fp16(checked(project))
    (project / name).write_text(f"{head}fp16 = true\n")
    assert in_fp16(checked(project))
    (project / "deep" / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.other]\nfp16 = 1\n")
    assert in_fp16(checked(project))
    (project / "deep" / "trtdebug.toml").write_text("seed = 3\n")
    assert not in_fp16(checked(project))


def test_the_command_line_goes_first(project: Path) -> None:
    (project / "trtdebug.toml").write_text('fp16 = true\nval-range = ["[12,13]"]\n')
    assert in_fp16(checked(project))
    assert in_fp16(checked(project, "--val-range", "[0,1]"))
    assert not in_fp16(checked(project, "--bf16"))
    assert not in_fp16(trtdebug("--no-config", "check", project / "model.onnx"))


@pytest.mark.parametrize("wanted", [True, False])
def test_the_command_that_a_session_tells_reads_none_where_it_did_not(wanted: bool) -> None:
    ignore(wanted)
    try:
        told = CaseOptions(Path("m.onnx"), fp16=True).request().command
    finally:
        ignore(False)
    assert told == f"trtdebug {'--no-config ' if wanted else ''}run m.onnx --fp16"


def test_the_projects_file_goes_before_the_users(project: Path) -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text("fp16 = true\nseed = 4\n")
    assert in_fp16(checked(project))
    (project / "trtdebug.toml").write_text("fp16 = false\n")
    assert not in_fp16(checked(project))
    assert load_config().options["seed"].value == 4


def test_the_variable_names_the_only_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "trtdebug.toml").write_text("fp16 = true\n")
    monkeypatch.setenv("TRTDEBUG_CONFIG", "")
    assert not in_fp16(checked(project))
    monkeypatch.setenv("TRTDEBUG_CONFIG", str(project / "trtdebug.toml"))
    assert in_fp16(checked(project))
    monkeypatch.setenv("TRTDEBUG_CONFIG", "/nowhere.toml")
    assert "there is no file /nowhere.toml" in failing(checked(project))


def test_paths_are_seen_from_the_files_folder(project: Path) -> None:
    (project / "trtdebug.toml").write_text('inputs = "missing.npz"\n')
    said = failing(trtdebug("check", project / "model.onnx"))
    assert f"there is no file or folder {project / 'missing.npz'}" in said
    assert trtdebug("check", project / "model.onnx", "--val-range", "[0,1]").code == 0


def test_inputs_may_be_a_list(project: Path) -> None:
    np.savez(project / "one.npz", x=np.zeros((1, 4), np.float32))
    (project / "trtdebug.toml").write_text('inputs = ["one.npz", "missing.npz"]\n')
    said = failing(checked(project))
    assert f"there is no file or folder {project / 'missing.npz'}" in said
    assert checked(project, "--inputs", project / "one.npz").code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fp61 = true", "there is no option 'fp61'.\nhint: Did you mean fp16?"),
        ("fp16 = 'yes'", "fp16 is true or false, not 'yes'."),
        ("seed = 'many'", "seed = 'many': "),
        ("seed = true", "seed takes a value, not True."),
        ("seed = [1]", "seed is one value, not a list."),
        ("required_plugins = 'x'", "required_plugins is a list of names, not 'x'."),
        ("fp16 = ", "cannot be read"),
        ("folder = 'x'", "there is no option 'folder'."),
        ("[tool.trtdebug]", "there is no option 'tool'.\nhint: Leave the line [tool.trtdebug] out"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(project: Path, line: str, said: str) -> None:
    (project / "trtdebug.toml").write_text(f"{line}\n")
    error = failing(checked(project))
    assert str(project / "trtdebug.toml") in error
    assert said in error
    assert trtdebug("--help").code == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("trtdebug-nowhere", "requires trtdebug-nowhere, which is not installed"),
        ("numpy>=99", "requires numpy>=99, and "),
        ("not a name", "'not a name' is no requirement"),
    ],
)
def test_what_is_required_has_to_be_there(project: Path, wanted: str, said: str) -> None:
    (project / "trtdebug.toml").write_text(f'required_plugins = ["numpy>1", "{wanted}"]\n')
    assert said in failing(checked(project))
    assert trtdebug("--no-plugins", "check", project / "model.onnx").code == 0
    assert trtdebug("ext", "list").code == 0


def test_what_is_required_may_not_be_disabled(project: Path) -> None:
    (project / "trtdebug.toml").write_text('required_plugins = ["numpy"]\ndisabled_plugins = ["numpy"]\n')
    assert "requires numpy; numpy is among disabled_plugins" in failing(checked(project))


def test_what_is_required_may_not_be_disabled_by_its_plugin_either(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.add(project / "site", "lamp", "")
    monkeypatch.syspath_prepend(str(project / "site"))
    (project / "trtdebug.toml").write_text(
        'required_plugins = ["trtdebug-lamp"]\ndisabled_plugins = ["lamp"]\n'
    )
    said = failing(checked(project))
    assert "requires trtdebug-lamp; lamp is among disabled_plugins" in said
    assert "trtdebug ext enable lamp" in said


@pytest.mark.parametrize(
    "text", ["tool.trtdebug.fp61 = true", "[tool]\ntrtdebug = {fp61 = true}", "[tool.trtdebug.fp61]\na = 1"]
)
def test_the_table_may_be_spelt_in_any_way(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(f"{text}\n")
    assert "there is no option 'fp61'" in failing(checked(project))


@pytest.mark.parametrize(
    "text", ["tool = 'trtdebug'", "[project]\ndependencies = ['trtdebug']", "trtdebug = ", "[x.trtdebug]"]
)
def test_a_pyproject_that_is_not_ours_is_left_alone(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(f"{text}\n")
    assert checked(project).code == 0
