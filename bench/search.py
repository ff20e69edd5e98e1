"""Trials that the search needs, simulated: planted faults, no model, no GPU.

`python bench/search.py [CASES]` prints a table (default 1000 cases a row). Every case is checked to be exact.
The whole is known to fail at the start. The trial that shows that all the rest passes is counted.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from math import ceil, comb, log2
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trtdebug.search.drive import drive
from trtdebug.search.leftmost import Leftmost
from trtdebug.search.planted import Planted

# Mean trials of other engines on the same kind of case, from our survey of their strategies.
PEERS = ("plain leftmost", "onnxconverter SegmentList", "rddmin", "FX binary (fixed)")
ROWS = {
    (300, 1): (10.3, 14.3, 14.6, 17.6),
    (300, 3): (26.9, 40.3, 40.4, 41.3),
    (1000, 1): (12.0, 16.1, 16.9, 21.0),
    (1000, 3): (32.3, 50.0, 48.3, 52.6),
    (1000, 10): (100.5, 136.4, 153.3, 136.9),
}


def begin(n: int, **options: object) -> Leftmost:
    search = Leftmost(n, **options)  # type: ignore[arg-type]
    search.tell(frozenset(range(n)), "fail")
    return search


def singles(n: int, culprits: int, cases: int) -> Iterator[int]:
    """Trials to find single culprits, flat prior."""
    for seed in range(cases):
        planted = random.Random(seed).sample(range(n), culprits)
        test = Planted([[item] for item in planted])
        answer = drive(begin(n), test)
        assert answer.exact
        assert set(answer.culprits) == test.culprits
        assert answer.protect == set(planted)
        yield answer.trials


def pair(n: int, seed: int) -> tuple[int, int]:
    """Trials to find an interacting pair, and to end."""
    test = Planted([random.Random(seed).sample(range(n), 2)])
    search = begin(n)
    while not search.result().culprits:
        for subset in search.ask():
            search.tell(subset, test(subset))
    found = search.trials
    answer = drive(search, test)
    assert answer.exact
    assert set(answer.culprits) == test.culprits
    assert len(answer.protect) == 1
    return found, answer.trials


def ranked(n: int, top: float, seed: int) -> tuple[int, int, int]:
    """Trials until one suspect is left, until it is proven, and to end."""
    rng = random.Random(seed)
    ranking = rng.sample(range(n), n)
    prior = [0.0] * n
    for rank, item in enumerate(ranking):
        prior[item] = top / 5 if rank < 5 else (1 - top) / (n - 5)
    hit = seed * 37 % 100 < 100 * top  # spread evenly over the cases
    culprit = ranking[seed % 5 if hit else rng.randrange(5, n)]
    test = Planted([[culprit]])
    search = begin(n, weights=prior)
    suspect = 0
    while not search.result().culprits:
        for subset in search.ask():
            search.tell(subset, test(subset))
        if not suspect and (search.suspects() == {culprit} or search.result().culprits):
            suspect = search.trials
    proven = search.trials
    answer = drive(search, test)
    assert answer.exact
    assert answer.culprits == (frozenset({culprit}),)
    return suspect, proven, answer.trials


def main(cases: int) -> None:
    print(f"mean trials to the exact set, {cases} cases a row (single culprits, flat prior)")
    heads = ("bound", "this", "worst", *PEERS)
    print(f"{'n':>5} {'d':>3} " + " ".join(f"{head:>{max(7, len(head))}}" for head in heads))
    for (n, culprits), peers in ROWS.items():
        trials = list(singles(n, culprits, cases if culprits < 10 else max(1, cases // 5)))
        values = (ceil(log2(comb(n, culprits))), round(mean(trials), 2), max(trials), *peers)
        print(
            f"{n:>5} {culprits:>3} "
            + " ".join(f"{value:>{max(7, len(head))}}" for value, head in zip(values, heads, strict=True))
        )
    found, ended = zip(*(pair(1000, seed) for seed in range(cases)), strict=True)
    print(f"interacting pair, n=1000: found {mean(found):.2f}, end {mean(ended):.2f}")
    print("(of peers, to find it: QuickXplain 22.5, ddmin 62.7)")
    for top in (0.5, 0.8, 0.9, 0.95):
        suspect, proven, end = zip(*(ranked(1000, top, seed) for seed in range(cases)), strict=True)
        print(
            f"in the top 5 with {top}, n=1000: one suspect left {mean(suspect):.2f}, "
            f"proven {mean(proven):.2f}, end {mean(end):.2f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
