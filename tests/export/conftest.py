"""Fix folders of emulator sessions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest
from in_process import Done, jobs_run_here, trtdebug

from trtdebug.api.place import Place
from trtdebug.cli.opening import reopened
from trtdebug.stages.context import Context

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CULPRITS = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")


@dataclass(frozen=True)
class Fixed:
    """A finished `trtdebug fix`: its model, its session, and the fix folder."""

    model: Path
    session: Path
    done: Done

    @property
    def folder(self) -> Path:
        return self.session / "fix"

    @property
    def fix(self) -> dict[str, Any]:
        return json.loads((self.folder / "fix.json").read_text(encoding="utf-8"))

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.session / "report.json").read_text(encoding="utf-8"))

    def context(self) -> AbstractContextManager[Context]:
        """The session, open again."""

        @contextmanager
        def opened() -> Iterator[Context]:
            with jobs_run_here(), reopened(Place(self.session, 60), True) as case:
                yield case.ctx

        return opened()


@pytest.fixture(scope="session")
def layernorm(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """samples/layernorm_overflow.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SAMPLES))
        from layernorm_overflow import build

        return build()


@pytest.fixture(scope="session")
def fix_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Fixed]:
    """`fix_of(model, *options)`: runs `trtdebug fix` on the emulator."""

    def run(model: onnx.ModelProto, *options: object) -> Fixed:
        folder = tmp_path_factory.mktemp("fixed")
        path, session = folder / "model.onnx", folder / "session"
        onnx.save(model, path)
        words = ("--fp16", "--candidate", "emulator", "--quiet", "--session", session, *options)
        with jobs_run_here():
            return Fixed(path, session, trtdebug("fix", path, *words))

    return run


@pytest.fixture(scope="session")
def fixed(fix_of: Callable[..., Fixed], layernorm: onnx.ModelProto) -> Fixed:
    """The fix of the sample. Not to be changed."""
    return fix_of(layernorm)


ODD_NODES = ("../../a'b\"c", "a,b:c", "%s {0} {x!r} \\", "大/层\n\x1b[31m", "; rm -rf $(HOME) `id` *")
ODD_INPUT, ODD_OUTPUT = '../../x:0\n"', "/大/y'"


@pytest.fixture(scope="session")
def odd(layernorm: onnx.ModelProto) -> onnx.ModelProto:
    """The sample, with the pinned nodes, the input and the output under names that lead astray who lets them."""
    model = onnx.ModelProto()
    model.CopyFrom(layernorm)
    nodes = dict(zip(CULPRITS, ODD_NODES, strict=False))
    tensors = {model.graph.input[0].name: ODD_INPUT, model.graph.output[0].name: ODD_OUTPUT}
    model.graph.input[0].name, model.graph.output[0].name = ODD_INPUT, ODD_OUTPUT
    for node in model.graph.node:
        node.name = nodes.get(node.name, node.name)
        node.input[:] = [tensors.get(t, t) for t in node.input]
        node.output[:] = [tensors.get(t, t) for t in node.output]
    return model
