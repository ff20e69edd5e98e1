"""What is told of an installed extension."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtdebug.core.errors import UserError
from trtdebug.plugins.about import about, distribution_of
from trtdebug.plugins.manager import PluginManager


@pytest.mark.parametrize("editable", [True, False])
def test_the_folder_is_where_the_code_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool
) -> None:
    source, site = tmp_path / "my sources", tmp_path / "site"
    info = site / "trtdebug_lamp-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-lamp\nVersion: 1.0\n")
    noted = {"url": source.as_uri(), "dir_info": {"editable": True} if editable else {}}
    (info / "direct_url.json").write_text(json.dumps(noted))
    monkeypatch.syspath_prepend(site)
    facts = about("trtdebug-lamp", PluginManager.load(builtins=(), third_party=False))
    assert Path(facts["folder"]) == (source if editable else site)


@pytest.fixture
def two_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distributions trtdebug-lamp and trtdebug-bulb, each with a plugin `lamp`; the first has `lux`, too."""
    for name, more in (("lamp", "lux = lamp\n"), ("bulb", "")):
        info = tmp_path / f"trtdebug_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: trtdebug-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[trtdebug]\nlamp = {name}\n{more}")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("two_of_one_name")
def test_a_name_that_two_have_is_nobodys() -> None:
    with pytest.raises(UserError, match="trtdebug-bulb and trtdebug-lamp have a plugin 'lamp' each"):
        distribution_of("lamp")
    assert [distribution_of(n) for n in ("lux", "trtdebug-bulb", "Trtdebug_Lamp")] == [
        "trtdebug-lamp",
        "trtdebug-bulb",
        "trtdebug-lamp",
    ]
