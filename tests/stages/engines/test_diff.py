"""Two engines side by side."""

from __future__ import annotations

from trtdebug.core.outcome import LayerInfo
from trtdebug.stages.engines.diff import EngineDiff, LayerDifference, diff_engines


def layer(
    name: str, *nodes: str, of: str = "fp16", tactic: str = "t", at_most: tuple[str, ...] = ()
) -> LayerInfo:
    return LayerInfo(name, nodes, of, tactic, "Cask", (of,), (of,), at_most)


CONV = layer("conv + relu", "conv", "relu")
GEMM = layer("fc", "fc")


def test_equal_engines_have_no_differences() -> None:
    assert diff_engines([CONV, GEMM], [CONV, GEMM]) == EngineDiff(2, ())


def test_the_same_nodes_by_another_kernel() -> None:
    other = layer("fc", "fc", tactic="u")
    assert diff_engines([CONV, GEMM], [CONV, other]) == EngineDiff(
        1, (LayerDifference(("tactic",), ("fc",), (GEMM,), (other,)),)
    )


def test_the_same_nodes_in_another_precision_are_not_called_another_tactic_too() -> None:
    other = layer("fc", "fc", of="fp32", tactic="u")
    (found,) = diff_engines([GEMM], [other]).differences
    assert found == LayerDifference(("precision",), ("fc",), (GEMM,), (other,))


def test_nodes_that_are_divided_among_layers_in_another_way() -> None:
    conv, relu = layer("conv", "conv"), layer("relu", "relu")
    (found,) = diff_engines([CONV], [conv, relu]).differences
    assert found == LayerDifference(("fusion",), ("conv", "relu"), (CONV,), (conv, relu))
    (chained,) = diff_engines(
        [layer("ab", "a", "b"), layer("c", "c")], [layer("a", "a"), layer("bc", "b", "c")]
    ).differences
    assert (chained.differs, chained.nodes) == (("fusion",), ("a", "b", "c"))


def test_a_block_counts_by_the_nodes_between_its_borders() -> None:
    block = layer("{ForeignNode[a...c]}", at_most=("a", "b", "c"))
    (found,) = diff_engines(
        [block], [layer("a", "a"), layer("b", "b"), layer("c", "c", of="fp32")]
    ).differences
    assert (found.differs, found.nodes) == (("fusion", "precision"), ("a", "b", "c"))


def test_layers_of_no_node_go_by_their_names() -> None:
    copy = layer("Reformatting CopyNode for Input Tensor 0 to fc")
    assert diff_engines([copy, GEMM], [GEMM]) == EngineDiff(
        1, (LayerDifference(("one-sided",), (), (copy,), ()),)
    )
    again = layer("Reformatting CopyNode for Input Tensor 0 to fc", of="fp32")
    (found,) = diff_engines([copy], [again]).differences
    assert found.differs == ("precision",)


def test_a_node_of_several_layers_on_both_sides() -> None:
    gemm = [layer("fc_1", "fc"), layer("fc_2", "fc", tactic="bias")]
    assert diff_engines(gemm, [gemm[1], gemm[0]]) == EngineDiff(2, ())


def test_differences_stand_in_the_order_of_the_first_engine() -> None:
    ours = [layer(n, n) for n in "abc"]
    theirs = [layer(n, n, of="fp32") for n in "cab"]
    assert [d.nodes for d in diff_engines(ours, theirs).differences] == [("a",), ("b",), ("c",)]
