"""Search strategies of other tools, as far as they decide what to test: small adapters of the published algorithms.

Each takes the number of items and a test (does the case fail with exactly these items exposed?), knows that the
whole fails, and gives what it would name. None knows of a prior, of untestable sets or of wrong verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Test = Callable[[frozenset[int]], bool]
Strategy = Callable[[int, Test], set[int]]


def plain_leftmost(n: int, fails: Test) -> set[int]:
    """Bisect for the first culprit, protect it, repeat until the rest passes. Proves nobody alone."""
    found: set[int] = set()
    low = 0
    failing = True
    while failing:
        high = n
        while high - low > 1:
            middle = (low + high) // 2
            if fails(frozenset(range(middle)) - found):
                high = middle
            else:
                low = middle
        found.add(low)
        low += 1
        failing = low < n and fails(frozenset(range(n)) - found)
    return found


def segment_list(n: int, fails: Test) -> set[int]:
    """onnxconverter_common.auto_mixed_precision: halve the largest undecided segment, keep what may be FP16."""
    segments = [(0, n, "open")]
    undecided = True
    while undecided:
        largest = max((s for s in segments if s[2] == "open"), key=lambda s: s[1] - s[0])
        start, end, _ = largest
        exposed = {i for a, b, state in segments if state == "good" for i in range(a, b)} | set(
            range(start, end)
        )
        at = segments.index(largest)
        if not (fails(frozenset(exposed)) if (start, end) != (0, n) else True):
            segments[at] = (start, end, "good")
        elif end - start == 1:
            segments[at] = (start, end, "bad")
        else:
            middle = start + (end - start) // 2
            segments[at : at + 1] = [(start, middle, "open"), (middle, end, "open")]
        undecided = any(state == "open" for _, _, state in segments)
    fails(
        frozenset(i for a, b, state in segments if state == "good" for i in range(a, b))
    )  # its last validation
    return {start for start, _, state in segments if state == "bad"}


def fx_binary(n: int, fails: Test, find_all: bool = True, fixed: bool = True) -> set[int]:
    """torch.fx net_min_base, traverse_method "binary"; `fixed`: the right half no longer overwrites the left."""

    def search(start: int, end: int) -> set[int]:
        if (start, end) != (0, n) and not fails(frozenset(range(start, end))):
            return set()
        if end - start == 1:
            return {start}
        middle = start + (end - start) // 2
        culprits = search(start, middle)
        if not culprits or find_all:
            right = search(middle, end)
            culprits = culprits | right if fixed else right
        return culprits

    return search(0, n)


def fx_binary_as_shipped(n: int, fails: Test) -> set[int]:
    """The same with find_all as in torch 2.14.1."""
    return fx_binary(n, fails, fixed=False)


def ddmin(items: Sequence[int], fails: Test) -> list[int]:
    """Zeller and Hildebrandt 2002: a 1-minimal failing set; verdicts are cached."""
    cache: dict[frozenset[int], bool] = {frozenset(): False}

    def failing(subset: frozenset[int]) -> bool:
        if subset not in cache:
            cache[subset] = fails(subset)
        return cache[subset]

    rest, pieces = list(items), 2
    while len(rest) >= 2:
        size = len(rest) / pieces
        chunks = [rest[int(i * size) : int((i + 1) * size)] for i in range(pieces)]
        chunk = next((c for c in chunks if failing(frozenset(c))), None)
        if chunk is not None:
            rest, pieces = chunk, 2
            continue
        without = (frozenset(rest) - frozenset(c) for c in chunks) if pieces > 2 else ()
        complement = next((c for c in without if failing(c)), None)
        if complement is not None:
            rest, pieces = sorted(complement), max(pieces - 1, 2)
        elif pieces >= len(rest):
            break
        else:
            pieces = min(len(rest), 2 * pieces)
    return rest


def rddmin(n: int, fails: Test) -> set[int]:
    """Verrou's rddmin: ddmin again and again on what is left."""
    found: set[int] = set()
    while True:
        found.update(ddmin([i for i in range(n) if i not in found], fails))
        if not fails(frozenset(range(n)) - found):
            return found


def polygraphy_precision(n: int, fails: Test) -> set[int]:
    """polygraphy debug precision --mode bisect: the shortest prefix that has to be FP32; all of it is named."""
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        if fails(frozenset(range(middle, n))):
            low = middle
        else:
            high = middle
    return set(range(high))


PEERS: dict[str, Strategy] = {
    "plain leftmost": plain_leftmost,
    "SegmentList": segment_list,
    "rddmin": rddmin,
    "FX binary, fixed": fx_binary,
    "FX binary, shipped": fx_binary_as_shipped,
    "polygraphy precision": polygraphy_precision,
}
