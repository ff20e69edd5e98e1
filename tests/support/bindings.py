"""The real Python bindings of TensorRT on a machine without a GPU: fetched by `make`, used in child processes.

    python tests/support/bindings.py    fetches what is missing (100 MB, nearly all of it TensorRT-RTX)

The bindings of TensorRT come without TensorRT: empty stand-ins for its libraries let them be imported, and no builder
can be had. TensorRT-RTX is complete: it parses and builds, and needs a GPU only to run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

TENSORRT = ("10.16.1.11", "11.4.0.106")
RTX = "1.7.1.116"
PACKAGES = {version: (f"tensorrt_cu12_bindings=={version}",) for version in TENSORRT} | {
    RTX: (f"tensorrt_rtx_cu13_bindings=={RTX}", f"tensorrt_rtx_cu13_libs=={RTX}")
}
ROOT = Path(sys.prefix) / "tensorrt"
SUPPORT = Path(__file__).parent

_LIBRARIES = {
    "nvinfer": (
        "createInferBuilder_INTERNAL",
        "createInferRuntime_INTERNAL",
        "createInferRefitter_INTERNAL",
        "getPluginRegistry",
        "getBuilderPluginRegistry",
    ),
    "nvinfer_plugin": ("initLibNvInferPlugins",),
    "nvonnxparser": (
        "createNvOnnxParser_INTERNAL",
        "createNvOnnxParserRefitter_INTERNAL",
        "getNvOnnxParserVersion",
    ),
}
_DRIVER = """
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGetName(char *name, int size, int device) { name[0] = 'X'; name[1] = 0; return 0; }
"""


@dataclass(frozen=True)
class Child:
    """How to start a Python that has a certain `tensorrt`."""

    version: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, said: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs this Python with `arguments`, `said` on its stdin; `check`: what it dies of fails the test."""
        done = subprocess.run(
            [sys.executable, *arguments],
            input=said,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(
                f"child with TensorRT {self.version} ended with {done.returncode}:\n{done.stderr[-4000:]}"
            )
        return done


def bindings(version: str, folder: Path) -> Child:
    """A Python that imports the bindings of this version over stand-ins, which are made in `folder`.

    Its CUDA driver is a stand-in too: it has one GPU, on which nothing works.
    """
    site = _fetched(version)
    major = version.partition(".")[0]
    for name, symbols in _LIBRARIES.items():
        _compile(
            folder, f"lib{name}.so.{major}", "".join(f"void *{s}(void) {{ return 0; }}\n" for s in symbols)
        )
    _compile(folder, "libcuda.so.1", _DRIVER)
    _front(folder, "tensorrt", "tensorrt_bindings")
    return Child(version, {"PYTHONPATH": f"{folder}:{site}:{SUPPORT}", "LD_LIBRARY_PATH": str(folder)})


def rtx(folder: Path) -> Child:
    """A Python whose `tensorrt` is TensorRT-RTX. It parses and builds for real."""
    site = _fetched(RTX)
    for name in ("tensorrt", "tensorrt_rtx"):
        _front(folder, name, "tensorrt_rtx_bindings")
    path = f"{folder}:{site}:{SUPPORT}"
    return Child(RTX, {"PYTHONPATH": path, "POLYGRAPHY_USE_TENSORRT_RTX": "1"})


def _fetched(version: str) -> Path:
    site = ROOT / version
    if not site.is_dir():
        missing(f"the Python bindings of TensorRT {version} are not at hand (make setup fetches them)")
    return site


def _front(folder: Path, name: str, bound: str) -> None:
    """The package `name`, as NVIDIA's own one makes it of the package `bound`."""
    (folder / name).mkdir(exist_ok=True)
    text = f"from {bound} import *\nfrom {bound} import __version__\n"
    (folder / name / "__init__.py").write_text(text, encoding="utf-8")


def _compile(folder: Path, name: str, source: str) -> None:
    compiler = next((found for c in ("cc", "gcc", "clang") if (found := shutil.which(c))), None)
    if compiler is None:
        missing("there is no C compiler for the stand-ins of TensorRT's libraries")
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-w",
        "-x",
        "c",
        "-",
        f"-Wl,-soname,{name}",
        "-o",
        str(folder / name),
    ]
    subprocess.run(command, input=source, text=True, check=True)


def missing(reason: str) -> NoReturn:
    """Skips the test; in CI, where everything has to be there, fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI: {reason}")
    pytest.skip(reason)


def fetch() -> None:
    """Installs what is missing of `PACKAGES`, each version in a folder of its own."""
    for version, packages in PACKAGES.items():
        target = ROOT / version
        if target.is_dir():
            continue
        part = target.with_name(f"{version}.part")
        shutil.rmtree(part, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--only-binary=:all:", "--target", str(part)]
        subprocess.run([*pip, *options, *packages], check=True)
        part.rename(target)


if __name__ == "__main__":
    try:
        fetch()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)} failed.")
