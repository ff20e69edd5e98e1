"""What the backend uses of TensorRT is what `compat` declares, and the real modules have it or lack it as declared."""

from __future__ import annotations

import io
import re
from pathlib import Path

import bindings
import onnx
import pytest
from touched import CLASS_OF, Use, constants, methods, uses

import trtdebug.backends.tensorrt.compat as compat

BACKEND = Path(compat.__file__).parent
VERSIONS = ("8.6.0", *bindings.TENSORRT, bindings.RTX)
BY_CAPABILITY = {path for capability in compat.CAPABILITIES.values() for path in capability.api}
ALWAYS = {f"{owner}.{name}".lstrip(".") for owner, names in compat.ALWAYS.items() for name in names}
DECLARED = (
    BY_CAPABILITY | ALWAYS | (set(compat.ALWAYS) - {""}) | {path.partition(".")[0] for path in BY_CAPABILITY}
)

# Of objects whose class the source does not tell: names that TensorRT has too, but that are something else's here.
NOT_TENSORRT = {
    "free": "of CUDA's events and buffers",
    "kernel": "of the autotuning tables",
    "kind": "numpy's dtypes",
    "max": "our profiles",
    "min": "our profiles",
    "opt": "our profiles",
    "value": "of ctypes",
}
_PYTHON = {n for kind in (str, list, dict, set, io.FileIO, Path) for n in dir(kind)}

_INTERFACE = re.compile(r"I[A-Z0-9][A-Za-z0-9]+")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_has_what_is_declared_and_lacks_the_rest(version, names) -> None:
    found = names(version)
    assert found.version == version
    wrong = [
        f"{path} ({name}) is {'missing' if expected else 'there'}"
        for name, capability in compat.CAPABILITIES.items()
        for expected in [compat.has(name, version)]
        for path in capability.api
        if found.has(path) != expected
    ]
    assert not wrong, f"TensorRT {version}: {wrong}"
    assert not [path for path in ALWAYS if not found.has(path)]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_read_only_is_assigned(version, names) -> None:
    written = {use.path for use in uses(BACKEND) if use.written and use.owner}
    assert written  # config.build_route at least
    assert not [path for path in written if not names(version).takes(path)]


def test_everything_that_the_backend_uses_is_declared(names) -> None:
    every = [names(version) for version in VERSIONS]
    known = {member for found in every for members in found.members.values() for member in members}

    def wanted(use: Use) -> str:
        """What is missing in the table, empty when nothing is."""
        if use.owner is not None:
            return "" if use.path in DECLARED else use.path
        ours = _PYTHON | set(NOT_TENSORRT) | set(CLASS_OF)  # parsed.builder, say
        foreign = use.attribute in ours or use.attribute not in known
        declared = any(path.rpartition(".")[2] == use.attribute for path in DECLARED)
        return "" if foreign or declared else f"?.{use.attribute}"

    classes = {name for found in every for name in found.members if _INTERFACE.fullmatch(name)}
    missing = {path: use.place for use in uses(BACKEND) if (path := wanted(use))}
    missing |= {word: place for word, place in constants(BACKEND).items() if word in classes - DECLARED}
    assert not missing, f"declare in compat.ALWAYS, or in a capability if some version lacks it: {missing}"


def test_nothing_is_declared_that_the_backend_does_not_use() -> None:
    """Members that the source reaches by name, of enums and of base classes, stand in it as words or as methods."""
    found = uses(BACKEND)
    exact = {use.path for use in found}
    loose = {use.attribute for use in found if use.owner is None} | set(constants(BACKEND)) | methods(BACKEND)
    of_known_class = {path for path in ALWAYS if path.partition(".")[0] in CLASS_OF.values()}
    assert not {
        path for path in ALWAYS - exact if path in of_known_class or path.rpartition(".")[2] not in loose
    }
    assert not BY_CAPABILITY & ALWAYS


def test_words_in_capitals_are_members_of_enums(names) -> None:
    known = {m for version in VERSIONS for members in names(version).members.values() for m in members}
    words = {w: place for w, place in constants(BACKEND).items() if w.isupper() and len(w) > 2}
    strange = {w: place for w, place in words.items() if w not in known | set(compat.CAPABILITIES)}
    assert not {w: place for w, place in strange.items() if not onnx.defs.has(w)}
    assert "HALF" in words


@pytest.mark.parametrize("version", VERSIONS)
def test_our_precisions_are_data_types(version, names) -> None:
    found = {
        precision for precision, name in compat.TRT_TYPE.items() if names(version).has(f"DataType.{name}")
    }
    assert found == set(compat.TRT_TYPE) - (set() if compat.has("BF16_TYPE", version) else {"bf16"})


def test_the_recorded_names_are_those_of_8_6(names) -> None:
    """What is known of 8.6 from its documentation and from use on a GPU; the gpu suite compares all of it."""
    recorded = names("8.6.0")
    assert recorded.has("OnnxParser.parse_from_file")
    assert recorded.has("NetworkDefinitionCreationFlag.EXPLICIT_BATCH")
    assert not recorded.has("DataType.INT64")
    assert not recorded.has("OnnxParserFlag")
