"""What a fix of an extension proposes has to be one build."""

from __future__ import annotations

import pytest

from trtdebug.core.intervention import PinPrecision, ReplaceGraph
from trtdebug.plugins.returned import proposals
from trtdebug.plugins.types import FixProposal


def test_a_proposal_names_one_model_at_most() -> None:
    """The first would be proven, and the last built."""
    one, other = ReplaceGraph("a.onnx", "00"), ReplaceGraph("b.onnx", "01")
    assert proposals("f", [FixProposal("rewrite", "s", (one, PinPrecision(("n",))))])
    with pytest.raises(TypeError, match="more than one ReplaceGraph"):
        proposals("f", [FixProposal("rewrite", "s", (one, other))])


def test_a_proposal_that_changes_nothing_says_why() -> None:
    """A build that passes by chance would make a fix of it, and a folder that verify refuses."""
    assert proposals("f", [FixProposal("pin", "s", (), obstacle="it is not installed")])
    with pytest.raises(TypeError, match="it changes nothing"):
        proposals("f", [FixProposal("pin", "s", ())])
