"""Implementations of custom operators for backends on onnxruntime: Python functions, ONNX functions, libraries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtdebug.backends.no_kernel import with_remedy
from trtdebug.core.case import OperatorSource
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.graph.custom import OperatorKind, custom_kinds, kind_name, nested, top_level
from trtdebug.graph.limits import too_new
from trtdebug.plugins.operators import operator_source, operators_of

if TYPE_CHECKING:
    import onnx

    from trtdebug.plugins.types import Operator

WAYS = (
    "Give one with --operators FILE: a Python function (.py), an ONNX function (.onnx) or a custom-op library of "
    "onnxruntime (.so); or install an extension that has it. See docs/custom-operators.md."
)
"""How a user can give what a reference lacks."""


@dataclass(frozen=True)
class Implementations:
    """What a model's custom operators are computed by.

    Attributes:
        python: by operator, what Python computes, at the top level of the graph only.
        bodies: ONNX functions, which take the place of the model's own of the same name.
        libraries: custom-op libraries of onnxruntime.
    """

    python: Mapping[OperatorKind, Operator]
    bodies: Mapping[OperatorKind, onnx.FunctionProto]
    libraries: tuple[str, ...] = ()

    def put_in(self, model: onnx.ModelProto) -> None:
        """Gives the model the ONNX functions, in place, and the operator sets that these need.

        Functions that Python takes the place of are left out.
        """
        given = {**self.bodies, **dict.fromkeys(self.python)}
        kept = [f for f in model.functions if (f.domain, f.name) not in given]
        del model.functions[:]
        model.functions.extend([*kept, *self.bodies.values()])
        domains = {opset.domain for opset in model.opset_import}
        needed = {i.domain: i.version for body in self.bodies.values() for i in body.opset_import}
        for domain, version in {**needed, **dict.fromkeys((kind[0] for kind in given), 1)}.items():
            if domain not in domains:
                model.opset_import.add(domain=domain, version=version)

    def nodes(self, model: onnx.ModelProto) -> dict[str, Operator]:
        """What Python computes of this model, by node name.

        Raises:
            BuildFailure: one of these operators stands in a body or in a function.
        """
        for kind, where in nested(model, self.python).items():
            raise BuildFailure(
                f"{kind_name(kind)} stands in {where}, where no Python function can compute it.",
                "Give it as an ONNX function or as an onnxruntime library: see docs/custom-operators.md.",
            )
        return {name: self.python[kind] for name, kind in top_level(model, self.python).items()}


def implementations(
    sources: Collection[OperatorSource], extensions: Mapping[str, Operator]
) -> Implementations:
    """What these sources implement. Of two that implement one operator the first counts.

    Args:
        extensions: by name ("domain::type"), what installed extensions have.

    Raises:
        BuildFailure: a file is not what it was, or an extension is gone.
    """
    python: dict[OperatorKind, Operator] = {}
    bodies: dict[OperatorKind, onnx.FunctionProto] = {}
    for source in sources:
        for operator in _operators(source, extensions):
            kind = (operator.domain, operator.op)
            if kind in python or kind in bodies:
                continue
            if operator.compute is not None:
                python[kind] = operator
            elif operator.body is not None:
                bodies[kind] = operator.body
    libraries = tuple(source.name for source in sources if source.kind == "library")
    return Implementations(python, bodies, libraries)


def lacking(model: onnx.ModelProto) -> dict[OperatorKind, str]:
    """Custom operators of the model that onnxruntime has not built in -> a node that is or holds one."""
    from onnxruntime.capi import _pybind_state

    known = {(schema.domain, schema.name) for schema in _pybind_state.get_all_operator_schema()}
    return {kind: node for kind, node in custom_kinds(model).items() if kind not in known}


def explained(
    failure: BuildFailure, model: onnx.ModelProto, found: Implementations, backend: str
) -> BuildFailure:
    """The failure to load a model; where that is its version or a lacking implementation, what to do is told."""
    newer = next(too_new(model), None)
    if newer is not None:
        return BuildFailure(newer.message, newer.remedy)
    unknown = {kind: node for kind, node in lacking(model).items() if kind not in found.python}
    return with_remedy(failure, model) if not unknown or found.libraries else _lacks(unknown, backend)


def _lacks(found: Mapping[OperatorKind, str], backend: str) -> BuildFailure:
    named = ", ".join(f"{kind_name(kind)} (node {node!r})" for kind, node in found.items())
    return BuildFailure(
        f"{backend} cannot load the model: it has no implementation of {named}.",
        WAYS,
        node=next(iter(found.values())),
    )


def _operators(source: OperatorSource, extensions: Mapping[str, Operator]) -> tuple[Operator, ...]:
    if source.kind == "library":
        if not Path(source.name).is_file() or operator_source(Path(source.name)) != source:
            raise BuildFailure(
                f"the library of operators {source.name} is not what it was when the case was opened.",
                "Start a new session with it.",
            )
        return ()
    if source.kind == "extension":
        if source.name not in extensions:
            raise BuildFailure(
                f"no extension has {source.name} any more; it came from {source.content}.",
                "Install it again.",
            )
        return (extensions[source.name],)
    try:
        return operators_of(source)
    except UserError as error:
        raise BuildFailure(error.message, error.hint) from error
