"""Trials that the search needs, simulated, beside its peers' on the same cases: planted faults, no model, no GPU.

`python bench/search.py [CASES]` prints the tables (default 1000 cases a row). What is counted: a trial is one
test of a subset, which on a GPU is a build. Two counts for single culprits:

* "safe", as a session searches: culprits may also fail only jointly, so each one is proven by a trial of its
  own. That the whole fails is known from the session and is not counted.
* "lone", as the survey's figures: every culprit is promised to fail alone, nobody is proven, and the trial of
  the whole is counted, for us and for the peers.

Both count the last trial (all but the culprits passes).

Every case is checked: an answer that is not exact is an error, or stands in the table.
"""

from __future__ import annotations

import random
import sys
import time
from math import ceil, comb, log2
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from _peers_search import PEERS, ddmin  # noqa: E402
from _polygraphy_reduce import polygraphy_reduce  # noqa: E402
from planted_dags import Pieces, connected, residual_dag, two_branches  # noqa: E402
from planted_sets import Planted  # noqa: E402

from trtdebug.search.drive import drive  # noqa: E402
from trtdebug.search.leftmost import Leftmost  # noqa: E402
from trtdebug.search.noisy import Noisy  # noqa: E402
from trtdebug.search.piece import SmallestPiece  # noqa: E402
from trtdebug.search.topology import branchwise  # noqa: E402
from trtdebug.search.types import Verdict  # noqa: E402

ROWS = ((300, 1, 10.3), (300, 3, 26.9), (1000, 1, 12.0), (1000, 3, 32.3), (1000, 10, 100.5))
"""Items, culprits, and the mean of plain leftmost bisection in our survey: no more is allowed."""
HELD_OUT = 1_000_003
"""Seeds begin here. The constants of the search were tuned on cases from another generator."""


def seeds(cases: int) -> range:
    return range(HELD_OUT, HELD_OUT + cases)


def begin(n: int, **options: object) -> Leftmost:
    search = Leftmost(n, **options)  # type: ignore[arg-type]
    search.tell(frozenset(range(n)), "fail")
    return search


def single(n: int, culprits: int, seed: int) -> Planted:
    return Planted([[item] for item in random.Random(seed).sample(range(n), culprits)])


def safe(test: Planted, n: int) -> int:
    """Trials to the exact set, each culprit proven; the whole is not counted."""
    return exact(begin(n), test)


def lone(test: Planted, n: int) -> int:
    """Trials to the exact set where culprits fail alone by promise; the whole is counted."""
    return exact(Leftmost(n, lone=True), test)


def exact(search: Leftmost, test: Planted) -> int:
    answer = drive(search, test)
    assert answer.exact
    assert set(answer.culprits) == test.culprits
    assert answer.protect == frozenset().union(*test.culprits)
    return answer.trials


def peer(name: str, n: int, test: Planted) -> tuple[int, bool]:
    """Trials of a peer, that of the whole among them, and whether it named exactly the culprits."""
    named = PEERS[name](n, lambda subset: test(subset) == "fail")
    return 1 + len(test.asked), {frozenset({item}) for item in named} == test.culprits


