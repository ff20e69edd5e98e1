"""Lends third parties what they are to look at: what they change of it does no harm, and is told."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.graph.mapped import is_mapped
from trtdebug.plugins.contained import on_our_time, ours
from trtdebug.plugins.types import CheckContext, FixContext, Sample, Tensor


class Changed(Exception):
    """An extension changed what it was lent."""


class Loan:
    """A model and its index, as third parties see them.

    Args:
        model: the model of this session itself: a copy may not fit the memory. Weights that it leaves in their files
            are loaded for third parties.
        path: where it was loaded from.
    """

    def __init__(self, model: onnx.ModelProto, path: Path) -> None:
        self._model, self._path = model, path

    @cached_property
    def _lent(self) -> onnx.ModelProto:
        mapped = any(is_mapped(tensor) for tensor in self._model.graph.initializer)
        return load_model(self._path) if mapped else self._model

    @cached_property
    def _mark(self) -> int:
        return fingerprint(self._lent)

    @cached_property
    def _copy(self) -> onnx.ModelProto | None:
        """For a model that is in no file."""
        return None if self._path.is_file() else copy.deepcopy(self._lent)

    @cached_property
    def _index(self) -> GraphIndex:
        return GraphIndex(self._lent)

    def to_check(self, context: CheckContext) -> CheckContext:
        """The same; arrays can't be written to, and the rest is not what we work with ourselves."""
        reference = context.reference

        def values(names: Iterable[str]) -> Mapping[str, Tensor]:
            assert reference is not None
            return read_only(reference(names))

        return replace(
            context,
            model=self._lent,
            index=self._index,
            sample=None if context.sample is None else read_only(context.sample),
            reference=None if reference is None else ours(values),
            case=copy.deepcopy(context.case),
        )

    def to_fix(self, context: FixContext) -> FixContext:
        """The same, as in `to_check`."""

        def samples() -> Iterator[Sample]:
            given = iter(context.samples())
            while True:
                with on_our_time():
                    sample = next(given, None)
                if sample is None:
                    return
                yield read_only(sample)

        return replace(
            context,
            index=self._index,
            case=copy.deepcopy(context.case),
            keep_model=None if context.keep_model is None else ours(context.keep_model),
            samples=samples,
        )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within, a third party works with the model. What it did to it is undone.

        Raises:
            Changed: it did something to it.
        """
        with on_our_time():
            before, spare = self._mark, self._copy
        try:
            yield
        finally:
            with on_our_time():
                changed = fingerprint(self._lent) != before
                if changed:
                    self._lent.CopyFrom(load_model(self._path) if spare is None else spare)
            if changed:
                raise Changed("it changed the model that it was given; that was undone")


@contextmanager
def lent(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A copy of a report. Raises `Changed` where the borrower changes it."""
    mine = copy.deepcopy(dict(report))
    yield mine
    if mine != report:
        raise Changed("it changed the report that it was given; that was undone")


def read_only(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The same arrays, which can't be written to any more, by names that can't be changed."""
    seen = {}
    for name, value in tensors.items():
        value.flags.writeable = False
        seen[name] = value.view()
    return MappingProxyType(seen)


def fingerprint(model: onnx.ModelProto) -> int:
    """CRC-32 of a model's content, made of its parts: all of it at once would not fit 2 GiB."""
    found = 0
    for part in _parts(model):
        found = zlib.crc32(part, found)
    return found


def _parts(model: onnx.ModelProto) -> Iterator[bytes]:
    graph = model.graph
    for tensor in graph.initializer:
        yield f"{tensor.name}\0{tensor.data_type}\0{list(tensor.dims)}".encode(errors="surrogatepass")
        yield tensor.raw_data or tensor.SerializeToString()
    for message in (*graph.node, *graph.sparse_initializer, *graph.input, *graph.output, *graph.value_info):
        yield message.SerializeToString()
    for message in (*graph.quantization_annotation, *graph.metadata_props):
        yield message.SerializeToString()
    for message in (*model.functions, *model.opset_import, *model.metadata_props):
        yield message.SerializeToString()
    yield f"{graph.name}\0{model.ir_version}\0{model.doc_string}\0{model.producer_name}".encode()
