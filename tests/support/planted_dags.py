"""Graphs of plain numbers for the graph-shaped searches: two branches, random blocks with residuals."""

from __future__ import annotations

import random
from itertools import pairwise

from planted_sets import Planted

from trtdebug.search.topology import branchwise, closures
from trtdebug.search.types import Subset, Verdict

Graph = tuple[int, list[tuple[int, int]]]


def two_branches(branch: int = 20, tail: int = 20) -> Graph:
    """Two branches of `branch` nodes that alternate in the file, a join, a tail: 61 nodes by default."""
    first, second = range(0, 2 * branch, 2), range(1, 2 * branch, 2)
    rest = range(2 * branch, 2 * branch + 1 + tail)
    edges = [(a, b) for path in (first, second, rest) for a, b in pairwise(path)]
    return 2 * branch + 1 + tail, [*edges, (first[-1], rest[0]), (second[-1], rest[0])]


def residual_dag(seed: int) -> Graph:
    """Blocks one after the other, each of one to three branches around a residual; 20 to 200 nodes."""
    rng = random.Random(seed)
    edges: list[tuple[int, int]] = []
    last, size, goal = 0, 1, rng.randint(20, 200)
    while size < goal:
        ends = [last]  # the residual
        for _ in range(rng.randint(1, 3)):
            at = last
            for _ in range(rng.randint(1, 6)):
                edges.append((at, size))
                at, size = size, size + 1
            ends.append(at)
        edges += [(end, size) for end in ends]
        last, size = size, size + 1
    names = list(range(size))  # numbers say nothing about the order of a file
    rng.shuffle(names)
    return size, [(names[a], names[b]) for a, b in edges]


def connected(graph: Graph, seed: int) -> Subset:
    """One to four nodes of which each but the first reads or feeds another one."""
    rng, (n, edges) = random.Random(seed), graph
    nodes, most = {rng.randrange(n)}, rng.randint(1, 4)
    while len(nodes) < most:
        nodes.add(rng.choice(sorted({x for e in edges if nodes & set(e) for x in e} - nodes)))
    return frozenset(nodes)


class Pieces:
    """Fails when a piece holds all planted nodes; with `convex_only`, other pieces can't be tested."""

    def __init__(self, graph: Graph, planted: Subset, convex_only: bool = False) -> None:
        n, edges = graph
        self.order = branchwise(n, edges)
        self.rank = {item: rank for rank, item in enumerate(self.order)}
        self.ancestors, self.descendants = closures(self.order, edges)
        self.planted = Planted([planted])
        self.convex_only = convex_only

    def hull(self, subset: Subset) -> Subset:
        """The smallest convex piece that holds `subset`."""
        above = below = 0
        for item in subset:
            above, below = above | self.ancestors[self.rank[item]], below | self.descendants[self.rank[item]]
        return frozenset(item for item in self.order if above & below & 1 << self.rank[item])

    def __call__(self, subset: Subset) -> Verdict:
        verdict = self.planted(subset)
        return "untestable" if self.convex_only and self.hull(subset) != subset else verdict
