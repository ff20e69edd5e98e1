"""A parser that refuses what it is told to, and blames as badly as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import onnx

from trtdebug.backends.base import Subgraph, Support
from trtdebug.core.build_error import BuildError


@dataclass
class FakeParser:
    """Asked for a model, it refuses nodes by name.

    Attributes:
        refused: nodes that it never takes.
        pairs: (writer, reader): nodes that it does not take in one model; it blames the reader.
        crashes: nodes that end its process.
        blames: "all" = every refused node is named, in errors; "first" = only the first one; "none" = no node is
            named; "wrong" = the first node of the model is named instead; "cuts" = they are only left out of subgraphs.
        asked: node names of every model that it was asked for.
    """

    refused: Collection[str] = ()
    pairs: Collection[tuple[str, str]] = ()
    crashes: Collection[str] = ()
    blames: str = "all"
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, model: onnx.ModelProto) -> Support:
        names = tuple(node.name for node in model.graph.node)
        self.asked.append(names)
        if set(self.crashes) & set(names):
            return Support(None, (BuildError("crash", "the worker died: SIGSEGV (segmentation fault)"),))
        bad = [name for name in names if name in self.refused]
        bad += [reader for writer, reader in self.pairs if {writer, reader} <= set(names)]
        if not bad:
            return Support(True)
        rest = Subgraph(tuple(name for name in names if name not in bad), False)
        errors: dict[str, Callable[[], list[str | None]]] = {
            "all": lambda: list(bad),
            "first": lambda: bad[:1],
            "none": lambda: [None],
            "wrong": lambda: [names[0]],
            "cuts": lambda: [None],
        }
        said = tuple(
            BuildError("parse", "not taken", "UNSUPPORTED_NODE", node) for node in errors[self.blames]()
        )
        return Support(False, said, (rest,) if self.blames == "cuts" and rest.nodes else ())
