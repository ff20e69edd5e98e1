"""What the scripts of a fix folder use of TensorRT is there: always, or where they look for it first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bindings
import pytest
from touched import Use, uses

import trtdebug.backends.tensorrt.compat as compat
import trtdebug.export.scripts as scripts
from trtdebug.scripts.bundle import bundle

VERSIONS = ("8.6.0", *bindings.TENSORRT, bindings.RTX)
NAMES = ("build", "polygraphy_constraints")
BY_CAPABILITY = {path: c for c in compat.CAPABILITIES.values() for path in c.api}
LOOKED_FOR = {"NetworkDefinitionCreationFlag.EXPLICIT_BATCH", "NetworkDefinitionCreationFlag.STRONGLY_TYPED"}
"""The script asks whether they are there."""

BY_WORD = {"set_shape", "set_shape_input"}
"""Methods of an object whose class the source does not tell: `IOptimizationProfile`."""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> list[Use]:
    """In the scripts as they lie in a folder, with all that was put into them."""
    folder = tmp_path_factory.mktemp("scripts")
    for name in NAMES:
        (folder / f"{name}.py").write_text(bundle(f"{scripts.__name__}.{name}"), encoding="utf-8")
    return uses(folder)


def told(used: list[Use]) -> Iterator[str]:
    """Those of a known class, or of the module."""
    yield from sorted({use.path for use in used if use.owner is not None})


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_has_what_is_used_of_it(version: str, used, names) -> None:
    found = names(version)
    missing = [
        path
        for path in told(used)
        if not found.has(path)
        and path not in LOOKED_FOR
        and not (path in BY_CAPABILITY and not _should_have(path, version))
    ]
    assert not missing
    assert all(found.has(f"IOptimizationProfile.{word}") for word in BY_WORD)


def _should_have(path: str, version: str) -> bool:
    capability = BY_CAPABILITY[path]
    return capability.since <= compat.parse_version(version) < capability.until


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_read_only_is_assigned(version: str, used, names) -> None:
    written = {use.path for use in used if use.written and use.owner}
    assert {"IBuilderConfig.builder_optimization_level", "ILayer.precision"} <= written
    # A version without layer precisions is never asked to set one; tensors are named and shaped before 11 only.
    assert not [path for path in written if not names(version).takes(path) and path not in {"ITensor.dtype"}]


def test_the_scripts_are_looked_at(used) -> None:
    own = {use.path for use in uses(Path(scripts.__file__).parent)}
    assert {"Builder.build_serialized_network", "Builder.create_network", "OnnxParser.parse_from_file"} <= own
    assert {use.attribute for use in used} >= BY_WORD
