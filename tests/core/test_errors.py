"""Errors read as a sentence and a hint."""

from __future__ import annotations

import pytest

from trtdebug.core.errors import BuildFailure, TrtdebugError, UserError


def test_message_and_hint_make_one_line():
    error = UserError("There is no file x.onnx.", "Give the path of a model.")
    assert str(error) == "There is no file x.onnx. Give the path of a model."
    assert (error.message, error.hint) == ("There is no file x.onnx.", "Give the path of a model.")
    assert str(UserError("Only this.")) == "Only this."


def test_build_failures_name_the_node_where_they_can():
    assert BuildFailure("no kernel", node="conv").node == "conv"
    assert BuildFailure("no kernel").node is None
    assert isinstance(BuildFailure("x"), TrtdebugError)


@pytest.mark.parametrize("message", ["no kernel of 'n'", "no kernel of 'n'."])
def test_a_hint_that_follows_is_a_sentence_of_its_own(message: str) -> None:
    assert str(UserError(message, "Export it again.")) == "no kernel of 'n'. Export it again."
