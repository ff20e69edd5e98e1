"""What `trtdebug.debug` gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtdebug.core.diagnosis import Culprit, Diagnosis, Fix, ReproResult, Verdict
from trtdebug.core.finding import Finding
from trtdebug.report.text import render_text


@dataclass(frozen=True, repr=False)
class DebugResult:
    """A diagnosis, and where its session lies.

    `str()` of it is the report as text; in a notebook it shows as a page.

    Attributes:
        diagnosis: all of the answer, typed.
        session: the session's folder, with report.json, the repro and the fix.
        report: the content of report.json, whose keys are a contract.
    """

    diagnosis: Diagnosis
    session: Path
    report: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        """`"matches"`, `"fragile"`, `"diverges"` or `"untestable"`."""
        return self.diagnosis.verdict

    @property
    def matches(self) -> bool:
        """Whether all builds agree with the reference, the one forced into low precision, too."""
        return self.verdict == "matches"

    @property
    def reason(self) -> str:
        """The failure in words; why nothing could be compared, where the verdict is `"untestable"`."""
        return self.diagnosis.reason

    @property
    def culprits(self) -> tuple[Culprit, ...]:
        """Smallest sets of nodes that make the model fail; `proven` says whether each is shown to fail alone."""
        return self.diagnosis.culprits

    @property
    def fix(self) -> Fix | None:
        """The fix to take: the last one that is verified. None where none is."""
        return next((f for f in reversed(self.diagnosis.fixes) if f.verified), None)

    @property
    def repro(self) -> ReproResult | None:
        """The repro folder; None where none was made."""
        return self.diagnosis.repro

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the checks and the stages found."""
        return self.diagnosis.findings

    def __repr__(self) -> str:
        fix = self.fix.summary if self.fix else None
        return f"<{type(self).__name__} {self.verdict}: {self.reason}; fix={fix!r}; session={str(self.session)!r}>"

    def __str__(self) -> str:
        return render_text(self.report)

    def _repr_html_(self) -> str:
        from trtdebug.api.notebook import result_page

        return result_page(self.report, self.session)
