"""`trtdebug compare`: layer by layer."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import UNTESTABLE, show, user_errors
from trtdebug.cli.inspect_engine import unloadable
from trtdebug.cli.opening import need_reference, opened
from trtdebug.cli.options import CaseOptions, with_case_options
from trtdebug.cli.profiling import RUNS, Profile, ProfileRuns
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.core.outcome import TensorError
    from trtdebug.report.layer_table import SortBy
    from trtdebug.stages.table import Table


_STDOUT = Path("-")


@user_errors
@with_case_options
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
    from trtdebug.stages.table import layer_table

    by = _sort(sort)
    if engine is not None:
        if options.candidate_model is not None:
            raise UserError("--engine and --candidate-model exclude each other.", "Give one candidate.")
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
            for finding in case.findings:
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
        try:
            write_text(path, layer_csv(table.rows))
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror or error}.", "Name another file with --csv."
            ) from error


def _print(table: Table, failing: bool, rule: str, engine: bool) -> None:
    if table.outcome.status == "untestable":
        say(f"not every tensor can be observed: {table.outcome.reason}")
    say(f"{'propagated':>11} {'local':>11} {'max abs':>11} {'NaN/Inf':>8}  op, tensor")
    for row in table.rows:
        bad = "fail" in (row.propagated.status, row.local.status if row.local else "pass")
        if failing and not bad:
            continue
        local = f"{row.local.rms_rel:11.3g}" if row.local else f"{'-':>11}"
        nonfinite = max(row.propagated.nonfinite, row.local.nonfinite if row.local else 0)
        mark = "  <-- " + (row.local.reason if _fails(row.local) else row.propagated.reason) if bad else ""  # type: ignore[union-attr]
        say(
            f"{row.propagated.rms_rel:11.3g} {local} {row.propagated.max_abs:11.3g} {nonfinite:8d}  "
            f"{row.op} {row.tensor}{mark}"
        )
    for tensor in table.unmatched:
        say(f"{'-':>11} {'-':>11} {'-':>11} {'-':>8}  only the reference has {tensor}")
    say(f"rule: {rule}; errors are relative RMS")
    built = "the outputs of the engine" if engine else "the outputs as you build"
    say(f"{built}: {table.plain.status}{_because(table.plain.reason)}")


def _fails(error: TensorError | None) -> bool:
    return error is not None and error.status == "fail"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _data(table: Table, rule: str) -> dict[str, Any]:
    from trtdebug.core.jsonable import to_data

    return {
        "status": table.plain.status,
        "engine": to_data(table.plain.engine),
        "reason": table.plain.reason,
        "rule": rule,
        "marked": table.outcome.status,
        "rows": [to_data(row) for row in table.rows],
        "unmatched": list(table.unmatched),
    }
