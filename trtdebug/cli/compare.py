"""`trtdebug compare`: layer by layer."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.api.refusals import refuse_no_engine
from trtdebug.cli.console import say, say_json, say_table
from trtdebug.cli.errors import UNTESTABLE, show, user_errors, writing
from trtdebug.cli.inspect_engine import unloadable
from trtdebug.cli.opening import need_reference, opened
from trtdebug.cli.options import CaseOptions, with_options
from trtdebug.cli.profiling import RUNS, Profile, ProfileRuns
from trtdebug.core.errors import UserError
from trtdebug.core.words import listed
from trtdebug.scripts.words import printable

if TYPE_CHECKING:
    from trtdebug.report.layer_table import SortBy
    from trtdebug.stages.observing.table import Row, Table


_STDOUT = Path("-")
_NAMED = 5


@user_errors
@with_options
def compare(
    options: CaseOptions,
    failing: Annotated[
        bool, typer.Option("--failing", help="Only tensors that break the tolerance.")
    ] = False,
    engine: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(
            metavar="FILE",
            help="A serialized TensorRT engine as the candidate; only its outputs are compared.",
        ),
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="BY", help="order, propagated, local, max-abs, nonfinite, op or tensor.")
    ] = "order",
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write the table there as CSV, too; - prints it alone."),
    ] = None,
    profile: Profile = False,
    profile_runs: ProfileRuns = RUNS,
) -> None:
    """The error of every tensor, layer by layer.

    In the whole candidate (propagated), and of its node by itself (local).
    """
    from trtdebug.report.engine_text import render_engine
    from trtdebug.report.layer_table import sorted_rows
    from trtdebug.stages.observing.table import layer_table

    by = _sort(sort)
    if engine is not None:
        if options.candidate_model is not None:
            raise UserError("--engine and --candidate-model exclude each other.", "Give one candidate.")
        refuse_no_engine(engine)
        options = replace(options, candidate_model=engine)
    with opened(options, engines=True) as case:
        need_reference(case)
        table = layer_table(case.ctx, profile_runs if profile else 0)
        table = replace(table, rows=sorted_rows(table.rows, by))
        _write_csv(table, csv)
        if case.ctx.candidate_is_engine and table.plain.status == "untestable":
            show(unloadable(Path(case.ctx.case.candidate_model or ""), table.plain.reason))
        elif csv == _STDOUT:
            pass
        elif options.json:
            say_json(_data(table, case.ctx.limits.describe()))
        else:
            _print(table, failing, case.ctx.limits.describe(), case.ctx.candidate_is_engine)
            for finding in (*case.findings, *table.findings):
                say(f"{finding.severity}: {finding.message}")
            if profile and table.plain.engine is not None:
                say()
                say(render_engine(table.plain.engine))
    raise typer.Exit({"pass": 0, "fail": 1, "untestable": UNTESTABLE}[table.plain.status])


def _sort(by: str) -> SortBy:
    """Raises `UserError` for what the table cannot be sorted by."""
    from trtdebug.report.layer_table import SORTS

    found = next((known for known in SORTS if known == by), None)
    if found is None:
        raise UserError(f"--sort takes no {by!r}.", f"There are: {', '.join(SORTS)}.")
    return found


def _write_csv(table: Table, path: Path | None) -> None:
    from trtdebug.report.layer_table import layer_csv
    from trtdebug.session.files import write_text

    if path == _STDOUT:
        sys.stdout.write(layer_csv(table.rows))
    elif path is not None:
        with writing(path, "--csv"):
            write_text(path, layer_csv(table.rows))


_HEAD = ("propagated", "local", "max abs", "NaN/Inf", "op", "tensor", "what is wrong")


def _print(table: Table, failing: bool, rule: str, engine: bool) -> None:
    if table.outcome.status == "untestable":
        say(f"not every tensor can be observed: {table.outcome.reason}")
    rows = [cells for row in table.rows if (cells := _cells(row))[-1] or not failing]
    rows += [("-", "-", "-", "-", "", tensor, "nothing to compare it with") for tensor in table.unmatched]
    say_table(_HEAD, rows, _lines(rows))
    if table.unmarked:
        count, named = len(table.unmarked), listed(table.unmarked, _NAMED)
        say(f"{count} tensor(s) cannot be outputs of the candidate and are not compared: {printable(named)}")
    say(f"rule: {rule}; errors are relative RMS")
    built = "the outputs of the engine" if engine else "the outputs as you build"
    say(f"{built}: {table.plain.status}{_because(table.plain.reason)}")
    if table.is_changed:
        say(
            "the table is of another build, with every tensor as an output, and in that one the outputs are "
            f"{'right' if table.plain.status == 'fail' else 'wrong'}: marks change what is fused, or builds differ; "
            "`trtdebug run` looks with fewer marks"
        )


def _cells(row: Row) -> tuple[str, ...]:
    """The row in words; the last cell is empty where nothing is wrong."""
    from trtdebug.core.told import error_text
    from trtdebug.report.layer_table import nonfinite

    error, local = row.propagated, row.local
    wrong = next((e for e in (local, error) if e is not None and e.status == "fail"), None)
    own = error_text(local, local.rms_rel) if local else "-"
    reason = wrong.reason if wrong else ""
    return (
        error_text(error, error.rms_rel),
        own,
        error_text(error, error.max_abs),
        str(nonfinite(row)),
        row.op,
        row.tensor,
        reason,
    )


def _lines(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"{'propagated':>11} {'local':>11} {'max abs':>11} {'NaN/Inf':>8}  op, tensor"
    for propagated, local, largest, nonfinite, op, tensor, reason in rows:
        what = f"{op} {tensor}" + (f"  <-- {reason}" if reason else "")
        yield printable(f"{propagated:>11} {local:>11} {largest:>11} {nonfinite:>8}  {what.lstrip()}")


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _data(table: Table, rule: str) -> dict[str, Any]:
    from trtdebug.core.jsonable import to_data
    from trtdebug.core.told import told_data

    return {
        "status": table.plain.status,
        "engine": to_data(table.plain.engine),
        "reason": table.plain.reason,
        "rule": rule,
        "marked": table.outcome.status,
        "rows": [told_data(row) for row in table.rows],
        "unmatched": list(table.unmatched),
        "unmarked": list(table.unmarked),
    }
