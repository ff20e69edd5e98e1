from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.stages.localising.atoms import Atoms, fused_layers, whole_within


def test_nodes_of_a_layer_are_one_atom_that_bears_the_name_of_the_first() -> None:
    atoms = Atoms.of(["a", "b", "c", "d"], [("d", "b"), ("x", "a")])
    assert atoms.names == ("a", "b", "c")
    assert atoms.members == {"a": ("a",), "b": ("b", "d"), "c": ("c",)}
    assert atoms.nodes({"a", "b"}) == {"a", "b", "d"}
    assert atoms.within({"a", "b"}) == {"a"}
    assert atoms.touching({"a", "d"}) == {"a", "b"}


NODES = [f"n{i}" for i in range(12)]


@given(st.lists(st.integers(0, 4), min_size=12, max_size=12), st.sets(st.sampled_from(NODES)))
def test_atoms_partition_the_nodes(layer: list[int], some: set[str]) -> None:
    layers = [tuple(n for n, number in zip(NODES, layer, strict=True) if number == k) for k in range(1, 5)]
    atoms = Atoms.of(NODES, layers)
    assert sorted(n for name in atoms.names for n in atoms.members[name]) == sorted(NODES)
    assert atoms.within(some) <= atoms.touching(some)
    assert atoms.nodes(atoms.within(some)) <= some <= atoms.nodes(atoms.touching(some))


def test_layers_of_an_engine_that_are_taken_as_one() -> None:
    def engine(*layers: tuple[str, ...]) -> EngineInfo:
        return EngineInfo("tensorrt", "8.6.0", layers=tuple(LayerInfo("+".join(n), n) for n in layers))

    assert fused_layers(engine(("a", "b"), ("c",), (), ("d", "e", "f"))) == (("a", "b"), ("d", "e", "f"))
    assert fused_layers(engine(("a", "b"), ("b", "c"), ("d", "e"))) == (("d", "e"),)  # b is in two
    assert fused_layers(engine(tuple("abcdefghi"))) == ()  # a block
    assert fused_layers(None) == ()


def test_layers_that_pins_cut_are_no_whole() -> None:
    assert whole_within([("a", "b"), ("c", "d"), ("e", "f")], {"a", "b", "c"}) == (("a", "b"), ("e", "f"))
