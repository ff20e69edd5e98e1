"""Facts of an installed extension, and what is wrong with it."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement

from trtdebug.core.errors import UserError
from trtdebug.core.words import did_you_mean
from trtdebug.plugins import api, rules
from trtdebug.plugins.discovery import API_RANGE, installed_extensions
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.selection import normalise


def distribution_of(name: str) -> str:
    """The distribution of this name, or that of the plugin of this name.

    Raises:
        UserError: there is none, or there are plugins of this name in several.
    """
    extensions = installed_extensions()
    known: dict[str, set[str]] = {}
    for extension in extensions:
        known.setdefault(normalise(extension.name), set()).add(extension.distribution)
    known |= {normalise(e.distribution): {e.distribution} for e in extensions}
    found = sorted(known.get(normalise(name), ()))
    if len(found) > 1:
        raise UserError(f"{' and '.join(found)} have a plugin {name!r} each.", "Name the distribution.")
    if found:
        return found[0]
    hint = did_you_mean(normalise(name), known, "`trtdebug ext list` shows what is there.")
    raise UserError(f"there is no extension {name!r}.", hint)


def about(distribution: str, manager: PluginManager) -> dict[str, Any]:
    """What the metadata tell, and what the hooks give: `adds` holds (hook, name, summary)."""
    found = importlib.metadata.distribution(distribution)
    metadata = found.metadata.json
    links = [link.partition(",")[2].strip() for link in metadata.get("project_url", ())]
    return {
        "distribution": distribution,
        "version": found.version,
        "summary": metadata.get("summary", ""),
        "homepage": metadata.get("home_page") or next(iter(links), ""),
        "folder": _in_place(found) or str(found.locate_file("")),
        "api": " or ".join(sorted(p.name for p in found.entry_points if p.group == API_RANGE)),
        "requires": list(found.requires or ()),
        "description": metadata.get("description", ""),
        "adds": [
            (kind, each.value.name, getattr(each.value, "summary", ""))
            for kind in rules.KINDS
            for each in manager.collect(kind)
            if each.provider.distribution == distribution and not each.provider.builtin
        ],
    }


def _in_place(found: importlib.metadata.Distribution) -> str:
    """The folder of what is used in place (`ext install -e`), as pip noted it; empty for anything else."""
    noted = json.loads(found.read_text("direct_url.json") or "{}")
    url = urlsplit(noted.get("url", ""))
    edited = noted.get("dir_info", {}).get("editable") and url.scheme == "file"
    return url2pathname(url.path) if edited else ""


def faults(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What is wrong, by what was looked at.

    Args:
        facts: as `about` gives them.
        rows: what is known of the distribution's plugins and commands: their `hooks` and `problems`.
    """
    problems = [p for row in rows for p in row["problems"] if not p.endswith("(in the newest session)")]
    ids = [p for p in problems if "is taken by" in p or "is that of" in p]
    imports = [p for p in problems if p.startswith("import: ") and not p.startswith("import: it ")]
    misfit = api.misfit(facts["api"].split(" or ") if facts["api"] else ())
    stated = (
        []
        if facts["api"]
        else [f'none is stated; add [project.entry-points."{API_RANGE}"] to pyproject.toml']
    )
    hooks = [p for p in problems if p not in ids and p not in imports and not p.endswith(misfit or "\0")]
    if not any(row["hooks"] for row in rows) and not imports and not misfit:
        hooks.append("it implements none")
    return {
        "imports": imports,
        "hooks": hooks,
        "API range": [misfit] if misfit else stated,
        "requirements": list(_unmet(facts["requires"])),
        "unique ids": ids,
        "documentation": list(_undocumented(facts)),
    }


def _unmet(requires: Sequence[str]) -> Iterator[str]:
    for text in requires:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{text} is not installed"
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            yield f"{text} is needed, and {version} is installed"


def _undocumented(facts: Mapping[str, Any]) -> Iterator[str]:
    if not facts["summary"]:
        yield "the package has no summary (description in pyproject.toml)"
    if not facts["description"].strip():
        yield "the package has no description (readme in pyproject.toml)"
    for kind, name, summary in facts["adds"]:
        if kind != "operators" and not summary:
            yield f"{kind}: {name} has no summary"
        if facts["description"].strip() and name not in facts["description"]:
            yield f"{kind}: the readme does not mention {name}"
