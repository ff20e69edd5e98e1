"""Which layers TensorRT blames in what it says when it does not build."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

# "for node X", "of layer X", "(Layer X", "(ITopKLayer X"; after it, what joins the names of a fusion:
# "PWN(a, b) + c || d".
_KIND = re.compile(r"\b(?:node|[Ll]ayer|I[A-Z]\w*Layer|implementation of)s?:? ")
_JOINT = r"(?:^|PWN\(|, | \+ | \|\| )"
# "Internal Error (X: ...", "3: X: ...", "'X'".
_BEFORE = r"(?:Error \(|^\d+: |['\"`])"
_AFTER = r"(?![\w/]|[.:\-]\w)"
_RANGE = re.compile(r"ForeignNode\[[^}]*?\.\.\.[^}]*\]\}?")
_SINGLE = re.compile(r"\{ForeignNode\[(.*?)\]\}", re.DOTALL)


def named_layers(messages: Collection[str], names: Collection[str]) -> tuple[str, ...]:
    """Those of `names` that error messages speak of, in the order in which they do, each once.

    A block of Myelin, "{ForeignNode[first...last]}", blames nobody: it names the ends of a range.
    """
    if not names:
        return ()
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    fused = re.compile(f"{_JOINT}({longest_first}){_AFTER}")
    marked = re.compile(f"{_BEFORE}({longest_first}){_AFTER}")
    found: dict[str, None] = {}
    for message in messages:
        line = _SINGLE.sub(r"\1", _RANGE.sub("<block>", " ".join(message.split())))
        for told in _KIND.split(line)[1:]:
            found.update(dict.fromkeys(fused.findall(told)))
        found.update(dict.fromkeys(marked.findall(line)))
    return tuple(found)


def blamed_node(messages: Collection[str], layer_nodes: Mapping[str, str]) -> str | None:
    """The ONNX node that a build error names first; None when it names none or a range.

    Args:
        messages: TensorRT's error messages.
        layer_nodes: ONNX node by network layer name.
    """
    known = {**{node: node for node in layer_nodes.values()}, **layer_nodes}
    named = named_layers(messages, known)
    return known[named[0]] if named else None
