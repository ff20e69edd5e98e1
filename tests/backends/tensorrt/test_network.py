"""What the parser complains of."""

from __future__ import annotations

from trtdebug.backends.tensorrt.network import Complaint, parse_failure


def test_all_parser_errors_are_told_and_the_first_node_is_blamed() -> None:
    failure = parse_failure(
        [
            Complaint("UNSUPPORTED_NODE", None, "", "something"),
            Complaint("UNSUPPORTED_NODE", "odd", "Odd", "no importer"),
            Complaint("INVALID_NODE", "bad", "Add", "bad shape"),
        ],
        "",
    )
    assert failure.node == "odd"
    assert "node 'odd' (Odd): UNSUPPORTED_NODE: no importer" in failure.message
    assert "bad shape" in failure.message
    assert parse_failure([], "log says so").message.endswith("log says so")
