"""What TensorRT's parser and builder complain of, as `BuildError`s."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.blame import blamed_node, named_layers
from trtdebug.core.build_error import BuildError
from trtdebug.core.errors import BuildFailure

_PARSING = re.compile(r"[Ww]hile parsing node number (\d+) \[")
_NUMBERED = re.compile(r"Error Code (\d+): ([A-Z][\w ]*?) \(")
_ENDS = re.compile(r"\{ForeignNode\[(.*?)\.\.\.(.*?)\]\}", re.DOTALL)
_BODIES = ("then_branch", "else_branch", "body")


def parser_error(
    error: Any, node_names: Sequence[str], operators: Sequence[str], log_errors: Collection[str] = ()
) -> BuildError:
    """A ParserError, of TensorRT or of TensorRT-RTX.

    Its index counts the nodes of the graph that the node is in, be that a body, which it does not always say:
    another operator than the top-level node's of that index tells.

    Args:
        node_names, operators: of the top-level nodes, in file order.
        log_errors: what was logged while it parsed; there the top-level node stands.
    """
    index, operator = int(error.node()), _told(compat.optional(error, "ParserError.node_operator"))
    name, around = _told(compat.optional(error, "ParserError.node_name")), _around(error)
    is_here = 0 <= index < len(node_names) and operator in ("", operators[index])
    if not around and name not in node_names:
        if is_here and not name:
            name = node_names[index]
        elif not is_here:
            around = _parsed(log_errors, node_names)
    elif not around and is_here and re.fullmatch(rf"{re.escape(name)}_\d+", node_names[index]):
        name = node_names[index]  # several nodes have the name that it tells
    if not operator and not around and name in node_names:
        operator = operators[list(node_names).index(name)]
    code, text = str(error.code()).rpartition(".")[2], " ".join(str(error.desc()).split())
    return BuildError("parse", text, code, name or None, operator, around)


def parse_failure(errors: Sequence[BuildError], log_error: str, backend: str = "TensorRT") -> BuildFailure:
    """The failure that stands for all errors of a parser; blames the first top-level node that one of them names."""
    if not errors:
        told = log_error or "it does not say why"
        return BuildFailure(
            f"{backend}'s parser refuses the model: {told}", errors=(BuildError("parse", told),)
        )
    text = "; ".join(dict.fromkeys(map(str, errors)))
    blamed = next((e.outer for e in errors if e.outer), None)
    return BuildFailure(f"{backend}'s parser refuses {text}", node=blamed, errors=tuple(errors))


def builder_error(message: str, layer_nodes: Mapping[str, str]) -> BuildError:
    """An error that the builder logged, with the ONNX nodes that it names.

    Args:
        layer_nodes: ONNX node by network layer name; TensorRT names its own layers after nodes.
    """
    line = " ".join(message.split())
    numbered = _NUMBERED.search(line)
    known = {**{node: node for node in layer_nodes.values()}, **layer_nodes}
    named = [known[layer] for layer in named_layers([line], known)]
    named += [known[end] for ends in _ENDS.findall(line) for end in ends if end in known]
    blamed = blamed_node([line], layer_nodes)
    return BuildError(
        "build",
        line,
        f"{numbered[1]}: {numbered[2]}" if numbered else "",
        node=blamed,
        nodes=tuple(n for n in dict.fromkeys(named) if n != blamed),
    )


def _told(found: Any | None) -> str:
    """What an error's method says; empty where this version does not have it."""
    return str(found()) if found is not None else ""


def _around(error: Any) -> tuple[str, ...]:
    """Names of the nodes that hold the node, the outermost first, from lines like "name (If)", "name (then_branch)"."""
    stack = compat.optional(error, "ParserError.local_function_stack")
    entries = [str(e).rpartition(" (") for e in stack()] if stack is not None else []
    return tuple(name for name, _, kind in entries if kind.rstrip(")") not in _BODIES)


def _parsed(log_errors: Collection[str], node_names: Sequence[str]) -> tuple[str, ...]:
    """The top-level node that was parsed when it went wrong."""
    numbers = [int(n) for message in log_errors for n in _PARSING.findall(message)]
    return tuple(node_names[n] for n in numbers[-1:] if n < len(node_names))
