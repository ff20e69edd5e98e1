"""Sessions for people: what one holds, and what differs between two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trtdebug.core.outcome import TensorError
from trtdebug.core.told import error_text
from trtdebug.report.blamed import blamed
from trtdebug.report.engine_text import render_diff
from trtdebug.report.session_diff import ErrorChange, SessionDiff
from trtdebug.report.session_facts import SessionFacts
from trtdebug.report.strings import shortened
from trtdebug.scripts.words import printable
from trtdebug.session.trials import StoredTrial

_LONGEST, _MOST = 100, 30


def render_session(facts: SessionFacts) -> str:
    """What it is of, what came of it, and its trials."""
    return _text(_session(facts))


def render_trial(trial: StoredTrial) -> str:
    """One trial: what was built, and what came out."""
    return _text(_trial(trial))


def render_session_diff(diff: SessionDiff) -> str:
    """The verdict first, then what it may come from."""
    return _text(_diff(diff))


def size_text(size: int) -> str:
    """Bytes in words: 1.2 MiB."""
    if size < 1024:
        return f"{size} B"
    value, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}"


def _text(lines: Iterator[str]) -> str:
    return "\n".join(printable(line) for line in lines) + "\n"


def _session(facts: SessionFacts) -> Iterator[str]:
    case = facts.case
    verdict = f", {facts.verdict}" if facts.verdict else ""
    yield f"session    {facts.folder} ({size_text(facts.bytes)}): {facts.state}{verdict}"
    yield f"started    {facts.started[:19]}"
    yield f"model      {Path(case.model).name} ({case.nodes} nodes, {len(case.samples)} sample(s)), {case.sha256[:12]}"
    yield f"candidate  {case.candidate} {facts.version}".rstrip() + f", {case.options.precision.upper()}"
    yield f"reference  {case.reference}"
    if case.command:
        yield f"command    {case.command}"
    for kind, skipped in (("node", facts.skips.nodes), ("trial", facts.skips.trials)):
        yield from (f"skipped    {kind} {shortened(name, _LONGEST)}" for name in skipped)
    report = facts.report or {}
    for culprit in report.get("culprits", []):
        names = " + ".join(shortened(n, _LONGEST) for n in blamed(culprit)[:_MOST])
        yield f"cause      {names}" if culprit["proven"] else f"undecided  {names}"
    for fix in report.get("fixes", []):
        yield f"fix        {shortened(fix['summary'], _LONGEST)} ({'verified' if fix['verified'] else 'no'})"
    yield ""
    yield f"{'trial':12} {'verdict':10} {'build s':>8} {'run s':>7}  what"
    for trial in facts.trials:
        outcome = trial.outcome
        other = f" [{trial.job.version}]" if trial.job.version not in ("", facts.version) else ""
        reason = f": {shortened(outcome.reason, _LONGEST)}" if outcome.reason else ""
        yield (
            f"{trial.name[:12]} {outcome.status:10} {outcome.build_seconds:8.2f} {outcome.run_seconds:7.2f}  "
            f"{trial.job.purpose}{other}{reason}"
        )


def _trial(trial: StoredTrial) -> Iterator[str]:
    job, outcome = trial.job, trial.outcome
    yield f"trial      {trial.name}"
    yield f"what       {job.purpose}; {job.backend} {job.version}".rstrip()
    yield f"verdict    {outcome.status}" + (f": {outcome.reason}" if outcome.reason else "")
    yield f"seconds    {outcome.build_seconds:.2f} to build, {outcome.run_seconds:.2f} to run"
    yield from (f"changed    {shortened(str(i), 3 * _LONGEST)}" for i in job.interventions)
    if outcome.engine is not None:
        yield f"engine     {len(outcome.engine.layers)} layers"
        yield from (f"note       {note}" for note in outcome.engine.notes)
    for error in outcome.tensors:
        yield f"  {_error(error)}  {shortened(error.tensor, _LONGEST)}"
    if outcome.log_tail:
        yield "the end of its log:"
        yield from (f"  {line}" for line in outcome.log_tail.splitlines())


def _error(error: TensorError | None) -> str:
    if error is None:
        return f"{'not there':10} {'':>9} {'':>8}"
    return f"{error.status:10} {error_text(error, error.rms_rel):>9} {error.nonfinite:8d}"


def _diff(diff: SessionDiff) -> Iterator[str]:
    if not diff.verdict_changed:
        yield "the verdict is the same"
    for change in diff.changes:
        yield f"{change.what}: {shortened(change.first, _LONGEST)} -> {shortened(change.second, _LONGEST)}"
    for what, sets in (
        ("no culprit any more", diff.gone),
        ("a new culprit", diff.come),
        ("still a culprit", diff.stayed),
    ):
        yield from (f"{what}: {_names(nodes)}" for nodes in sets[:_MOST])
        if len(sets) > _MOST:
            yield f"{what}: {len(sets) - _MOST} more"
    yield (
        f"errors: {diff.same_errors} alike, {len(diff.errors)} not"
        if diff.errors
        else (f"errors: {diff.same_errors} compared, all alike")
    )
    if diff.errors:
        yield f"  {'verdict':10} {'rel. RMS':>9} {'NaN/Inf':>8}  ->  {'verdict':10} {'rel. RMS':>9} {'NaN/Inf':>8}"
    for found in diff.errors[:_MOST]:
        yield _error_change(found)
    if len(diff.errors) > _MOST:
        yield f"  and {len(diff.errors) - _MOST} more (--json has all)"
    if diff.engine is not None:
        yield "engines as you build them:"
        yield from (f"  {line}" for line in render_diff(diff.engine).splitlines())


def _error_change(found: ErrorChange) -> str:
    return f"  {_error(found.first)}  ->  {_error(found.second)}  {shortened(found.tensor, _LONGEST)}, {found.purpose}"


def _names(nodes: Sequence[str]) -> str:
    return " + ".join(shortened(n, _LONGEST) for n in nodes)