def singles(cases: int) -> None:
    print(
        f"Single culprits, no prior: mean trials to the exact set, {cases} cases a row; one culprit: each item once"
    )
    print(f"{'n':>5} {'d':>3} {'bound':>6} {'limit':>6} {'lone':>7} {'worst':>6} {'safe':>7} {'worst':>6}")
    rows = []
    for n, d, limit in ROWS:
        tests = [single(n, d, s) for s in seeds(cases)] if d > 1 else [Planted([[item]]) for item in range(n)]
        ours = [lone(test, n) for test in tests]
        proven = [safe(test, n) for test in (tests if d < 10 else tests[: len(tests) // 5])]
        print(
            f"{n:>5} {d:>3} {ceil(log2(comb(n, d))):>6} {limit:>6} "
            f"{mean(ours):>7.2f} {max(ours):>6} {mean(proven):>7.2f} {max(proven):>6}"
        )
        rows.append((n, d, mean(ours)))
    few = max(1, cases // 10)
    print(f"\nPeers, {few} cases each: mean trials (ratio to our lone; exact answers where not all)")
    for n, d, own in rows:
        print(f"n={n} d={d}")
        for name in PEERS:
            results = [peer(name, n, single(n, d, seed)) for seed in seeds(few)]
            trials, right = mean(t for t, _ in results), mean(r for _, r in results)
            note = "" if right == 1 else f", {right:.0%} exact"
            print(f"    {name:<22}{trials:>7.1f}  ({trials / own:.2f}x{note})")


def pair(n: int, seed: int) -> tuple[int, int]:
    """Trials until an interacting pair is proven, and to the end."""
    test = Planted([random.Random(seed).sample(range(n), 2)])
    search, proven = begin(n), 0
    while questions := search.ask():
        for subset in questions:
            search.tell(subset, test(subset))
        if not proven and search.result().culprits:
            proven = search.trials
    answer = search.result()
    assert answer.exact
    assert set(answer.culprits) == test.culprits
    assert len(answer.protect) == 1
    return proven, answer.trials


def pairs(cases: int) -> None:
    proven, end = zip(*(pair(1000, seed) for seed in seeds(cases)), strict=True)
    print(
        f"\nInteracting pair, n=1000: proven {mean(proven):.2f} (limit 22.5), end {mean(end):.2f}, all exact"
    )
    tests = [Planted([random.Random(seed).sample(range(1000), 2)]) for seed in seeds(max(1, cases // 10))]
    for test in tests:
        assert {frozenset(ddmin(range(1000), lambda s: test(s) == "fail"))} == test.culprits  # noqa: B023
    trials = mean(len(test.asked) for test in tests)
    print(f"    ddmin finds it in {trials:.1f} ({trials / mean(proven):.2f}x)")


def ranked(n: int, top: float, number: int, seed: int) -> tuple[int, int, int]:
    """Trials until one suspect is left, until it is proven, and to the end."""
    rng = random.Random(seed)
    ranking = rng.sample(range(n), n)
    prior = [0.0] * n
    for rank, item in enumerate(ranking):
        prior[item] = top / 5 if rank < 5 else (1 - top) / (n - 5)
    hit = number * 37 % 100 < 100 * top  # spread evenly over the cases
    culprit = ranking[number % 5 if hit else rng.randrange(5, n)]
    test = Planted([[culprit]])
    search = begin(n, weights=prior)
    suspect = proven = 0
    while questions := search.ask():
        for subset in questions:
            search.tell(subset, test(subset))
        named = bool(search.result().culprits)
        proven = proven or (search.trials if named else 0)
        suspect = suspect or (search.trials if named or search.suspects() == {culprit} else 0)
    assert search.result().exact
    assert search.result().culprits == (frozenset({culprit}),)
    return suspect, proven, search.trials


def priors(cases: int) -> None:
    print("\nPrior with the culprit in its top 5 with a probability, n=1000.")
    print("The survey's figure counts until one suspect is left, as the first column does (0.9: limit 3.7).")
    print(f"{'top 5':>6} {'one left':>9} {'proven':>7} {'end':>6} {'survey':>7}")
    for top, survey in ((0.5, 7.0), (0.8, 4.9), (0.9, 3.7), (0.95, 3.3)):
        rows = zip(*(ranked(1000, top, i, seed) for i, seed in enumerate(seeds(cases))), strict=True)
        left, proven, end = (mean(row) for row in rows)
        print(f"{top:>6} {left:>9.2f} {proven:>7.2f} {end:>6.2f} {survey:>7}")


def noisy(n: int, rate: float, known: bool, seed: int) -> tuple[bool, int]:
    """Whether the answer is right, and trials to the end."""
    rng = random.Random(seed)
    test = single(n, 1, seed)
    search = Noisy(n, flips=(rate,)) if known else Noisy(n)
    search.tell(frozenset(range(n)), "fail")

    def flaky(subset: frozenset[int]) -> Verdict:
        fails = (test(subset) == "fail") ^ (rng.random() < rate)
        return "fail" if fails else "pass"

    answer = drive(search, flaky)
    return answer.exact and set(answer.culprits) == test.culprits, answer.trials


def noise(cases: int) -> None:
    print(
        "\nWrong verdicts at a rate, one culprit, n=300; all trials to the end (that it is alone and the only one too)."
    )
    print("Survey, Bayes: .05 13.5, .1 18.8, .2 35.9 trials, told of the rate and that there is one culprit.")
    for rate, known, share in ((0.1, True, 1), (0.05, True, 4), (0.2, True, 4), (0.1, False, 4)):
        right, trials = zip(*(noisy(300, rate, known, s) for s in seeds(max(1, cases // share))), strict=True)
        told = "rate known" if known else "rate learnt"
        limit = " (limits 99 %, 19)" if rate == 0.1 and known else ""
        print(f"    {rate:<5} {told:<12} right {mean(right):.1%}, trials {mean(trials):.2f}{limit}")
    tests = [single(300, 1, seed) for seed in seeds(max(1, cases // 4))]
    for repeats in (1, 3, 5):
        rng, right = random.Random(repeats), 0
        for test in tests:

            def majority(subset: frozenset[int]) -> bool:
                votes = [(test(subset) == "fail") ^ (rng.random() < 0.1) for _ in range(repeats)]  # noqa: B023
                return sum(votes) * 2 > repeats  # noqa: B023

            test.asked.clear()
            named = PEERS["plain leftmost"](300, majority)
            right += {frozenset({item}) for item in named} == test.culprits
        trials = mean(len(test.asked) for test in tests)
        print(
            f"    0.1   plain leftmost, best of {repeats}: right {right / len(tests):.1%}, trials {trials:.1f}"
        )


def builders(cases: int) -> None:
    print("\nRounds with k builders, n=1000, one culprit, to the end (survey, until one is left: 10 7 5 4)")
    for width, share in ((1, 4), (2, 4), (4, 4), (8, 1)):
        rounds = []
        for seed in seeds(max(1, cases // share)):
            test, search = single(1000, 1, seed), begin(1000, width=width)
            count = 0
            while questions := search.ask():
                for subset in questions:
                    search.tell(subset, test(subset))
                count += 1
            assert search.result().exact
            assert set(search.result().culprits) == test.culprits
            rounds.append(count)
        limit = " (limit 4)" if width == 8 else ""
        print(f"    {width} builders: mean {mean(rounds):.2f}, worst {max(rounds)}{limit}")
    few = max(1, cases // 50)
    for what, plant in (("culprits", single), ("interacting pairs of neighbours", neighbours)):
        print(f"10 {what}, n=100, {few} cases: mean rounds (trials), and times fewer than one builder's")
        alone = 0.0
        for width in (1, 2, 4, 8):
            done = [rounds_to_the_end(100, plant(100, 10, seed), width) for seed in seeds(few)]
            rounds_, trials = (mean(column) for column in zip(*done, strict=True))
            alone = alone or rounds_
            print(f"    {width} builders: {rounds_:6.1f} ({trials:.1f}), {alone / rounds_:.2f}")


def neighbours(n: int, pairs: int, seed: int) -> Planted:
    """Pairs of items that fail only together, near each other and apart from other pairs."""
    return Planted([[4 * place, 4 * place + 2] for place in random.Random(seed).sample(range(n // 4), pairs)])


def rounds_to_the_end(n: int, test: Planted, width: int) -> tuple[int, int]:
    """Rounds and trials with so many builders, to the exact set."""
    search, rounds = begin(n, width=width), 0
    while questions := search.ask():
        for subset in questions:
            search.tell(subset, test(subset))
        rounds += 1
    answer = search.result()
    assert answer.exact
    assert set(answer.culprits) == test.culprits
    return rounds, answer.trials


def untestable(cases: int) -> None:
    print("\nA fifth of all subsets can't be tested (by chance), n=300: no wrong name, or an error")
    for d, promised in ((1, False), (1, True), (3, False), (3, True)):
        exact, extra, trials = 0, 0, []
        for seed in seeds(cases):
            planted = frozenset(random.Random(seed).sample(range(300), d))
            test = Planted([[item] for item in planted], untestable=0.2, seed=seed)
            answer = drive(begin(300, lone=promised), test)
            named = frozenset().union(*answer.culprits)
            assert named <= planted <= named | answer.unresolved
            assert answer.exact == (named == planted and not answer.unresolved)
            exact += answer.exact
            extra += len((named | answer.unresolved) - planted)
            trials.append(answer.trials)
        print(
            f"    d={d} {'lone' if promised else 'safe'}: exact {exact / cases:.1%}; else unknown, and the set that "
            f"holds the culprits has {extra / max(1, cases - exact):.2f} items too many; {mean(trials):.1f} trials"
        )


def graphs() -> None:
    n, edges = two_branches()
    trials = []
    for culprit in range(n):
        search = SmallestPiece(n, edges)
        search.tell(frozenset(range(n)), "fail")
        answer = drive(search, Pieces((n, edges), frozenset({culprit}), convex_only=True))
        assert answer.culprits == (frozenset({culprit}),)
        trials.append(answer.trials)
    print(
        f"\nTwo branches, 61 nodes, each one the culprit: 1 node left, {mean(trials):.1f} tests, at most {max(trials)}"
    )
    for name, order in (("one after the other", branchwise(n, edges)), ("mixed", range(n))):
        checks, nodes = polygraphy_reduce(edges, order, "bisect")
        print(
            f"    polygraphy debug reduce, branches {name} in the file: {nodes} nodes left, {checks} checks"
        )
    trials = []
    for seed in range(100):
        graph = residual_dag(seed)
        planted = connected(graph, seed)
        search = SmallestPiece(*graph)
        search.tell(frozenset(range(graph[0])), "fail")
        answer = drive(search, Pieces(graph, planted))
        assert answer.exact
        assert answer.culprits == (planted,)
        trials.append(answer.trials)
    print(f"100 graphs with residuals, 1 to 4 connected nodes planted: all exact, {mean(trials):.1f} tests")


def main(cases: int) -> None:
    began = time.perf_counter()
    singles(cases)
    pairs(cases)
    priors(cases)
    noise(cases)
    builders(cases)
    untestable(cases)
    graphs()
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
