"""What the parser and the builder complain of, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from trtdebug.backends.tensorrt.complaints import builder_error, parse_failure, parser_error
from trtdebug.core.build_error import BuildError

NAMES, OPERATORS = ["relu", "loop", "det"], ["Relu", "Loop", "Det"]


@dataclass
class ParserError86:
    """What TensorRT 8.6 tells: an index, no name."""

    index: int
    text: str = "no importer"

    def node(self) -> int:
        return self.index

    def code(self) -> str:
        return "ErrorCode.UNSUPPORTED_NODE"

    def desc(self) -> str:
        return self.text


@dataclass
class ParserError10(ParserError86):
    """What later ones tell."""

    name: str = ""
    op: str = ""
    stack: list[str] = field(default_factory=list)

    def node_name(self) -> str:
        return self.name

    def node_operator(self) -> str:
        return self.op

    def local_function_stack(self) -> list[str]:
        return self.stack


def test_of_several_nodes_of_one_name_the_index_tells_which() -> None:
    error = parser_error(ParserError10(1, "", "same", "Det"), ["same", "same_1"], ["Relu", "Det"])
    assert (error.node, error.operator) == ("same_1", "Det")
    there = ParserError10(1, "", "same", "Det", ["if (If)"])
    assert parser_error(there, ["same", "same_1"], ["Relu", "Det"]).node == "same"


LOG = ['While parsing node number 1 [Loop -> "y"]:', "--- Begin node ---"]


@pytest.mark.parametrize(
    ("error", "log", "node", "operator", "inside"),
    [
        (ParserError86(2), [], "det", "Det", ()),
        (ParserError86(-1), [], None, "", ()),
        (ParserError10(2, "", "det", "Det"), [], "det", "Det", ()),
        (ParserError10(2, "", "", "Det"), [], "det", "Det", ()),
        (ParserError10(0, "", "", "Det"), LOG, None, "Det", ("loop",)),
        (ParserError10(7, "", "inner", "Det"), LOG, "inner", "Det", ("loop",)),
        (
            ParserError10(1, "", "inner", "Det", ["call (f)", "if (If)", "a (then_branch)"]),
            LOG,
            "inner",
            "Det",
            ("call", "if"),
        ),
    ],
)
def test_a_parser_error_names_its_node_wherever_it_is(error, log, node, operator, inside) -> None:
    found = parser_error(error, NAMES, OPERATORS, log)
    assert (found.node, found.operator, found.inside) == (node, operator, inside)
    assert found.code == "UNSUPPORTED_NODE"


def test_all_parser_errors_are_told_and_the_first_top_level_node_is_blamed() -> None:
    errors = [
        BuildError("parse", "something", "UNSUPPORTED_NODE"),
        BuildError("parse", "no importer", "UNSUPPORTED_NODE", "odd", "Odd", ("loop",)),
        BuildError("parse", "bad shape", "INVALID_NODE", "bad", "Add"),
    ]
    failure = parse_failure(errors, "")
    assert failure.node == "loop"
    assert "node 'odd' in 'loop' (Odd): UNSUPPORTED_NODE: no importer" in failure.message
    assert "bad shape" in failure.message
    assert failure.errors == tuple(errors)
    assert parse_failure([], "log says so").message.endswith("log says so")
    assert parse_failure([], "log says so").errors[0].message == "log says so"


@pytest.mark.parametrize(
    ("message", "code", "node", "nodes"),
    [
        (
            "10: [optimizer.cpp::computeCosts::3869] Error Code 10: Internal Error (Could not find any implementation "
            "for node {ForeignNode[relu...det layer]}.)",
            "10: Internal Error",
            None,
            ("relu", "det"),
        ),
        (
            "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (ITopKLayer relu: relu: K exceeds the "
            "maximum value allowed (3840).)",
            "4: API Usage Error",
            "relu",
            (),
        ),
        ("it does not say why", "", None, ()),
    ],
)
def test_a_builder_error_names_the_nodes_of_layers_and_of_the_ends_of_a_range(
    message, code, node, nodes
) -> None:
    found = builder_error(message, {"relu": "relu", "det layer": "det"})
    assert (found.kind, found.code, found.node, found.nodes) == ("build", code, node, nodes)
