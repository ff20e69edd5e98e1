"""What is told of an installed extension."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtdebug.plugins.about import about
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
