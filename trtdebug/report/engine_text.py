"""Engines for people: their layers, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.core.words import listed
from trtdebug.scripts.words import printable
from trtdebug.stages.engines.diff import EngineDiff, LayerDifference

_MOST_NODES = 8


def render_engine(info: EngineInfo) -> str:
    """Its layers: the dearest first where it was profiled, else in the order of execution."""
    return "\n".join(printable(line) for line in _engine_lines(info)) + "\n"


def render_diff(diff: EngineDiff) -> str:
    """What differs, fusion first; layers of no node, such as reformats, last."""
    return "\n".join(printable(line) for line in _diff_lines(diff)) + "\n"


def _engine_lines(info: EngineInfo) -> Iterator[str]:
    total = sum(layer.milliseconds or 0.0 for layer in info.layers)
    timed = any(layer.milliseconds is not None for layer in info.layers)
    head = f"{info.backend} {info.version}".rstrip() + (f" on {info.device}" if info.device else "")
    yield f"{head}: {len(info.layers)} layers" + (f", {total:.4g} ms in all" if timed else "")
    yield from (f"note: {note}" for note in info.notes)
    if not info.layers:
        return
    yield f"{'ms':>9} {'%':>5}  {'in -> out':15}  layer" if timed else f"{'in -> out':15}  layer"
    layers = sorted(info.layers, key=lambda x: -(x.milliseconds or 0.0)) if timed else info.layers
    for layer in layers:
        cost = _cost(layer, total) if timed else ""
        yield f"{cost}{_types(layer):15}  {_title(layer)}"
        yield from (" " * (len(cost) + 17) + line for line in _details(layer))
    yield from _concealed(info.layers)


def _cost(layer: LayerInfo, total: float) -> str:
    if layer.milliseconds is None:
        return " " * 17
    share = 100 * layer.milliseconds / total if total else 0.0
    return f"{layer.milliseconds:9.4f} {share:5.1f}  "


def _concealed(layers: Sequence[LayerInfo]) -> Iterator[str]:
    blocks = [x for x in layers if x.at_most]
    if blocks:
        count = sum(len(x.at_most) for x in blocks)
        yield (
            f"{len(blocks)} block(s) were compiled as a whole and hold up to {count} nodes: the engine does not tell "
            "which precision these work in."
        )


def _types(layer: LayerInfo) -> str:
    return f"{'/'.join(layer.reads) or '?'} -> {'/'.join(layer.writes) or layer.precision or '?'}"


def _title(layer: LayerInfo) -> str:
    return f"{layer.type} {layer.name}".strip()


def _details(layer: LayerInfo) -> Iterator[str]:
    if layer.nodes and layer.nodes != (layer.name,):
        yield f"nodes {listed(layer.nodes, _MOST_NODES)}"
    if layer.at_most:
        yield f"at most {len(layer.at_most)} nodes: {listed(layer.at_most, _MOST_NODES)}"
    if layer.tactic:
        yield f"tactic {layer.tactic}"


def _diff_lines(diff: EngineDiff) -> Iterator[str]:
    yield f"{diff.same} layers are alike, {len(diff.differences)} differences"
    order = ("fusion", "precision", "tactic", "one-sided")
    for difference in sorted(diff.differences, key=lambda d: order.index(d.differs[0])):
        yield from _difference(difference)


def _difference(difference: LayerDifference) -> Iterator[str]:
    about = f": {listed(difference.nodes, _MOST_NODES)}" if difference.nodes else ""
    yield f"{', '.join(difference.differs)}{about}"
    for side, layers in (("first", difference.first), ("second", difference.second)):
        for layer in layers:
            tactic = f" [{layer.tactic}]" if layer.tactic else ""
            yield f"  {side:6} {_types(layer):15}  {_title(layer)}{tactic}"
        if not layers:
            yield f"  {side:6} -"
