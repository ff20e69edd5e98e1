"""Calls what computes a custom operator, and holds what it gives against what it should give.

Whatever goes wrong in there is the operator's fault, and is said so in one line.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trtdebug.backends.base import Tensor, read_only
from trtdebug.core.errors import BuildFailure
from trtdebug.core.time_limit import TookTooLong, time_limit

if TYPE_CHECKING:
    import onnx

    from trtdebug.graph.types import TensorType
    from trtdebug.plugins.types import Operator

_FOR_THE_PARSER = ("plugin_version", "plugin_namespace")
_NUMBERS = "biuf"


@dataclass(frozen=True)
class Call:
    """A node and what computes it.

    Attributes:
        types: what the model declares of the node's outputs, by tensor.
    """

    operator: Operator
    node: onnx.NodeProto
    types: Mapping[str, TensorType]

    def __call__(self, inputs: Sequence[Tensor | None]) -> dict[str, Tensor]:
        """The node's outputs by tensor. `inputs`: None for one that is left out.

        Raises:
            BuildFailure: the function raises, takes too long, or gives something else than it should.
        """
        assert self.operator.compute is not None
        seen = [None if value is None else read_only(value) for value in inputs]
        try:
            with time_limit(self.operator.seconds), np.errstate(all="ignore"):
                given = self.operator.compute(*seen, **attributes(self.node))
        except TookTooLong:
            raise self._fault(f"takes more than {self.operator.seconds:g} s") from None
        except (Exception, SystemExit) as error:
            traceback.print_exc()  # into the trial's log
            raise self._fault(f"raises {' '.join(f'{type(error).__name__}: {error}'.split())}") from error
        return self._checked(given, seen)

    def _checked(self, given: Any, inputs: Sequence[Tensor | None]) -> dict[str, Tensor]:
        values = list(given) if isinstance(given, tuple | list) else [given]
        names = list(self.node.output)
        wanted = len(names) - next((i for i, name in enumerate(reversed(names)) if name), len(names))
        if len(values) < wanted:
            raise self._fault(f"gives {_count(len(values))}; the node has {_count(wanted)}")
        inferred = self._inferred(inputs)
        outputs = {}
        for position, (name, value) in enumerate(zip(names, values, strict=False)):
            if name:
                declared = self.types.get(name)
                outputs[name] = self._array(name, value)
                if inferred is not None:
                    kind = inferred[position]
                    self._hold(outputs[name], name, kind.dtype, kind.shape, "its `infer` says")
                if declared is not None:
                    self._hold(outputs[name], name, declared.dtype, declared.shape, "the model declares")
                if inferred is None and declared is None:
                    self._refuse_widened(outputs[name], name, inputs)
        return outputs

    def _array(self, name: str, value: Any) -> Tensor:
        if not isinstance(value, np.ndarray | np.generic):
            raise self._fault(f"gives {type(value).__name__} for {name!r}, not a numpy array")
        array = np.array(value, order="C")  # a copy: it may be an input, or be kept by the function
        if array.dtype.kind not in _NUMBERS and array.dtype.kind != "V":
            raise self._fault(f"gives an array of {array.dtype} for {name!r}, not of numbers")
        return array

    def _inferred(self, inputs: Sequence[Tensor | None]) -> Sequence[Any] | None:
        from trtdebug.plugins.types import ValueType

        if self.operator.infer is None:
            return None
        given = [None if value is None else ValueType(value.dtype.name, value.shape) for value in inputs]
        try:
            found = list(self.operator.infer(*given, **attributes(self.node)))
        except Exception as error:
            traceback.print_exc()
            raise self._fault(f"raises {type(error).__name__} in its `infer`: {error}") from error
        if len(found) < len(self.node.output) or not all(isinstance(kind, ValueType) for kind in found):
            raise self._fault(f"has an `infer` that does not give {len(self.node.output)} of ValueType")
        return found

    def _hold(self, array: Tensor, name: str, dtype: str, shape: Sequence[Any] | None, who: str) -> None:
        """Raises `BuildFailure` where an array is of another type than somebody says; unknown dimensions fit any."""
        if array.dtype.name != dtype:
            raise self._fault(f"gives {array.dtype.name} for {name!r}, where {who} {dtype}")
        fits = shape is None or (
            len(shape) == array.ndim
            and all(not isinstance(d, int) or d == size for d, size in zip(shape, array.shape, strict=True))
        )
        if not fits:
            wanted = ["?" if d is None else d for d in shape or ()]
            raise self._fault(f"gives shape {list(array.shape)} for {name!r}, where {who} {wanted}")

    def _refuse_widened(self, array: Tensor, name: str, inputs: Sequence[Tensor | None]) -> None:
        """numpy widens at the first Python float or default argument; then the next node would not take it."""
        read = {value.dtype.name for value in inputs if value is not None}
        if array.dtype == np.float64 and read and "float64" not in read and any("float" in r for r in read):
            raise self._fault(
                f"gives float64 for {name!r} and reads {', '.join(sorted(read))}: return .astype(x.dtype), or declare "
                "the type in the model or by `infer`"
            )

    def _fault(self, what: str) -> BuildFailure:
        return BuildFailure(
            f"the custom operator {self.operator.name} {what} (node {self.node.name!r}).",
            "This is the implementation's own fault: see the trial's log.",
            node=self.node.name,
        )


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes in Python: numbers, strings, lists of them, arrays; without those for TensorRT's parser."""
    import onnx
    from onnx import numpy_helper

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode("utf-8", errors="replace")
        if isinstance(value, onnx.TensorProto):
            return numpy_helper.to_array(value)
        return value

    found = {}
    for attribute in node.attribute:
        if attribute.name not in _FOR_THE_PARSER:
            value = onnx.helper.get_attribute_value(attribute)
            several = not isinstance(value, bytes) and isinstance(value, Sequence)
            found[attribute.name] = [plain(item) for item in value] if several else plain(value)
    return found


def _count(number: int) -> str:
    return f"{number} output{'' if number == 1 else 's'}"
