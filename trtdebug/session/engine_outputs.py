"""What an engine gives, held against what was agreed: a backend may be an extension's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from trtdebug.backends.base import Engine, Feeds, Streams, StreamsSome, Tensor


def outputs_of(
    engine: Engine, feeds: Feeds, backend: str, wanted: Collection[str] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """The outputs by name, one after the other; none is held here.

    Args:
        wanted: those that are looked at, where the engine can leave out others; None = all.

    Raises:
        TypeError: it gives anything but arrays of numbers, strings or truth values.
    """
    if wanted is not None and isinstance(engine, StreamsSome):
        yield from (_checked(name, value, backend) for name, value in engine.stream_some(wanted, feeds))
        return
    if isinstance(engine, Streams):
        yield from (_checked(name, value, backend) for name, value in engine.stream(feeds))
        return
    values: Any = engine.run(feeds)
    if not isinstance(values, Mapping):
        raise TypeError(
            f"an engine of {backend} has to give arrays by output name; it gives {type(values).__name__}"
        )
    values = dict(values)
    for name in list(values):
        yield _checked(name, values.pop(name), backend)


def _checked(name: object, value: Any, backend: str) -> tuple[str, Tensor]:
    is_array = isinstance(value, np.ndarray | np.generic)
    if not is_array or _is_strange(value):
        kind = f"an array of {value.dtype}" if is_array else type(value).__name__
        raise TypeError(f"an engine of {backend} has to give numpy arrays; its output {name!r} is {kind}")
    return str(name), value


def _is_strange(value: Any) -> bool:
    """Whether it holds Python objects other than texts, which onnxruntime gives as objects."""
    return value.dtype.hasobject and not all(isinstance(v, str) for v in np.asarray(value).ravel())
