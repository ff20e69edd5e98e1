"""When two failures to build are the same one."""

from __future__ import annotations

import pytest

from trtdebug.core.build_error import BuildError, failure_key, failure_keys
from trtdebug.core.jsonable import dumps, loads
from trtdebug.core.outcome import Outcome

NAMES = frozenset({"blk/Mul_3", "node_of_y", "x", "t12"})


def failed(message: str, code: str = "4: Internal Error", operator: str = "") -> BuildError:
    return BuildError("build", message, code, operator=operator)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "for node {ForeignNode[a...b]}. at /_src/a.cpp:1",
            "for node {ForeignNode[(Unnamed Layer* 3) [Shuffle]...c]}. at /_src/a.cpp:22",
        ),
        ("reshape would change volume 8 to 15 of 0x7f12", "reshape would change volume 80 to 3 of 0xabc"),
        ("Layer node_of_y: failed for tensor: t12 [1,2,3]", "Layer blk/Mul_3: failed for tensor: x [4]"),
        ("no such 'thing'", "no such 'other  thing'"),
    ],
)  # fmt: skip
def test_names_numbers_and_places_make_no_difference(one: str, other: str) -> None:
    assert failure_key(failed(one), NAMES) == failure_key(failed(other), NAMES)


def test_kind_code_operator_and_words_do() -> None:
    errors = [
        failed("a"),
        failed("b"),
        failed("a", "9: Internal Error"),
        BuildError("parse", "a", operator="Det"),
        BuildError("parse", "a", "4: Internal Error"),
    ]
    assert len(failure_keys(errors)) == 5


def test_an_outcome_keeps_them_as_json() -> None:
    error = BuildError("parse", "no importer", "UNSUPPORTED_NODE", "inner", "Det", ("loop",), ("a", "b"))
    outcome = Outcome("untestable", build_errors=(error,))
    assert loads(dumps(outcome), Outcome) == outcome
    assert error.outer == "loop"
    assert loads('{"status": "pass"}', Outcome).build_errors == ()
