"""Why a model was not built, in plain data; and when two such failures are the same one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

BuildErrorKind = Literal["parse", "build", "crash", "timeout"]


@dataclass(frozen=True)
class BuildError:
    """One error of a parser or a builder.

    Attributes:
        kind: who gave up: the parser, the builder (or the backend itself), the process that built, or the time.
        code: the parser's error code by name ("UNSUPPORTED_NODE"), the builder's error number and class
            ("10: Internal Error"), the signal or exception that a process ended by; empty where none is told.
        node: ONNX node that it names, by its unique name; within a body or a function the name that it has there.
        operator: of that node; empty where it is not told.
        message: on one line.
        inside: names of the nodes around `node`, the outermost first: If, Loop, Scan, calls of functions.
        nodes: further ONNX nodes that it names, such as both ends of a range that was fused.
    """

    kind: BuildErrorKind
    message: str
    code: str = ""
    node: str | None = None
    operator: str = ""
    inside: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def outer(self) -> str | None:
        """The node of the top-level graph that it names, or that holds the one it names."""
        return self.inside[0] if self.inside else self.node

    def __str__(self) -> str:
        within = "".join(f" in {name!r}" for name in reversed(self.inside))
        at = f"node {self.node!r}{within}" if self.node else f"a node{within}" if within else "the model"
        told = [text for text in (self.code, self.message) if text]
        return f"{at}{f' ({self.operator})' if self.operator else ''}: {': '.join(told)}"


# Names that nobody told us of: what is quoted, blocks of Myelin, what the builder makes up, numbers, addresses.
_ANYTHING = re.compile(
    r"\{ForeignNode\[.*?\]\}|'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\.cpp[^\]]*\]|\bat /\S+|0x[0-9a-fA-F]+|\d+(?:\.\d+)?"
)
_WORD = re.compile(r"[^\s,;()\[\]{}'\"`|=]+")


def failure_key(error: BuildError, names: Collection[str] = ()) -> str:
    """What of an error does not depend on where it happens: kind, code, words without names, a parser's operator.

    Two builds fail alike where they have a key in common. Names, numbers, addresses and places in the builder's
    own source are left out of the message.

    Args:
        names: of the model's nodes and tensors, in its bodies, too.
    """
    operator = error.operator if error.kind == "parse" else ""
    return " | ".join((error.kind, error.code, operator, nameless(error.message, frozenset(names))))


def failure_keys(errors: Iterable[BuildError], names: Collection[str] = ()) -> frozenset[str]:
    """The keys of all errors of a build."""
    return frozenset(failure_key(error, names) for error in errors)


def nameless(message: str, names: frozenset[str]) -> str:
    """The message with a star for each name, number, address and place in the builder's own source."""

    def word(found: re.Match[str]) -> str:
        text = found[0]
        bare = text.rstrip(".:")
        return "*" + text[len(bare) :] if text in names or bare in names else text

    plain = _WORD.sub(word, " ".join(message.split()))
    return " ".join(re.sub(r"\*(?:[\s,x]+\*)*", "*", _ANYTHING.sub("*", plain)).split())
