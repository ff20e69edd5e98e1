"""`trtdebug.compare`: the error of every tensor, as a function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import Unpack

from trtdebug.api.arguments import CaseArguments, FilePath
from trtdebug.api.opened_case import TellProgress, opened_case
from trtdebug.core.outcome import Status
from trtdebug.stages.observing.table import Row, layer_table

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class LayerTable:
    """Every tensor that both sides have, in topological order.

    In a notebook it shows as a plot of the errors by depth and a table. It is iterable: a `Row` a tensor, with
    `tensor`, `node`, `op`, `propagated` (its error in the whole candidate) and `local` (of its node fed by the
    reference; None where that was not observed).

    Attributes:
        status: of the outputs as you build: `"pass"`, `"fail"` or `"untestable"`.
        reason: why, where it is no pass.
        rule: the tolerance rule.
        rows: all tensors.
        unmatched: the reference's tensors that the candidate's model lacks, or has under another name.
        unmarked: tensors that cannot be outputs of the candidate's engine: shapes, constants, what lies within a loop.
        session: the session's folder.
    """

    status: Status
    reason: str
    rule: str
    rows: tuple[Row, ...]
    unmatched: tuple[str, ...]
    unmarked: tuple[str, ...]
    session: Path

    @property
    def failing(self) -> tuple[Row, ...]:
        """Rows of which an error breaks the tolerance."""
        return tuple(row for row in self.rows if fails(row))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_html_(self) -> str:
        from trtdebug.api.notebook import layers_page

        return layers_page(self)


def compare(
    model: FilePath | onnx.ModelProto,
    *,
    session: FilePath | None = None,
    progress: TellProgress | None = None,
    **case: Unpack[CaseArguments],
) -> LayerTable:
    """The error of every tensor, in the whole candidate and of its node by itself. Prints nothing.

    Args:
        model: path of an ONNX file, or a model in memory.
        session: session folder; a finished trial in it is never done again. Default: a new one, `.trtdebug/<id>`.
        progress: called with what is about to be done.
        **case: how the candidate is built, fed and judged; see `CaseArguments`. A `candidate_model` may be a
            serialized TensorRT engine here, of which only the outputs can be had.

    Raises:
        UserError: something that was given does not exist, can't be read or does not fit, or the reference cannot
            run the model.
    """
    with opened_case(model, session, progress, case, engines=True) as opened:
        table = layer_table(opened.ctx)
        rule, folder = opened.ctx.limits.describe(), opened.folder
    plain = table.plain
    return LayerTable(plain.status, plain.reason, rule, table.rows, table.unmatched, table.unmarked, folder)


def fails(row: Row) -> bool:
    """Whether one of the errors of a row breaks the tolerance."""
    return "fail" in (row.propagated.status, row.local.status if row.local else "pass")
