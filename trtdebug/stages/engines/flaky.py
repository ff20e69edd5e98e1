"""Flaky builds: what differs between an engine that passes and one that fails."""

from __future__ import annotations

from collections.abc import Sequence

from trtdebug.core.finding import Finding
from trtdebug.core.outcome import EngineInfo, LayerInfo, Outcome
from trtdebug.core.words import listed
from trtdebug.stages.engines.diff import LayerDifference, diff_engines

_NAMED = 5


def flaky_builds(natural: Sequence[Outcome]) -> tuple[Finding, ...]:
    """`flaky-builds` where of the same build some pass and some fail, with what their engines do otherwise."""
    passing = [o for o in natural if o.status == "pass"]
    failing = [o for o in natural if o.status == "fail"]
    if not passing or not failing:
        return ()
    return (
        Finding(
            "flaky-builds",
            "warning",
            f"{len(failing)} of {len(natural)} builds are wrong, by the same command: "
            f"{engine_difference(passing[0].engine, failing[0].engine, 'one that is right', 'a wrong one')}",
            mitigation="Pin what is at fault, or keep one good engine, or its timing cache.",
        ),
    )


def engine_difference(first: EngineInfo | None, second: EngineInfo | None, name: str, other: str) -> str:
    """What two engines do otherwise, in words; the first few layers by name.

    Args:
        name, other: what to call them ("the plain engine", "the one with marks").
    """
    if first is None or second is None or not (first.layers and second.layers):
        return "the engines cannot be read, so what differs is not known."
    differences = diff_engines(first.layers, second.layers).differences
    if not differences:
        return f"{name} and {other} show the same layers, precisions and tactics; what differs lies inside of them."
    named = "; ".join(_words(d) for d in differences[:_NAMED])
    more = f"; and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
    return f"{name} and {other} differ in {len(differences)} places: {named}{more}."


def _words(difference: LayerDifference) -> str:
    where = listed(difference.nodes, 2) or next(x.name for x in (*difference.first, *difference.second))
    if "precision" in difference.differs:
        return f"{where}: {_types(difference.first)} against {_types(difference.second)}"
    if "fusion" in difference.differs:
        return f"{where}: in {len(difference.first)} layers against {len(difference.second)}"
    if "tactic" in difference.differs:
        return f"{where}: tactic {_tactics(difference.first)} against {_tactics(difference.second)}"
    return f"{where}: on one side only"


def _types(layers: Sequence[LayerInfo]) -> str:
    told = dict.fromkeys(
        p for x in layers for p in (*x.writes, *x.reads, *([x.precision] if x.precision else ()))
    )
    return "/".join(told) or "nothing told"


def _tactics(layers: Sequence[LayerInfo]) -> str:
    return ", ".join(dict.fromkeys(x.tactic or "not told" for x in layers))
