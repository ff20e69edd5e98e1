"""The pytest plugin. pytest loads it in every run, so it imports nothing of trtdebug before a test asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trtdebug.api.result import DebugResult


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("trtdebug")
    group.addoption(
        "--trtdebug-candidate",
        metavar="NAME",
        help="Backend under test in `assert_matches`, where the test names none: auto, tensorrt, emulator, ...",
    )


@pytest.fixture
def assert_matches(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., DebugResult]:
    """`trtdebug.assert_matches`, with sessions in the test's temporary folder.

    `--trtdebug-candidate NAME` chooses the backend under test where the call names none.
    """
    chosen = request.config.getoption("--trtdebug-candidate")
    count = iter(range(1, 1_000_000))

    def check(model: Any, **arguments: Any) -> DebugResult:
        __tracebackhide__ = True
        import trtdebug

        if chosen is not None:
            arguments.setdefault("candidate", chosen)
        arguments.setdefault("session", tmp_path / f"trtdebug-{next(count)}")
        return trtdebug.assert_matches(model, **arguments)

    return check
