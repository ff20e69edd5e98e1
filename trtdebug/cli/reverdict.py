"""`trtdebug reverdict`: other tolerances on a stored session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.cli import tolerances
from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import user_errors
from trtdebug.cli.options import Json
from trtdebug.cli.plugins import load
from trtdebug.cli.sessions import SessionFolder, chosen_session

if TYPE_CHECKING:
    from trtdebug.oracle.quantiles import Quantile
    from trtdebug.session.session import Session
    from trtdebug.stages.verdicts.reverdict import Rejudged, Reverdict

_Values = Optional[list[str]]  # noqa: UP045 - typer evaluates this on Python 3.10


@user_errors
def reverdict(
    folder: SessionFolder = None,
    atol: Annotated[
        _Values,
        typer.Option(
            metavar=tolerances.METAVAR, help="|c-r| <= atol + rtol*|r|.", callback=tolerances.checked
        ),
    ] = None,
    rtol: Annotated[
        _Values,
        typer.Option(metavar=tolerances.METAVAR, help="See --atol.", callback=tolerances.checked),
    ] = None,
    rms: Annotated[
        _Values,
        typer.Option(
            metavar=tolerances.METAVAR,
            help="||c-r|| / ||r||. Default: the precision's.",
            callback=tolerances.checked,
        ),
    ] = None,
    quantiles: Annotated[
        bool, typer.Option("--quantiles", help="Print quantiles of the errors, too (slow on large outputs).")
    ] = False,
    json: Json = False,
) -> None:
    """Other tolerances on a stored session; nothing runs.

    Exit code as that of run, by the new verdict.
    """
    from trtdebug.api.tolerances import tolerance
    from trtdebug.report.build import exit_code
    from trtdebug.session.session import Session
    from trtdebug.stages.verdicts.reverdict import reverdict as judge_again

    session = Session(chosen_session(folder))
    result = judge_again(session, tolerance(atol, rtol, rms), load())
    measured = _quantiles(session, result) if quantiles else {}
    if json:
        say_json(_data(result, measured))
    else:
        _print(result, measured)
    raise typer.Exit(exit_code(result.verdict))


Quantiles = dict[tuple[str, str], "dict[str, tuple[Quantile, ...]]"]
"""By trial and tensor, by sample."""


def _quantiles(session: Session, result: Reverdict) -> Quantiles:
    from trtdebug.stages.verdicts.reverdict import error_quantiles

    return {
        (t.name, e.tensor): error_quantiles(session, t.job, t.name, e.tensor)
        for t in result.trials
        for e in t.after.tensors
    }


def _print(result: Reverdict, measured: Quantiles) -> None:
    from trtdebug.core.told import error_text

    say(f"{result.verdict} (before: {result.before})" + (f": {result.reason}" if result.reason else ""))
    say(f"rule: {result.rule}")
    for trial in result.trials:
        say(_trial(trial))
        for error in trial.after.tensors:
            reason = f" ({error.reason})" if error.reason else ""
            say(
                f"  {error.status:10} {error.tensor}: relative RMS {error_text(error, error.rms_rel)}, "
                f"max abs {error_text(error, error.max_abs)}, {error.nonfinite} NaN or Inf{reason}"
            )
            for sample, found in measured.get((trial.name, error.tensor), {}).items():
                shown = ", ".join(f"{q.at:.1%} within {q.abs:.3g} ({q.rel:.3g} of |r|)" for q in found)
                say(f"             {sample}: {shown}")


def _trial(trial: Rejudged) -> str:
    before, after = trial.before.status, trial.after.status
    change = after if before == after else f"{after} (before: {before})"
    reason = f": {trial.after.reason}" if not trial.after.tensors else ""
    return f"{trial.job.purpose}, {trial.name[:12]}: {change}{reason}"


def _data(result: Reverdict, measured: Quantiles) -> dict[str, Any]:
    from trtdebug.core.jsonable import to_data
    from trtdebug.core.told import told_data

    return {
        "verdict": result.verdict,
        "before": result.before,
        "rule": result.rule,
        "reason": result.reason,
        "signature": to_data(result.signature) if result.signature else None,
        "trials": [
            {
                "trial": t.name,
                "purpose": t.job.purpose,
                "before": t.before.status,
                "after": t.after.status,
                "reason": t.after.reason,
                "tensors": [told_data(e) for e in t.after.tensors],
                "quantiles": {
                    e.tensor: to_data(measured[t.name, e.tensor]) for e in t.after.tensors if measured
                },
            }
            for t in result.trials
        ],
    }
