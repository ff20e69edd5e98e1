"""report.json, schema 1, from a diagnosis."""

from __future__ import annotations

import json
from typing import Any

from trtdebug.core.case import Case
from trtdebug.core.diagnosis import Diagnosis, OutputVerdict
from trtdebug.core.intervention import Intervention
from trtdebug.core.jsonable import to_data
from trtdebug.core.told import told_data

SCHEMA = 1


def build_report(case: Case, diagnosis: Diagnosis) -> dict[str, Any]:
    """The report's data, as it is read back from report.json. Its keys are a contract: more may come, these stay."""
    d = diagnosis
    report = {
        "schema": SCHEMA,
        "verdict": d.verdict,
        "reason": d.reason,
        "rule": d.rule,
        "command": case.command,
        "signature": to_data(d.signature) if d.signature else None,
        "model": {"path": case.model, "sha256": case.sha256, "nodes": case.nodes},
        "reference": {"backend": d.reference.backend, "version": d.reference.version},
        "candidate": {
            "backend": d.candidate.backend,
            "version": d.candidate.version,
            "device": d.candidate.device,
            "options": to_data(case.options),
        },
        "samples": len(case.samples),
        "flaky": {"builds": d.builds, "failed": d.failed_builds, "untested": d.untested_builds},
        "first_divergence": to_data(d.first_divergence) if d.first_divergence else None,
        "culprits": [to_data(c) for c in d.culprits],
        "fixes": [
            to_data(f) | {"interventions": [to_data(i, Intervention) for i in f.interventions]}
            for f in d.fixes
        ],
        "fix_folder": d.fix_folder,
        "repro": to_data(d.repro) if d.repro else None,
        "trials": to_data(d.trials),
        "findings": [to_data(f) for f in d.findings],
        "unknown": list(d.unknown),
        "stages": [to_data(s) for s in d.stages],
        "outputs": [_output(o) for o in d.outputs],
        "plugins": [to_data(p) for p in d.plugins],
        "tool": {"version": d.trtdebug, "extensions": [to_data(e) for e in d.extensions]},
    }
    plain: dict[str, Any] = json.loads(json.dumps(report, allow_nan=False))
    return plain


_OF_AN_OUTPUT = (
    "status",
    "kind",
    "reason",
    "rule",
    "max_abs",
    "max_rel",
    "rms_rel",
    "nonfinite",
    "elements",
)


def _output(output: OutputVerdict) -> dict[str, Any]:
    error = told_data(output.error)
    named = {"output": output.error.tensor, "sample": output.sample, "build": output.build}
    return named | {key: error[key] for key in _OF_AN_OUTPUT}


def exit_code(verdict: str) -> int:
    """0 matches, 1 diverges or fragile, 4 untestable."""
    return {"matches": 0, "diverges": 1, "fragile": 1, "untestable": 4}[verdict]
