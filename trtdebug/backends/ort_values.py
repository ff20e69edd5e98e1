"""What onnxruntime computes, as numpy arrays, and how large that is."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from trtdebug.backends.base import Feeds, Tensor
from trtdebug.backends.ort_sessions import Sessions, refusal
from trtdebug.core.errors import BuildFailure

_NUMBERS = "biufc"
_TYPES: dict[str, np.dtype[Any]] = {
    **{f"{sign}int{bits}": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "bool": np.dtype(np.bool_),
    "float16": np.dtype(np.float16),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
}
"""numpy's types of onnxruntime's, those whose elements have whole bytes of their own: no strings, no int4."""


def computed(session: Any, outputs: Sequence[str], feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
    """The outputs of one run, in this order. Each array is onnxruntime's own memory, and stays valid until the
    next one is asked for.

    Args:
        feeds: what the session does not take is left out.

    Raises:
        BuildFailure: the session refuses the feeds, or an output is no tensor.
    """
    if are_simple(session, outputs, feeds):
        values = run(session, outputs, feeds)
        for name in outputs:
            yield name, array(values.pop(0))
        return
    try:
        found = session.run(outputs, _taken(session, feeds))
    except Exception as error:
        raise refusal("run", error) from error
    for name, value in zip(outputs, found, strict=True):
        if not isinstance(value, np.ndarray):
            raise BuildFailure(f"output {name!r} is no tensor but a {type(value).__name__}.")
        yield name, value


def chained(
    sessions: Sessions, batches: Sequence[Sequence[str]], feeds: Feeds
) -> Iterator[tuple[str, Tensor]]:
    """As `computed`, each batch of outputs in a session of its own, which takes what it can from those before it:
    nothing is computed twice, if all tensors are asked for. `are_simple` has to hold, and `can_be_fed`.
    """
    from onnx.helper import np_dtype_to_tensor_dtype

    before: dict[str, None] = {}
    reads = []
    for batch in batches:
        reads.append(sessions.reads(batch, before))
        before |= dict.fromkeys(batch)
    kept: dict[str, Tensor] = {}
    for at, batch in enumerate(batches):
        given = {name: kept[name] for name in reads[at]}
        session = sessions.part(batch, given={n: np_dtype_to_tensor_dtype(v.dtype) for n, v in given.items()})
        values = run(session, batch, {**feeds, **given})
        later = set().union(*reads[at + 1 :])
        kept = {name: value for name, value in kept.items() if name in later}
        for name in batch:
            value = array(values.pop(0))  # not the OrtValue: each of them keeps those of the whole run alive
            if name in later:
                kept[name] = value
            yield name, value


def run(session: Any, outputs: Sequence[str], feeds: Feeds) -> list[Any]:
    """Outputs as OrtValues: `session.run` copies all of them at once, and has no array for bfloat16 and float8."""
    import onnxruntime

    of_numpy = onnxruntime.OrtValue.ortvalue_from_numpy
    given = {name: of_numpy(value) for name, value in _taken(session, feeds).items()}
    try:
        return list(session.run_with_ort_values(outputs, given))
    except Exception as error:
        raise refusal("run", error) from error


def are_simple(session: Any, outputs: Sequence[str], feeds: Feeds) -> bool:
    """Whether these outputs and all feeds are tensors of numbers or bools, which an OrtValue can be made of."""
    types = {o.name: o.type for o in session.get_outputs()}
    taken = _taken(session, feeds).values()
    return all(_is_simple(types[o]) for o in outputs) and all(v.dtype.kind in _NUMBERS for v in taken)


def can_be_fed(session: Any, outputs: Sequence[str]) -> bool:
    """Whether numpy has a type of its own for each of these outputs: others come out, but do not go in again."""
    types = {o.name: o.type for o in session.get_outputs()}
    return all(_is_simple(types[o]) and _numpy_type(types[o]).isbuiltin == 1 for o in outputs)


def _taken(session: Any, feeds: Feeds) -> dict[str, Tensor]:
    known = {i.name for i in session.get_inputs()}
    return {name: np.asarray(value) for name, value in feeds.items() if name in known}


def sizes(sessions: Sessions, session: Any, outputs: Sequence[str], feeds: Feeds) -> list[int | None]:
    """Bytes of these outputs of `session`; None for what is no tensor of numbers.

    Where a shape depends on the feeds, it is computed by a run of the model that gives shapes only.
    """
    import onnx

    found = {o.name: o for o in session.get_outputs()}
    shapes = {o: found[o].shape for o in outputs if _is_simple(found[o].type)}
    unknown = [o for o, shape in shapes.items() if not all(isinstance(d, int) for d in shape)]
    if unknown:
        asked = {f"trtdebug shape of {o}": o for o in unknown}
        nodes = [onnx.helper.make_node("Shape", [o], [name], name) for name, o in asked.items()]
        with_shapes = sessions.part(list(asked), nodes)
        shapes |= {asked[name]: shape.tolist() for name, shape in computed(with_shapes, list(asked), feeds)}
    return [
        math.prod(shapes[o]) * _numpy_type(found[o].type).itemsize if o in shapes else None for o in outputs
    ]


def _numpy_type(ort_type: str) -> np.dtype[Any]:
    return _TYPES[_inner(ort_type)]


def _inner(ort_type: str) -> str:
    """'float' of 'tensor(float)'."""
    return ort_type.removeprefix("tensor(").removesuffix(")")


def _is_simple(ort_type: str) -> bool:
    """Whether it is a tensor of a type in `_TYPES`."""
    return ort_type.startswith("tensor(") and _inner(ort_type) in _TYPES


def array(value: Any) -> Tensor:
    """An OrtValue's elements; a copy of them only where numpy has no type of its own for them."""
    dtype = _numpy_type(value.data_type())
    if dtype.isbuiltin == 1:
        plain: Tensor = value.numpy()
        return plain
    shape = value.shape()
    memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(value.data_ptr())
    narrow: Tensor = np.frombuffer(memory, dtype).reshape(shape).copy()
    return narrow
